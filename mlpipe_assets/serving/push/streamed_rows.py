"""Rows of a source of messages as a server has them: read as they are sent, and again when raw has taken them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

import polars as pl

from mlpipe_assets.serving.push.open_rows import OpenRows, Place
from mlpipe_assets.serving.push.stream_tail import StreamTail
from mlpipe_assets.transforms.events import own_columns


@dataclass(kw_only=True)
class StreamedRows(OpenRows):
    """The rows of messages; a row's delivery is that of raw, or the stretch that it was read in.

    Attributes:
        closed: The newest day that is closed.
    """

    tail: StreamTail
    closed: Callable[[], date]
    _places: dict[str, Place] = field(default_factory=dict)
    _moved: pl.DataFrame | None = None

    def read(self, now: datetime) -> tuple[list[pl.DataFrame], bool]:  # noqa: ARG002 (what is open follows from the snapshot)
        """Rows that came since the last look.

        Where raw took what was read before, its rows are taken in without a word: they say the same.
        """
        self.tail.begin(self.closed())
        gone, fresh = self.tail.take()
        self._places |= {one.file: one.place for one in fresh}
        found = [one.rows for one in fresh if one.rows.height]
        return (self._exchange(gone, found) if gone else found), False

    def forget(self) -> None:
        """Read everything again at the next look."""
        super().forget()
        self.tail.forget()
        self._places.clear()
        self._moved = None

    def contested(self) -> list[pl.DataFrame]:
        """Rows whose key came several times, when one of them got another place; and those that raw did not take after all."""
        moved, self._moved = self._moved, None
        if moved is None:
            return []
        key = list(self.source.key)
        rows = self.rows
        if rows is None:
            return [moved]
        several = moved.join(rows.group_by(key).len().filter(pl.col("len") > 1), on=key, how="semi")
        lost = moved.join(rows, on=key, how="anti")
        return [found for found in (several, lost) if found.height]

    def places(self) -> Mapping[str, Place]:
        """The place of each delivery and stretch."""
        return self._places

    def _exchange(self, gone: set[str], found: list[pl.DataFrame]) -> list[pl.DataFrame]:
        """Let go of stretches, and take in the rows that say the same; those that say something else."""
        rows = self.rows
        if rows is None:
            return found
        own = own_columns(self.source)
        theirs = pl.col("delivery").is_in(list(gone))
        self._moved = rows.filter(theirs)
        self.keep(lambda part: part.filter(~theirs))
        new: list[pl.DataFrame] = []
        for frame in found:
            for how, into in (("semi", self.parts), ("anti", new)):
                part = frame.join(self._moved, on=own, how=how, nulls_equal=True)  # type: ignore[arg-type]
                into.extend([part] if part.height else [])
        return new
