"""A monitored table: its baseline, what a day's drift is made of, and the profiles it is measured from."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from mlpipe_assets.catalog.declarations import Catalog, Monitor
from mlpipe_assets.catalog.versions import source_version, view_version
from mlpipe_assets.contracts.sourced import Sourced
from mlpipe_assets.errors import spell_count
from mlpipe_assets.executors.executor import THREADS, Executor
from mlpipe_assets.monitoring.profiles import ProfileStore
from mlpipe_assets.monitoring.references import (
    ProfiledColumns,
    Reference,
    choose_columns,
    freeze,
    read_reference,
    write_reference,
)
from mlpipe_assets.monitoring.serving import Serving
from mlpipe_assets.monitoring.table_days import TableDays, settled_from, windows_of
from mlpipe_assets.partitions import ONE_DAY
from mlpipe_assets.rules import columns, digest
from mlpipe_assets.store.lake import Lake

_MEASURES = 6  # counted up when the same windows would be measured or told differently


@dataclass(kw_only=True)
class MonitoredTable:
    """A monitored table. It is read once, so one of these serves every day of a plan or a run."""

    lake: Lake
    catalog: Catalog
    monitor: Monitor
    executor: Executor = THREADS

    @cached_property
    def table(self) -> TableDays:
        """Its partitions."""
        return TableDays(lake=self.lake, stage=self.monitor.stage, name=self.monitor.name)

    @cached_property
    def profiled(self) -> ProfiledColumns:
        """Its columns; where a row came from is not watched."""
        return choose_columns(
            self.catalog.contract(self.monitor.table),
            leave_out=[c.name for c in columns(Sourced)],
            entity=entity_of(self.catalog, self.monitor),
            window=self.monitor.window,
        )

    @cached_property
    def code_version(self) -> str:
        """Digest of what decides how a day is measured; owners, cooldown and the like do not."""
        monitor = self.monitor
        declared = [
            monitor.table,
            monitor.window,
            monitor.baseline,
            sorted(monitor.weights),
            monitor.retrain_above,
            monitor.odd_days,
        ]
        labels = [sorted(w.labels.items()) for w in (self.profiled, self.serving and self.serving.profiled) if w]
        labels += [sorted(self.serving.named_slices.items())] if self.serving else []
        thresholds = sorted(self.profiled.thresholds.items())
        return digest([_MEASURES, declared, thresholds, self.profiled.digest, labels])[:16]

    @cached_property
    def origin(self) -> str:
        """Code version of the monitored table: what other code made is no baseline for it. Empty for predictions."""
        if self.monitor.stage == "interim":
            return source_version(self.catalog.source(self.monitor.name))
        if self.monitor.stage == "features":
            views = {view.name: view for view in self.catalog.feature_views}
            return view_version(self.catalog, views[self.monitor.name])
        return ""

    @cached_property
    def settled(self) -> date | None:
        """The first day that may stand in a baseline; None for any."""
        return settled_from(self.lake, self.catalog, self.monitor)

    @cached_property
    def candidates(self) -> list[date]:
        """Days that may stand in the baseline: settled, and made by the present code."""
        return [day for day in self.table.present if self._settled(day) and not self._foreign(day)]

    def _settled(self, day: date) -> bool:
        return self.settled is None or day >= self.settled

    def _foreign(self, day: date) -> bool:
        return bool(self.origin) and self.table.facts(day).get("code_version") != self.origin

    @cached_property
    def reference(self) -> Reference | None:
        """The frozen baseline; None when there is none, or it was of other columns or code."""
        found = read_reference(self.lake, self.monitor.folder)
        return found if found and (found.profiled, found.origin) == (self.profiled.digest, self.origin) else None

    def freeze_if_due(self, day: date) -> None:
        """Freeze the baseline once the table has enough days up to a day."""
        if self.reference is not None:
            return
        first = [d for d in self.candidates if d <= day][: self.monitor.baseline.days]
        if len(first) == self.monitor.baseline.days:
            frozen = freeze(self.profiled, self.table.state.files(first), days=first, origin=self.origin)
            write_reference(self.lake, self.monitor.folder, frozen)
            self.reference = frozen

    def state(self, day: date) -> str:
        """Why nothing can be said of a day yet; empty when it can.

        It looks at nothing after the day: a day built late, among newer ones, comes out as it did in its time.
        """
        if self.reference and day >= self.reference.days[-1]:
            return ""
        held = [d for d in self.candidates if d <= day]
        wanted = self.monitor.baseline.days
        if self.reference is None and len(held) >= wanted:
            return "the baseline is to be frozen"
        return f"baseline not complete: {min(len(held), wanted)} of {spell_count(wanted, 'day')}{self._left_out(day)}"

    def _left_out(self, day: date) -> str:
        """Which days do not count towards the baseline, and why."""
        before = [d for d in self.table.present if d <= day]
        foreign = sum(1 for d in before if self._settled(d) and self._foreign(d))
        reasons = [f"counted from {self.settled} on, when its windows are full"] if self.settled else []
        reasons += [f"{foreign} made by other code left out"] if foreign else []
        return f" ({'; '.join(reasons)})" if reasons else ""

    def overlap(self, day: date) -> str:
        """Why a day cannot be held against the baseline yet, though there is one; empty when it can."""
        if self.reference is None:
            return ""
        free = self.reference.days[-1] + self.monitor.window
        return f"the window holds days of the baseline until {free - ONE_DAY}" if day < free else ""

    def inputs(self, day: date) -> str | None:
        """Digest of all that a day's drift is made of; None when the table has no such day."""
        if day not in self.table.present_days:
            return None
        made_of: list[object] = [self.code_version, f"{day}"]
        made_of += self.serving.inputs(day) if self.serving else []
        if state := self.state(day):
            return digest([*made_of, state])
        windows = windows_of(day, self.monitor.window)
        read = self.table.fingerprints([*windows.previous, *windows.current])
        return digest([*made_of, self.reference.version if self.reference else "", read])

    @cached_property
    def serving(self) -> Serving | None:
        """What there is to know of predictions beyond their own distribution; None for other tables."""
        if self.monitor.stage != "predictions":
            return None
        return Serving(
            lake=self.lake,
            catalog=self.catalog,
            model=self.catalog.model(self.monitor.name),
            monitor=self.monitor,
            predictions=self.table,
            executor=self.executor,
        )

    def store(self) -> ProfileStore | None:
        """The profiles of its days; None without a baseline."""
        return self.store_by(self.reference, self.monitor.folder) if self.reference else None

    def store_by(self, reference: Reference, name: str, table: TableDays | None = None) -> ProfileStore:
        """Profiles of a table's days by a reference."""
        days = table or self.table
        return ProfileStore(lake=self.lake, name=name, reference=reference, table=days, executor=self.executor)


def entity_of(catalog: Catalog, monitor: Monitor) -> tuple[str, ...]:
    """Columns that say which rows of a monitored table are of one thing; none where rows are events of their own."""
    if monitor.entity:
        return (monitor.entity,)
    if monitor.stage == "features":
        views = {view.name: view for view in catalog.feature_views}
        return views[monitor.name].entity.join_keys
    if monitor.stage == "predictions":
        return catalog.model(monitor.name).view.entity.join_keys
    source = catalog.source(monitor.name)
    return source.key if source.event_time is None else ()


def days_of_windows(monitor: Monitor, days: Iterable[date]) -> list[date]:
    """Every day that the windows of some days look at, in order."""
    found = {d for day in days for part in _both(monitor, day) for d in part}
    return sorted(found)


def _both(monitor: Monitor, day: date) -> tuple[list[date], list[date]]:
    windows = windows_of(day, monitor.window)
    return windows.previous, windows.current
