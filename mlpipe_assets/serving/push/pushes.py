"""Pushed rows from the disk to the answers: what servers write is read as it grows, and laid over the snapshot."""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from threading import RLock

import polars as pl

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.engines.engine import Engine
from mlpipe_assets.errors import MlpipeError
from mlpipe_assets.serving.push.open_day import OpenDay
from mlpipe_assets.serving.push.open_rows import OpenRows
from mlpipe_assets.serving.push.overlay import Overlay
from mlpipe_assets.serving.push.pushed_rows import is_followed, why_not
from mlpipe_assets.serving.push.pushed_sample import PushedSample
from mlpipe_assets.serving.push.pushing import Pushing
from mlpipe_assets.serving.push.spool_tail import SpoolTail
from mlpipe_assets.serving.push.spooled_rows import SpooledRows
from mlpipe_assets.serving.push.stream_tail import StreamTail
from mlpipe_assets.serving.push.streamed_rows import StreamedRows
from mlpipe_assets.serving.snapshots.snapshot import Generation
from mlpipe_assets.serving.spool import Spool
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake

SECONDS = 300.0  # after which the rows of a server are handed over to the intake
_BETWEEN_SAMPLES = 30.0  # seconds between two times that what was answered is written down
_BETWEEN_LEFT = 60.0  # seconds between two looks for what dead servers left
_BETWEEN_LOOKS = 5.0  # seconds between two looks at the tables that rows are computed from


def _now() -> datetime:
    return datetime.now(tz=UTC)


