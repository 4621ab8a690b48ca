"""The partitions of a monitored table as they stand, and the windows that are compared."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import Any

from mlpipe_assets.catalog.declarations import Catalog, Monitor
from mlpipe_assets.errors import spell_count
from mlpipe_assets.partitions import ONE_DAY, days_between, spell_days
from mlpipe_assets.point_in_time.windows import Inputs
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.table_state import TableState


@dataclass(frozen=True, kw_only=True)
class Windows:
    """The days compared: the current window, which ends with the day asked for, and the period right before it."""

    current: list[date]
    previous: list[date]


def windows_of(day: date, length: timedelta) -> Windows:
    """The two windows of a day."""
    first = day - length + ONE_DAY
    return Windows(current=days_between(first, day), previous=days_between(first - length, first - ONE_DAY))


@dataclass(kw_only=True)
class TableDays:
    """Which days a table has, and what each partition was made of."""

    lake: Lake
    stage: str
    name: str
    _facts: dict[date, dict[str, Any]] = field(default_factory=dict)

    @cached_property
    def state(self) -> TableState:
        """The table as it was at the first look."""
        return self.lake.state(self.stage, self.name)

    @cached_property
    def present(self) -> list[date]:
        """Days with a partition that was not refused since, in order."""
        return [day for day in self.state.days() if day not in self.state.refused]

    @cached_property
    def present_days(self) -> frozenset[date]:
        """The same, to look days up in."""
        return frozenset(self.present)

    def facts(self, day: date) -> dict[str, Any]:
        """The facts of a partition; empty when there is none."""
        if day not in self._facts:
            self._facts[day] = (self.state.facts(day) or {}) if day in self.present_days else {}
        return self._facts[day]

    def fingerprint(self, day: date) -> str:
        """What a partition holds, in one word."""
        return str(self.facts(day).get("fingerprint", ""))

    def fingerprints(self, days: Iterable[date]) -> list[tuple[str, str]]:
        """Day and fingerprint of those days that are there."""
        return [(f"{day}", self.fingerprint(day)) for day in days if day in self.present_days]

    def spell_missing(self, days: Iterable[date]) -> str:
        """Which of the days are not there, in words; empty when all are."""
        wanted = list(days)
        missing = [day for day in wanted if day not in self.present_days]
        return f"{len(missing)} of {spell_count(len(wanted), 'day')} missing: {spell_days(missing)}" if missing else ""


def settled_from(lake: Lake, catalog: Catalog, monitor: Monitor) -> date | None:
    """The first day whose rows mean what those of later days mean; None for the table's first day.

    A feature that counts 90 days grows until the history is 90 days long. Taken into a baseline, that growth would be
    drift on every day after it.
    """
    if monitor.stage == "interim":
        return None
    views = {view.name: view for view in catalog.feature_views}
    view = catalog.model(monitor.name).view if monitor.stage == "predictions" else views[monitor.name]
    first = Inputs(lake=lake, catalog=catalog, view=view).first_day()
    return first + view.lookback - ONE_DAY if first else None
