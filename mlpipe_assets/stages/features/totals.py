"""Running totals of a declared view: what a day keeps beside its rows, so that the next one need not read its whole window.

They are a file of the day itself, published with its rows: whatever makes the rows stale makes the totals stale.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import polars as pl

from mlpipe_assets.catalog.view_sql.names import TOTAL
from mlpipe_assets.catalog.view_sql.totals import held_schema, kept_as
from mlpipe_assets.partitions import ONE_DAY
from mlpipe_assets.point_in_time.windows import Inputs
from mlpipe_assets.store import keys
from mlpipe_assets.store.changes import TableChange
from mlpipe_assets.store.staging import Staged

_REACH = timedelta(days=7)  # how far back corrections reach at least
_SPARE = timedelta(days=3)


def totals_of_rows(rows: pl.DataFrame, schema: Mapping[str, pl.DataType], kept: Mapping[str, str]) -> pl.DataFrame:
    """The totals among the rows that a select gives, in the columns of the table `held`."""
    return rows.select(pl.col(kept.get(name, name)).alias(name) for name in schema)


@dataclass(frozen=True, kw_only=True)
class Totals:
    """The totals that a build of a view begins with, and those that it leaves."""

    inputs: Inputs
    start: date
    staged: dict[date, Staged] = field(default_factory=dict)

    @cached_property
    def schema(self) -> Mapping[str, pl.DataType]:
        """Columns of the totals; none for a view that keeps none."""
        return held_schema(self.inputs.catalog, self.inputs.view) if self.inputs.view.is_declared else {}

    @cached_property
    def held(self) -> Path | None:
        """The totals of the day before, if they rest on what that day rests on now."""
        return self.inputs.find_held(self.start)

    @cached_property
    def keep_after(self) -> date:
        """The days after this one keep their totals: a correction begins with those of the day before the oldest it touches."""
        last = self.inputs.last_day() or self.start
        return last - max([_REACH, *(s.source.dedupe_within for s in self.inputs.sources)]) - _SPARE

    def before(self, start: date) -> Path | pl.DataFrame | None:
        """What days from `start` on begin with: totals that rest on what there is now, or that this build has just staged."""
        if start == self.start:
            return self.held
        staged = self.staged.get(start - ONE_DAY)
        return pl.read_parquet(staged.temporary, hive_partitioning=False, glob=False) if staged else None

    def take(self, day: date, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame | None]:
        """The rows of a day without their totals, and the totals where the day is to keep them."""
        if not self.schema:
            return rows, None
        own = [name for name in rows.columns if name.startswith(TOTAL)]
        kept = kept_as(self.inputs.catalog, self.inputs.view)
        return rows.drop(own), totals_of_rows(rows, self.schema, kept) if day > self.keep_after else None

    def stage(self, day: date, totals: pl.DataFrame | None, facts: Mapping[str, object]) -> None:
        """Write the totals of a day beside its rows, to be published with them."""
        if totals is not None:
            table = self.inputs.lake.table("features", self.inputs.view.name)
            self.staged[day] = table.stage(day, totals, facts, keys.TOTALS)

    def of(self, day: date) -> tuple[Staged, ...]:
        """What else is published with the rows of a day."""
        return (self.staged[day],) if day in self.staged else ()

    def forget_old(self, change: TableChange) -> None:
        """Take away the totals of days that no correction reaches any more."""
        for day, files in self.inputs.made.manifest.days.items():
            if day <= self.keep_after and keys.TOTALS in files:
                change.drop(day, keys.TOTALS, files)
