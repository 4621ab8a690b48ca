"""A feature view as it stands in the lake: its partitions to join, and what a reader of them has to know."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, FeatureView
from mlpipe_assets.catalog.versions import view_version
from mlpipe_assets.errors import LakeError, MissingPartitionError, spell_count
from mlpipe_assets.partitions import ONE_DAY, gaps, spell_days
from mlpipe_assets.point_in_time.as_of_join import NEVER, Days, Partitions, Places
from mlpipe_assets.rules import columns
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.table_state import TableState

_EPOCH = date(1970, 1, 1)
_DAY = 86_400_000_000


@dataclass(kw_only=True)
class History:
    """The partitions of a feature view at the first look.

    Raises: MissingPartitionError when there is none.
    """

    lake: Lake
    catalog: Catalog
    view: FeatureView
    _paths: dict[int, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make sure that there is something to join."""
        if not self.days:
            raise MissingPartitionError(f"{self.table}: there is no partition yet. Next: mlpipe run")

    @property
    def table(self) -> str:
        """The name of the table."""
        return f"features/{self.view.name}"

    @cached_property
    def state(self) -> TableState:
        """The table as it was at the first look."""
        return self.lake.state("features", self.view.name)

    @cached_property
    def days(self) -> list[date]:
        """The days there is a partition of, in order."""
        return self.state.days()

    @cached_property
    def partitions(self) -> Partitions:
        """The same, to join."""
        return Partitions(
            table=self.table,
            types={column.name: column.dtype for column in columns(self.view.contract)},
            rows={_number(day): self._rows(day) for day in self.days},
            locate=self._locate,
        )

    def notes(self, newest: Days, places: Places) -> Iterator[str]:
        """What is not as an answer suggests: that nothing was found, days that are missing, refused, of another version, or not there yet.

        Args:
            newest: The newest day that each asker may see; NEVER for none.
            places: What each asker found.
        """
        asked = newest[newest != NEVER]
        first, last = _number(self.days[0]), _number(self.days[-1])
        if later := int((asked > last).sum()):
            until = f"{self.days[-1]} (as of {self.days[-1] + ONE_DAY} 00:00 UTC)"
            yield (
                f"{self.table} ends with {until}: {spell_count(later, 'row')} of the spine could see a later day, and got the latest "
                "row there is."
            )
        if places.day.size and not places.found.any():
            near = f", and not older than its ttl of {self.view.ttl}" if self.view.ttl else ""
            yield (
                f"{self.table} has nothing for any row of the spine: no row of these keys at or before their times{near}. Are the keys "
                "spelled as in the table? With statuses=True, or --statuses, each row says why."
            )
        lacking = np.array([_number(day) for day in gaps(self.days)], dtype=np.int32)
        between = _lacking_between(lacking, newest, places, first, self.view.ttl)
        if between:
            days, rows = between
            yield (
                f"{self.table} has no {spell_days(map(_day, days))}: {spell_count(rows, 'row')} of the spine got an older row than "
                "they would have had, or none. `mlpipe status` says why."
            )
        used = [_day(int(number)) for number in np.unique(places.day[places.found])]
        version = view_version(self.catalog, self.view)
        if other := [day for day in used if (self.state.facts(day) or {}).get("code_version") != version]:
            yield f"{self.table} {spell_days(other)} were built by another version of the view than today's. Next: mlpipe run"
        if refused := [day for day in used if day in self.state.refused]:
            yield f"{self.table} {spell_days(refused)} could not be built again; what is there is of before. `mlpipe status` says why."

    def _rows(self, day: date) -> int:
        facts = self.state.facts(day)
        if facts is None:
            self.state.files([day])  # says what is wrong with it
        rows = (facts or {}).get("rows")
        if not isinstance(rows, int):
            raise LakeError(
                f"{self.table} [{day}] has no number of rows on record. Delete {self.lake.folder('features', self.view.name, day)}, "
                "then: mlpipe run"
            )
        return rows

    def _locate(self, days: Sequence[int]) -> list[Path]:
        new = [day for day in days if day not in self._paths]
        self._paths.update(zip(new, self.state.files(map(_day, new)), strict=True))
        return [self._paths[day] for day in days]


def newest_days(times: pl.Series) -> Days:
    """The newest day whose end each instant has reached, in days since 1970; NEVER where there is no time."""
    micros = times.dt.timestamp("us")
    days = (micros.fill_null(0) // _DAY - 1).cast(pl.Int32)
    return days.set(micros.is_null(), NEVER).to_numpy()


def oldest_days(times: pl.Series, ttl: timedelta) -> Days:
    """The oldest day whose rows are not too old at each instant."""
    micros = times.dt.timestamp("us").fill_null(0) - ttl // timedelta(microseconds=1)
    return (-(-micros // _DAY) - 1).cast(pl.Int32).to_numpy()


def ends_of(places: Places) -> pl.Series:
    """The `as_of` of the row at each place; null where there is none."""
    ends = pl.Series((places.day.astype(np.int64) + 1) * _DAY).set(~pl.Series(places.found), None)
    return ends.cast(pl.Datetime("us", "UTC"))


def _lacking_between(
    lacking: Days, newest: Days, places: Places, first: int, ttl: timedelta | None
) -> tuple[list[int], int] | None:
    """Days that lie between the row that was found and what could be seen, and how many askers have one."""
    asking = newest >= first
    if not lacking.size or not asking.any():
        return None
    at = np.searchsorted(lacking, newest, side="right") - 1
    nearest = np.where(at >= 0, lacking[np.maximum(at, 0)], NEVER)
    touched = asking & (nearest > places.day)
    if ttl is not None:
        touched &= (newest - nearest) <= ttl.days
    if not touched.any():
        return None
    low = int(np.maximum(places.day[touched], first).min())
    if ttl is not None:
        low = max(low, int(newest[touched].min()) - ttl.days)
    days = [int(day) for day in lacking if low <= day <= int(newest[touched].max())]
    return days, int(touched.sum())


def _number(day: date) -> int:
    return (day - _EPOCH).days


def _day(number: int) -> date:
    return _EPOCH + timedelta(days=number)