@dataclass(kw_only=True)
class Pushes:
    """All that one server does with pushed rows. `look` is called by one thread at a time.

    Attributes:
        seconds: How long rows are kept in one file.
        now: The clock.
        problems: Why the rows of a view could not be computed at the last look.
        delay: Seconds from when the oldest rows of the last look were on the disk until they were in the answers.
        merged_at: When the answers were changed last.
        has_looked: Whether what was written before is known: until then a request sent again would be taken for a new one.
        taking: What takes the rows of each source that rows are pushed to.
        following: What reads the messages of each source that sends them.
    """

    lake: Lake
    catalog: Catalog
    engine: Engine
    seconds: float = SECONDS
    now: Callable[[], datetime] = _now
    problems: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    merged_at: datetime | None = None
    has_looked: bool = False
    wake: Callable[[], None] = lambda: None
    overlay: Overlay = field(default_factory=Overlay)
    taking: dict[str, Pushing] = field(default_factory=dict)
    following: dict[str, StreamTail] = field(default_factory=dict)
    _rows: dict[str, OpenRows] = field(default_factory=dict)
    _open: OpenDay | None = None
    _generation: Generation | None = None
    _unmerged: dict[str, pl.DataFrame] = field(default_factory=dict)
    _since: float | None = None
    _handed_over: date | None = None
    _looked: float = 0.0
    _closed: dict[str, date] = field(default_factory=dict)
    _took_left: float = -math.inf
    _sampled: float = 0.0
    _sample: PushedSample = field(init=False)
    _turn: RLock = field(default_factory=RLock)

    def __post_init__(self) -> None:
        """Know the places of the rows of every source."""
        self._sample = PushedSample(lake=self.lake)
        for source in self.catalog.sources:
            if is_followed(source):
                stream = self.following[source.name] = StreamTail(lake=self.lake, source=source, told=self._taken)
                closed = self._closed_of(source.name)
                self._rows[source.name] = StreamedRows(source=source, tail=stream, closed=closed)
            elif why_not(source) is None:
                tail = SpoolTail(folder=self.lake.root / keys.drop_zone(source.name))
                rows = self._rows[source.name] = SpooledRows(source=source, tail=tail)
                self.taking[source.name] = Pushing(
                    source=source,
                    spool=Spool(root=self.lake.root, source=source.name, seconds=self.seconds, sync=True),
                    marks=rows.marks,
                    late=self._late_of(source.name),
                    taken=self._taken,
                )

    def all_not_online(self) -> dict[str, str]:
        """Views whose answers do not follow what comes of their sources, and why; none before anything comes."""
        found = self._open
        unread = {
            view.name: f"the messages of {name} cannot be read: {tail.problem}"
            for name, tail in self.following.items()
            for view in self.catalog.online_views
            if tail.problem and name in view.inputs
        }
        return {**unread, **found.not_online, **self.problems} if found else unread

    def not_online(self, source: str) -> dict[str, str]:
        """The same of the views of one source."""
        found = {**self._day().not_online, **self.problems}
        return {name: why for name, why in found.items() if source in self.catalog.view(name).inputs}

    def overlay_for(self, generation: Generation) -> Overlay:
        """What lies over a snapshot now, and will be kept up to date from now on in place of the one before.

        A table that cannot be read now keeps nobody from the snapshot: `look` tries again, and says why.
        """
        with self._turn:
            self._write_sample()
            self._sample.forget()
            self._open = None
            self._generation, self.overlay = generation, Overlay()
            with suppress(MlpipeError):
                self.look()
            return self.overlay

    def look(self) -> bool:
        """Take in what was written since the last look, by any server; whether an answer changed.

        Raises: LakeError when what is known of a table cannot be read; the next look begins with all rows again.
        """
        with self._turn:
            try:
                return self._look()
            except BaseException:  # rows that were read and did not get any further must not be passed over
                self._open = None
                for rows in self._rows.values():
                    rows.forget()
                raise

    def hand_over(self) -> None:
        """Hand over files that are old enough, and what dead servers left.

        Once a day is over all of them are, so that it can be built with all its rows.
        """
        today = self.now().date()
        over = self._handed_over not in (None, today)
        self._handed_over = today
        left = time.monotonic() - self._took_left > _BETWEEN_LEFT
        self._took_left = time.monotonic() if left else self._took_left
        for taking in self.taking.values():
            if over:
                taking.spool.close()
            taking.spool.close_due()
            if left:
                taking.spool.take_left()

    def close(self) -> None:
        """Hand over everything."""
        with self._turn:
            self._write_sample()
        for taking in self.taking.values():
            taking.spool.close()

    def _look(self) -> bool:
        self.has_looked = True
        now, since, self._since = self.now(), self._since, None
        anew = False
        changed: dict[str, list[pl.DataFrame]] = {}
        for name, rows in self._rows.items():
            changed[name], again = rows.read(now)
            anew = anew or again
        if not any(changed.values()) and not self._closed:  # nothing was ever pushed
            return False
        anew = self._is_over(now) or anew
        for name, rows in self._rows.items():
            source = self._day().sources[name]
            select = source.select
            if source.closed < self._closed.get(name, source.closed):  # as after a rollback: its rows were let go
                rows.forget()
                changed[name], _ = rows.read(now)
            self._closed[name] = source.closed
            if anew:
                rows.keep(select)
            changed[name] = rows.add([chosen for frame in changed[name] if (chosen := select(frame)).height])
            changed[name] += rows.contested()
            if anew and rows.rows is not None:
                changed[name] = [rows.rows]
        if not anew and not self._unmerged and not any(changed.values()):
            return False
        self._merge({name: frames for name, frames in changed.items() if frames}, now, whole=anew)
        if time.monotonic() - self._sampled > _BETWEEN_SAMPLES:
            self._write_sample()
        self.merged_at = now
        if since is not None:
            self.delay = time.monotonic() - since
        return True

    def _merge(self, changed: Mapping[str, list[pl.DataFrame]], now: datetime, *, whole: bool) -> None:
        """Compute the rows that follow from changed ones, and show them all at once; `whole` when no others are to be shown."""
        day, found = self._day(), {}
        for view in day.views:
            name = view.view.name
            parts = [
                rows
                for rows in (day.touched(view, changed, self._rows), self._unmerged.pop(name, None))
                if rows is not None
            ]
            if not parts and not whole:
                continue
            entities = pl.concat(parts).unique() if parts else None
            try:
                found[name] = day.rows(self.engine, view, entities, self._rows, now) if entities is not None else {}
            except MlpipeError as error:
                self.problems[name] = f"{error}"
                if entities is not None:
                    self._unmerged[name] = entities
                    self._sample.note(view, entities, {})
            else:
                self.problems.pop(name, None)
                if entities is not None:
                    self._sample.note(view, entities, found[name])
        self.overlay.put(found, whole=whole)

    def _day(self) -> OpenDay:
        """What rows of the day are computed from."""
        found = self._open
        if found is None:
            with self._turn:
                found = self._open = OpenDay.find(self.lake, self.catalog, self._generation, self.now().date())
                self._looked = time.monotonic()
        return found

    def _is_over(self, now: datetime) -> bool:
        """Whether the lake has to be looked at again, which it is then; tables that change often are looked at in turn."""
        found = self._open
        looked = time.monotonic() - self._looked < _BETWEEN_LOOKS
        if found is not None and found.day == now.date() and (looked or not found.is_changed()):
            return False
        self._write_sample()
        self._sample.forget()
        self._open = None
        self._unmerged.clear()
        return True

    def _write_sample(self) -> None:
        """Write down what the day's build will be held to; what cannot be written is not compared."""
        self._sampled = time.monotonic()
        if self._open is None or not self._sample.is_changed:
            return
        for view in self._open.views:
            with suppress(MlpipeError):
                if (entities := self._sample.entities(view)) is not None:
                    self._sample.write(view, entities, self._open.tables(view, entities, self._rows))

    def _closed_of(self, name: str) -> Callable[[], date]:
        return lambda: self._day().sources[name].closed

    def _late_of(self, name: str) -> Callable[[pl.DataFrame], pl.Series]:
        return lambda rows: self._day().sources[name].find_late(rows)  # noqa: PLW0108 (the day is another one tomorrow)

    def _taken(self) -> None:
        self._since = self._since or time.monotonic()
        self.wake()
