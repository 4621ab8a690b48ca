"""Features of other views beside the rows of a view: the newest that a row can know, by each view's own join keys."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cached_property
from pathlib import Path

import polars as pl

from mlpipe_assets.catalog.asked import Asked
from mlpipe_assets.catalog.declarations import Catalog, FeatureView
from mlpipe_assets.catalog.joined_views import features_joined, views_joined
from mlpipe_assets.catalog.versions import view_version
from mlpipe_assets.partitions import ONE_DAY, START_DATE
from mlpipe_assets.rules import columns
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.table_state import TableState


@dataclass(kw_only=True)
class Joins:
    """The views that a view takes features of, as they were at the first look."""

    lake: Lake
    catalog: Catalog
    view: FeatureView

    @cached_property
    def views(self) -> list[tuple[FeatureView, TableState]]:
        """Each view with its table."""
        found = views_joined(self.catalog, self.view)
        return [(view, self.lake.state("features", view.name)) for view in found]

    @cached_property
    def features(self) -> list[Asked]:
        """The features, in the order declared."""
        return features_joined(self.catalog, self.view)

    def rows(self, start: date, end: date) -> list[Path]:
        """The partitions of the view whose rows these are, of a range of days."""
        state = next(state for view, state in self.views if view.name == self.view.rows_of)
        return state.files(day for day in state.days() if start <= day <= end)

    def day_joined(self, day: date) -> date:
        """The day whose features rows of a day take: that day's at its end, those of the day before at any moment within it."""
        return day - ONE_DAY if self.view.moments else day

    def obstacles(self, day: date) -> Iterator[str]:
        """Why features of a day cannot be joined."""
        joined = self.day_joined(day)
        if joined < START_DATE:  # nobody is described by then
            return
        for view, state in self.views:
            table, facts = f"features/{view.name}", state.facts(joined)
            if facts is None and not any(one <= joined for one in state.days()) and self.view.moments:
                continue  # its rows begin later
            if facts is None:
                yield f"{table} has no {joined}"
            elif joined in state.refused:
                yield f"{table} [{joined}] failed: {state.refused[joined].get('problem')}"
            elif facts.get("code_version") != view_version(self.catalog, view):
                yield f"{table} [{joined}] was made by another version than today's"

    def fingerprints(self, day: date) -> list[list[object]]:
        """What a day's features are made of."""
        joined = self.day_joined(day)
        return [[view.name, (state.facts(joined) or {}).get("fingerprint")] for view, state in self.views]

    def find_misplaced(self, rows: pl.DataFrame, day: date) -> str | None:
        """Why rows of a day must not have its features: they are of an earlier moment, and would know what came after it."""
        if not self.views or self.view.moments or "as_of" not in rows.columns:
            return None
        end = datetime.combine(day + ONE_DAY, time(), UTC)
        early = rows.filter(pl.col("as_of").dt.replace_time_zone(None).ne_missing(end.replace(tzinfo=None)))
        if early.is_empty():
            return None
        example = early["as_of"][0]
        return (
            f"{early.height:,} of {rows.height:,} rows are not as of {end:%Y-%m-%d %H:%M} UTC, the end of the day (e.g. {example}): "
            f"{self.view.sql_name} must give cast(day + 1 as timestamp) as as_of, for the features joined are of that moment; "
            'the spine of a model may give moments with spine_at="any_time"'
        )

    def attach(self, rows: pl.DataFrame, day: date) -> pl.DataFrame:
        """The rows of a day with the newest features that they can know, null for a key that a view does not describe; as many rows."""
        joined = self.day_joined(day)
        for view, state in self.views:
            keys = list(view.entity.join_keys)
            names = [one.column.name for one in self.features if one.view.name == view.name]
            if state.has(joined):
                other = state.read(joined, [*keys, *names])
            else:
                other = pl.DataFrame(schema={c.name: c.dtype for c in columns(view.contract)}).select(*keys, *names)
            rows = rows.join(other, on=keys, how="left", maintain_order="left", validate="m:1")
        return rows
