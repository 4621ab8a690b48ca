"""What a day that is open is made of, of a source of messages: the rows that raw has, and the messages that it has not taken yet.

Both are asked again and again. Nothing is kept of a message but in memory: the broker has it until raw does, and a server that
died reads it there again. Where raw takes what was read here, its rows take the place of those.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from threading import Lock
from time import time_ns

import polars as pl

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.errors import MlpipeError
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.intake.delivery import Delivery, natural
from mlpipe_assets.intake.intake import Mark, Pending
from mlpipe_assets.intake.ranges import StreamIntake, gather_marks, is_covered
from mlpipe_assets.intake.registry import intake_of
from mlpipe_assets.serving.push.open_rows import Place
from mlpipe_assets.serving.push.pushed_rows import judge_block, judge_objects
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.transforms.staging import ORIGIN

_ROWS_AT_ONCE = 50_000
_STEADY_NS = 2_000_000_000  # a folder that changed later than this before it was listed may have changed again unseen
_EVENT = ("event_date", *ORIGIN, "source_file", "payload")
NOTHING_TAKEN = "raw has nothing of it yet; `mlpipe run` takes it"


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Rows that became known at one moment: of a delivery in raw, or of messages that raw had not taken.

    Attributes:
        file: What they call their delivery.
        place: Of it in the order of deliveries.
        rows: Those of open days, in the columns of the contract with `event_date`.
    """

    file: str
    place: Place
    rows: pl.DataFrame


@dataclass(kw_only=True)
class StreamTail:
    """Reads each row once, and once more when raw takes it. `look` and `begin` take turns; `take` waits for nobody.

    Attributes:
        told: Called when there is something to take.
        problem: Why its messages cannot be read now, in a few words; None when they can.
        rows: Messages of open days that were read before raw had them.
    """

    lake: Lake
    source: Source
    told: Callable[[], None] = lambda: None
    problem: str | None = None
    rows: int = 0
    _closed: date | None = None
    _intake: StreamIntake | None = None
    _known: set[str] = field(default_factory=set)
    _listed: tuple[int, int] = (0, 0)
    _taken: dict[str, Mark] = field(default_factory=dict)
    _ahead: dict[str, Mark] = field(default_factory=dict)
    _fresh: list[Stretch] = field(default_factory=list)
    _gone: set[str] = field(default_factory=set)
    _turn: Lock = field(default_factory=Lock)
    _handing: Lock = field(default_factory=Lock)

    def begin(self, closed: date) -> None:
        """Say which day is the newest that is closed; the first time what raw has of days after it is read."""
        first = self._closed is None
        self._closed = closed
        if first:
            with self._turn:
                self.problem = _problem_of(self._look_at_raw, closed)

    def look(self) -> None:
        """Read what is new in raw, and at the broker; `problem` says why it could not be."""
        with self._turn:
            if self._closed is None:  # nobody has asked for a row yet
                return
            self.problem = _problem_of(self._look_at_raw, self._closed) or _problem_of(self._ask, self._closed)
        if self._fresh or self._gone:
            self.told()

    def take(self) -> tuple[set[str], list[Stretch]]:
        """What was read since the last time, and names of what raw has taken of what was read before."""
        with self._handing:
            gone, fresh = self._gone, self._fresh
            self._gone, self._fresh = set(), []
        return gone, fresh

    def forget(self) -> None:
        """Read everything again."""
        with self._turn, self._handing:
            self._closed, self._listed = None, (0, 0)
            for kept in (self._known, self._taken, self._ahead, self._fresh, self._gone):
                kept.clear()

    def _look_at_raw(self, closed: date) -> None:
        folder = self.lake.root / keys.deliveries(self.source.name)
        changed = folder.stat().st_mtime_ns if folder.exists() else 0
        if changed == self._listed[0] and changed < self._listed[1] - _STEADY_NS:
            return
        listed = (changed, time_ns())
        ledger = Ledger.load(self.lake, self.source.name)
        fresh = [one for name, one in ledger.deliveries.items() if name not in self._known]
        stretches = list(_read_raw(self.source, ledger, fresh, closed))
        taken = gather_marks(ledger.taken.values())
        gone = {name for name, mark in self._ahead.items() if is_covered(mark, taken.values())}
        self._known |= {one.delivery for one in fresh}
        self._taken, self._ahead = taken, {name: mark for name, mark in self._ahead.items() if name not in gone}
        self._listed = listed  # what could not be read is looked for again
        with self._handing:
            self._fresh += stretches
            self._gone |= gone

    def _ask(self, closed: date) -> str | None:
        """Read the messages that raw has not; why they cannot be."""
        if not self._taken:
            return NOTHING_TAKEN
        if self._intake is None:
            intake = intake_of(self.lake, self.source)
            assert isinstance(intake, StreamIntake)  # noqa: S101 (these are the feeds that are followed)
            self._intake = intake
        intake = self._intake.afresh()
        found, problems = intake.look({**self._taken, **{f"ahead {name}": mark for name, mark in self._ahead.items()}})
        for pending in found:
            stretch = self._read(intake, pending, closed)
            self._ahead[stretch.file] = pending.mark
            self.rows += stretch.rows.height
            with self._handing:
                self._fresh.append(stretch)
        return problems[0].reason if problems else None

    def _read(self, intake: StreamIntake, pending: Pending, closed: date) -> Stretch:
        known_at = intake.known(pending).known_at
        file = f"{pending.name} {pending.modified_ns}"
        judged = [judge_block(self.source, block, known_at).rows for block in intake.open(pending)]
        return Stretch(
            file=file,
            place=(known_at, pending.modified_ns, natural(pending.name)),
            rows=_of_open_days([rows for rows in judged if rows.height], closed).with_columns(delivery=pl.lit(file)),
        )


def _problem_of(work: Callable[[date], str | None], closed: date) -> str | None:
    """Why some work cannot be done now; None when it was."""
    try:
        return work(closed)
    except MlpipeError as error:
        return f"{error}"
    except OSError as error:
        return error.strerror or type(error).__name__
    except pl.exceptions.PolarsError:  # its words may quote what is in the file
        return "a file of raw is damaged; `mlpipe verify` says which"


def _read_raw(source: Source, ledger: Ledger, fresh: Sequence[Delivery], closed: date) -> Iterator[Stretch]:
    """The rows of deliveries of days after one, each in the order of its records."""
    for one in fresh:
        paths = [ledger.event_path(one, day) for day in sorted(one.events) if day > closed]
        if not paths:
            continue
        events = pl.read_parquet(paths, columns=list(_EVENT), hive_partitioning=False, glob=False)
        judged = [judge_objects(source, part)[0] for part in events.iter_slices(_ROWS_AT_ONCE)]
        yield Stretch(file=one.delivery, place=one.place, rows=_of_open_days(judged, closed))


def _of_open_days(judged: Sequence[pl.DataFrame], closed: date) -> pl.DataFrame:
    rows = [found for part in judged if (found := part.filter(pl.col("event_date") > closed)).height]
    return pl.concat(rows) if rows else pl.DataFrame(schema={"delivery": pl.String})
