"""Pushed rows of one source: read as they are written, by whatever server."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import polars as pl

from mlpipe_assets.catalog.feeds import files_of
from mlpipe_assets.partitions import ONE_DAY
from mlpipe_assets.serving.push.marks import WINDOW, Marks
from mlpipe_assets.serving.push.open_rows import OpenRows, Place
from mlpipe_assets.serving.push.pushed_rows import judge_rows
from mlpipe_assets.serving.push.spool_tail import Chunk, SpoolTail, TruncatedError

_ROWS_AT_ONCE = 50_000


@dataclass(kw_only=True)
class SpooledRows(OpenRows):
    """The rows that servers have written; a row's delivery is the file that holds it.

    Attributes:
        marks: The requests that they came with.
    """

    tail: SpoolTail
    marks: Marks = field(default_factory=Marks)
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
        super().forget()
        self.tail.forget()

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
