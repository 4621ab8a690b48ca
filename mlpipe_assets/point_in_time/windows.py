"""What a feature row may look at: the interim partitions of its window, and which of them are not there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path

import polars as pl

from mlpipe_assets.catalog.aggregates import versions_table
from mlpipe_assets.catalog.declarations import ROWS, Catalog, FeatureView, is_snapshot
from mlpipe_assets.catalog.versions import view_version
from mlpipe_assets.catalog.view_sql.totals import days_needed, held_schema
from mlpipe_assets.engines.engine import Slice
from mlpipe_assets.partitions import ONE_DAY, days_between, spell_days
from mlpipe_assets.point_in_time.joined import Joins
from mlpipe_assets.point_in_time.known_by import known_until, near_days
from mlpipe_assets.point_in_time.source_days import SourceDays
from mlpipe_assets.rules import digest
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.table_state import TableState

BEGUN_BEFORE_ALL = datetime(1, 1, 1, tzinfo=UTC)  # of a source all of whose files say when they were known


@dataclass(kw_only=True)
class Inputs:
    """The inputs of a feature view as they stand on disk."""

    lake: Lake
    catalog: Catalog
    view: FeatureView

    @cached_property
    def made(self) -> TableState:
        """The view's own table as it was at the first look."""
        return self.lake.state("features", self.view.name)

    @cached_property
    def sources(self) -> list[SourceDays]:
        """One per input, in the view's order."""
        return [SourceDays(lake=self.lake, source=self.catalog.source(name)) for name in self.view.inputs]

    @cached_property
    def joins(self) -> Joins:
        """The other views that it takes features of."""
        return Joins(lake=self.lake, catalog=self.catalog, view=self.view)

    def last_day(self) -> date | None:
        """The newest day rows came for."""
        ends = [s.arrived[-1] for s in self.sources if not is_snapshot(s.source) and s.arrived]
        return max(ends, default=None)

    def first_day(self) -> date | None:
        """The first day every event source has begun by, also those of views that it takes features of."""
        starts = [s.first for s in self.sources if not is_snapshot(s.source)]
        starts += [replace(self, view=view).first_day() for view, _ in self.joins.views]
        return max((s for s in starts if s), default=None) if all(starts) else None

    def strays(self) -> set[date]:
        """Days the view has a partition of, and whose rows have all been placed on other days since."""
        came = [s.came for s in self.sources if not is_snapshot(s.source)]
        there = set(self.made.days())
        if not all(came) or not came:
            return there if came else set()
        first, last = max(days[0] for days in came), max(days[-1] for days in came)
        return {day for day in there if not first <= day <= last}

    def find_obstacle(self, day: date) -> str | None:
        """Why a feature day cannot be built; None when its window is complete."""
        first = day - self.view.lookback + ONE_DAY
        problems: list[str] = []
        for s in self.sources:
            if is_snapshot(s.source):
                if self.snapshot_read(s, day) is None:
                    problems.append(f"no snapshot of interim/{s.source.name} at or before {day}")
                continue
            if s.first is None or day < s.first:
                problems.append(f"interim/{s.source.name} has no rows up to {day}")
                continue
            if holes := s.find_holes(first, day):
                refused = [h for h in holes if h in s.refused]
                missing = [h for h in holes if h not in s.refused]
                parts = [f"{spell_days(missing)} missing"] if missing else []
                parts += [f"{spell_days(refused)} refused"] if refused else []
                problems.append(f"its window over interim/{s.source.name} has holes: {', '.join(parts)}")
        problems += self.joins.obstacles(day)
        return "; ".join(problems) or None

    def snapshot_read(self, source: SourceDays, day: date) -> date | None:
        """The day of the snapshot in force for rows of a day; a moment within it knows that of the day before."""
        return source.snapshot_in_force(day - ONE_DAY if self.view.moments else day)

    def days_read(self, source: SourceDays, start: date, end: date, *, held: bool = False) -> list[date]:
        """Partitions of an input that features of a range may read: nothing later than `end`.

        With the totals of the day before `start` in hand, of the rows before that day only those that leave a window are
        read, and the windows of what cannot be subtracted.
        """
        if held and source.source.name == self.view.source:
            leaving, whole = days_needed(self.catalog, self.view)
            wanted = {*days_between(start - timedelta(days=max(whole - 1, 0)), end)}
            for n in leaving:
                wanted.update(days_between(start - timedelta(days=n), end - timedelta(days=n)))
            return sorted(source.present & wanted)
        if is_snapshot(source.source):
            base = self.snapshot_read(source, start) or start
            return sorted(d for d in source.present if base <= d <= end)
        first = start - self.view.lookback + ONE_DAY
        return sorted(d for d in source.present if first <= d <= end)

    def tables(self, start: date, end: date, held: Path | pl.DataFrame | None = None) -> dict[str, Slice]:
        """The tables the view's SQL reads for a range: each input's files, `days`, and `held` where a day keeps totals.

        `days` has a row for each day from `start` to `end`, and for each snapshot input a column `<input>_snapshot` with
        the day of the newest snapshot at or before it. A view of rows as they were known reads `versions_table(<input>)` too: versions
        that held for a time, from `known_at` to `known_until`.
        """
        if self.view.rows_of:
            return {ROWS: self.joins.rows(start, end)}
        wanted = days_between(start, end)
        days = {"day": pl.Series("day", wanted, dtype=pl.Date)}
        for s in self.sources:
            if is_snapshot(s.source):
                snapshots = [self.snapshot_read(s, day) for day in wanted]
                days[f"{s.source.name}_snapshot"] = pl.Series(snapshots, dtype=pl.Date)
        tables: dict[str, Slice] = {"days": pl.DataFrame(days), **self.totals(held)}
        for s in self.sources:
            tables |= self.tables_of(s, self.days_read(s, start, end, held=held is not None))
        return tables

    def tables_of(self, source: SourceDays, read: Sequence[date]) -> dict[str, Slice]:
        """The tables that the view's SQL reads of some days of one input."""
        name = source.source.name
        if not self.is_as_known(source):
            return {name: source.paths(read)}
        known = source.known_rows(read)
        rows = source.paths(known.whole) or known.others.clear().drop("known_until")
        return {name: rows, versions_table(name): known.others}

    def find_held(self, start: date) -> Path | None:
        """The totals of the day before `start`, if they rest on what that day rests on now."""
        before, made = start - ONE_DAY, self.made
        if not self.keeps_totals or not made.has(before, keys.TOTALS):
            return None
        facts = made.facts(before)
        if before in made.refused or not facts or facts["inputs"] != self.digest(before):
            return None
        return made.files([before], keys.TOTALS)[0]

    @property
    def keeps_totals(self) -> bool:
        """Whether a day of the view keeps totals for the next one."""
        return self.view.is_declared and bool(held_schema(self.catalog, self.view))

    def is_as_known(self, source: SourceDays) -> bool:
        """Whether rows of an input count as they were known at the end of a day, and not as they are known now.

        A snapshot is of the day on which it was known, so it is read as it was known in any case.
        """
        return self.view.is_as_known and not is_snapshot(source.source)

    def totals(self, held: Path | pl.DataFrame | None) -> dict[str, Slice]:
        """The table `held` of a view whose days keep totals: those of a file, these, or none."""
        schema = held_schema(self.catalog, self.view) if self.view.is_declared else {}
        if not schema:
            return {}
        return {"held": pl.DataFrame(schema=schema) if held is None else [held] if isinstance(held, Path) else held}

    def params(
        self, start: date, end: date, *, held: bool = False, keep_after: date | None = None
    ) -> dict[str, object]:
        """What the view's SQL binds for a range."""
        before = start - (ONE_DAY if held else self.view.lookback + ONE_DAY)
        bound: dict[str, object] = {"start": start, "end": end, "held": before, "keep": keep_after or end}
        for s in self.sources:
            if self.is_as_known(s):
                begun = s.known_by.begun or BEGUN_BEFORE_ALL
                bound["begun"] = max(
                    begun, known_until(self.view, start)
                )  # all of it counts from $start on, if not later
        return bound

    def rows(self, start: date, end: date, *, held: bool = False) -> int:
        """Rows the event inputs hold for a range."""
        return sum(s.rows(self.days_read(s, start, end, held=held)) for s in self.sources)

    def digest(self, day: date, before: Mapping[date, str] | None = None) -> str:
        """Digest of all a feature day is made of: the code and the partitions of its window.

        Args:
            day: The day.
            before: What the partitions of some days of the view's `source` were once, by their fingerprints; None takes all as
                they are.
        """
        read = [
            [s.source.name, self._read(s, day, (before or {}) if s.source.name == self.view.source else {})]
            for s in self.sources
        ]
        joined = self.joins.fingerprints(day)
        return digest([view_version(self.catalog, self.view), read, *([joined] if joined else [])])

    def _read(self, source: SourceDays, day: date, before: Mapping[date, str]) -> list[list[object]]:
        """What a feature day reads of an input, day by day, with a digest of each that changes when the feature day may."""
        read = self.days_read(source, day, day)
        if not self.is_as_known(source):
            return [[f"{d}", before.get(d) or source.fact(d, "fingerprint")] for d in read]
        moment = known_until(self.view, day)
        first = day - self.view.lookback + ONE_DAY
        near = near_days(first, day, source.source.dedupe_within)
        return [[f"{d}", known] for d in near if (known := source.known_by.digest(d, moment))]
