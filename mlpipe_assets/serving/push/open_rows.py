"""Rows of one source of days that are not closed, judged again: what a day may still be made of."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time

import polars as pl

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.transforms.staging import ORIGIN, latest_of_each_day, superseded

Place = tuple[object, ...]
"""Of a delivery in the order in which deliveries became known."""


@dataclass(kw_only=True)
class OpenRows:
    """The rows of one source that a day may still be made of, and that interim need not have. One thread at a time.

    Attributes:
        parts: In the columns of the contract with `event_date`; a row's delivery is what it came with.
    """

    source: Source
    parts: list[pl.DataFrame] = field(default_factory=list)

    @abstractmethod
    def read(self, now: datetime) -> tuple[list[pl.DataFrame], bool]:
        """Rows that came since the last look; and whether these are all there are, because some were lost."""

    @abstractmethod
    def contested(self) -> list[pl.DataFrame]:
        """Rows of which another may hold now, though none of them is new."""

    @abstractmethod
    def places(self) -> Mapping[str, Place]:
        """The place of each of their deliveries in the order of these."""

    def forget(self) -> None:
        """Read everything again at the next look."""
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
