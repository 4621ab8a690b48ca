"""Rows that are pushed to one source: judged, on the disk, and then answered; all that wait at one moment are written at once."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.errors import MlpipeError
from mlpipe_assets.serving.push.marks import Marks, mark
from mlpipe_assets.serving.push.pushed_rows import Judged, judge_each
from mlpipe_assets.serving.push.turn import PushTurn
from mlpipe_assets.serving.snapshots.snapshot import OnlineError
from mlpipe_assets.serving.spool import Spool
from mlpipe_assets.store.objects import StoreError

_MOST_AT_ONCE = 20_000  # rows that are judged in one pass


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What became of a request: its rows, and how many of them are of days that are closed."""

    rows: int
    late: int


@dataclass(kw_only=True, eq=False)
class _Request:
    key: str
    payloads: list[str]
    answered: "asyncio.Future[Taken]"


@dataclass(kw_only=True)
class PushCounts:
    """What was pushed to one source since the server began: rows written, late ones of these, and rows sent again."""

    rows: int = 0
    late: int = 0
    repeated: int = 0


@dataclass(kw_only=True)
class Pushing:
    """Takes the rows of one source.

    Attributes:
        spool: Where they are written, forced to the disk before anybody is answered.
        marks: The requests that were taken before.
        turn: The turn to write rows with a key, among all servers: none may take a request that another is taking.
        late: Of typed rows with their `event_date` which are of closed days.
        taken: Called once rows are on the disk.
    """

    source: Source
    spool: Spool
    marks: Marks
    late: Callable[[pl.DataFrame], pl.Series]
    taken: Callable[[], None]
    counts: PushCounts = field(default_factory=PushCounts)
    turn: PushTurn = field(init=False)
    _waiting: list[_Request] = field(default_factory=list)
    _at_work: bool = False

    def __post_init__(self) -> None:
        """Write into the folder that the spool writes into."""
        self.turn = PushTurn(root=self.spool.root, folder=self.spool.folder, marks=self.marks)

    async def push(self, key: str, payloads: list[str]) -> Taken:
        """Take the rows of a request, all or none; they are on the disk when it returns.

        Raises: BadRequestError when a row does not hold, or its key is that of other rows; OnlineError when the disk does not take them.
        """
        loop = asyncio.get_running_loop()
        request = _Request(key=key, payloads=payloads, answered=loop.create_future())
        self._waiting.append(request)
        if not self._at_work:
            self._at_work = True
            working = asyncio.create_task(self._work())
            request.answered.add_done_callback(lambda _: working)  # a task that nobody holds may be collected
        return await asyncio.shield(request.answered)

    async def _work(self) -> None:
        """Take all that wait, again and again, until nobody does."""
        try:
            while self._waiting:
                batch = self._next()
                try:
                    found = await asyncio.to_thread(self._take, batch)
                except Exception as error:  # noqa: BLE001 (each request must be answered; the gate says what it is)
                    for request in batch:
                        _fail(request, error)
                    continue
                for request, told in zip(batch, found, strict=True):
                    if isinstance(told, Taken):
                        if not request.answered.done():
                            request.answered.set_result(told)
                    else:
                        _fail(request, told)
        finally:
            self._at_work = False

    def _next(self) -> list[_Request]:
        """The requests that are taken together: those that wait, but no two of one key, so that the second finds the first."""
        batch: list[_Request] = []
        left: list[_Request] = []
        rows = 0
        for request in self._waiting:
            rows += len(request.payloads)
            twice = request.key and any(request.key == other.key for other in batch)
            (left if twice or (batch and rows > _MOST_AT_ONCE) else batch).append(request)
        self._waiting = left
        return batch

    def _take(self, batch: Sequence[_Request]) -> list[Taken | MlpipeError]:
        """What becomes of requests that are taken together; in a thread of its own, one at a time."""
        judged = judge_each(self.source, [request.payloads for request in batch])
        if not any(request.key for request in batch):
            return self._write(batch, judged)
        with self.turn.alone():
            return self._write(batch, judged)

    def _write(self, batch: Sequence[_Request], judged: Sequence[Judged | MlpipeError]) -> list[Taken | MlpipeError]:
        """Write what of judged requests is not written yet."""
        found: list[Taken | MlpipeError] = []
        lines: list[bytes] = []
        writing: list[int] = []
        for number, (request, held) in enumerate(zip(batch, judged, strict=True)):
            try:
                taken, missing = self._look_at(request, held)
            except MlpipeError as error:
                found.append(error)
                continue
            found.append(taken)
            if missing:
                lines += missing
                writing.append(number)
        try:
            self.spool.append(lines)
        except StoreError as error:
            told = OnlineError(f"The rows could not be written: {error.reason}. None of this request was taken.")
            return [told if number in writing else one for number, one in enumerate(found)]
        for line in lines:
            self.marks.note(line, time.time())
        self.counts.rows += len(lines)
        self.counts.late += sum(
            one.late for number, one in enumerate(found) if number in writing and isinstance(one, Taken)
        )
        if lines:
            self.taken()
        return found

    def _look_at(self, request: _Request, held: Judged | MlpipeError) -> tuple[Taken, list[bytes]]:
        """The answer to a request, and its lines that are not written yet."""
        if isinstance(held, MlpipeError):
            raise held
        missing = self.marks.find_missing(request.key, request.payloads)
        lines = mark(request.key, request.payloads)
        self.counts.repeated += len(lines) - len(missing)
        taken = Taken(rows=held.rows.height, late=int(self.late(held.rows).sum()))
        return taken, [lines[number] for number in missing]


def _fail(request: _Request, error: Exception) -> None:
    if not request.answered.done():
        request.answered.set_exception(error)
        request.answered.exception()  # whoever asked may be gone


def spell_answer(taken: Taken, not_online: dict[str, str]) -> dict[str, Any]:
    """The answer to a request."""
    return {"rows": taken.rows, "late": taken.late, **({"not_online": not_online} if not_online else {})}
