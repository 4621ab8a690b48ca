"""Pushed rows of one source, of days that are not closed: read as they are written, by whatever server, and judged again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.catalog.feeds import files_of
from mlpipe_assets.partitions import ONE_DAY
from mlpipe_assets.serving.push.marks import WINDOW, Marks
from mlpipe_assets.serving.push.pushed_rows import judge_rows
from mlpipe_assets.serving.push.spool_tail import Chunk, Place, SpoolTail, TruncatedError
from mlpipe_assets.transforms.staging import ORIGIN, latest_of_each_day, superseded

_ROWS_AT_ONCE = 50_000


@dataclass(kw_only=True)
class OpenRows:
    """The rows of one source that servers have written and that a day may still be made of. One thread at a time.

    Attributes:
        marks: The requests that they came with.
        parts: In the columns of the contract with `event_date`; a row's delivery is the file that holds it.
    """

    source: Source
    tail: SpoolTail
    marks: Marks = field(default_factory=Marks)
    parts: list[pl.DataFrame] = field(default_factory=list)
    _names: dict[str, str] = field(default_factory=dict)
    _places: dict[str, Place] = field(default_factory=dict)

    def read(self, now: datetime) -> tuple[list[pl.DataFrame], bool]:
        """Rows that were written since the last look; and whether these are all there are, because a file lost some."""
        since = now - max(timedelta(seconds=WINDOW), 2 * ONE_DAY + self.source.ahead_within)
        try:
            return [rows for chunk in self.tail.read(since) for rows in self._judge(chunk) if rows.height], False
        except TruncatedError:
            self.forget()
            return self.read(now)[0], True

    def forget(self) -> None:
        """Read everything again at the next look."""
        self.tail.forget()
        self.parts.clear()

    def add(self, rows: list[pl.DataFrame]) -> list[pl.DataFrame]:
        """Take rows in, and return them."""
        self.parts += rows
        return rows

    def keep(self, select: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
        """Forget rows of days that were closed meanwhile."""
        kept = [chosen for rows in self.parts if (chosen := select(rows)).height]
        self.parts[:] = [pl.concat(kept)] if kept else []

    @property
    def rows(self) -> pl.DataFrame | None:
        """All rows; None when there are none."""
        if len(self.parts) > 1:
            self.parts[:] = [pl.concat(self.parts)]
        return self.parts[0] if self.parts else None

    def contested(self) -> list[pl.DataFrame]:
        """Rows whose key is in several files, when one of these got another place since: another of them may hold now."""
        names = {one.file: one.name for one in self.tail.files.values()}
        moved = any(self._names.get(file, name) != name for file, name in names.items())
        self._names = names
        if not moved or self.rows is None:
            return []
        several = self.rows.group_by(self.source.key).agg(pl.col("delivery").n_unique()).filter(pl.col("delivery") > 1)
        found = self.rows.join(several, on=list(self.source.key), how="semi")
        return [found] if found.height else []

    def places(self) -> Mapping[str, Place]:
        """The place of each file in the order of deliveries; of one that was taken away since, the last it had."""
        feed = files_of(self.source.feed)
        self._places |= {one.file: one.place(feed) for one in self.tail.files.values()}
        return self._places

    def _judge(self, chunk: Chunk) -> list[pl.DataFrame]:
        """The rows of new lines that hold, which they did when they were taken unless the contract has changed since."""
        known_at = chunk.tailed.known_at(files_of(self.source.feed))
        seconds = chunk.tailed.modified_ns / 1e9
        found: list[pl.DataFrame] = []
        for start in range(0, len(chunk.lines), _ROWS_AT_ONCE):
            lines = chunk.lines[start : start + _ROWS_AT_ONCE]
            for line in lines:
                self.marks.note(line, seconds)
            judged = judge_rows(self.source, [line.decode() for line in lines], known_at)
            number = pl.col("record_number") + (chunk.first + start - 1)
            found.append(judged.rows.with_columns(number, delivery=pl.lit(chunk.tailed.file)))
        return found


def winners(source: Source, rows: pl.DataFrame, places: Mapping[str, Place]) -> pl.DataFrame:
    """Of rows that share a key the one that interim would keep, of one day and of days that are near.

    Args:
        source: Whose rows.
        rows: In the columns of its contract, with `event_date`; all rows of a key are there.
        places: The place of each of their deliveries in the order in which these became known.
    """
    known = sorted(rows["delivery"].unique(), key=lambda name: places[name])
    order = {name: number for number, name in enumerate(known)}
    latest = latest_of_each_day(rows, source.key, order)
    if not source.dedupe_within or latest["event_date"].n_unique() == 1:
        return latest
    lost = superseded(latest.select(*source.key, "event_date", *ORIGIN), source.key, source.dedupe_within, order)
    return latest.join(lost, on=["delivery", "record_number"], how="anti", maintain_order="left")


def first_moment(day: date) -> datetime:
    """The beginning of a day."""
    return datetime.combine(day, time(), tzinfo=UTC)


def entities_of(rows: Sequence[pl.DataFrame], join_keys: Sequence[str]) -> pl.DataFrame:
    """The entities of some rows, each once."""
    return pl.concat([frame.select(join_keys) for frame in rows]).unique().drop_nulls()
