"""Features of other views beside the rows of a view: of the same day, by each view's own join keys."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cached_property

import polars as pl

from mlpipe_assets.catalog.asked import Asked
from mlpipe_assets.catalog.declarations import Catalog, FeatureView
from mlpipe_assets.catalog.joined_views import features_joined, views_joined
from mlpipe_assets.catalog.versions import view_version
from mlpipe_assets.partitions import ONE_DAY
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

    def obstacles(self, day: date) -> Iterator[str]:
        """Why features of a day cannot be joined."""
        for view, state in self.views:
            table, facts = f"features/{view.name}", state.facts(day)
            if facts is None:
                yield f"{table} has no {day}"
            elif day in state.refused:
                yield f"{table} [{day}] failed: {state.refused[day].get('problem')}"
            elif facts.get("code_version") != view_version(self.catalog, view):
                yield f"{table} [{day}] was made by another version than today's"

    def fingerprints(self, day: date) -> list[list[object]]:
        """What a day's features are made of."""
        return [[view.name, (state.facts(day) or {}).get("fingerprint")] for view, state in self.views]

    def find_misplaced(self, rows: pl.DataFrame, day: date) -> str | None:
        """Why rows of a day must not have its features: they are of an earlier moment, and would know what came after it."""
        if not self.views or "as_of" not in rows.columns:
            return None
        end = datetime.combine(day + ONE_DAY, time(), UTC)
        early = rows.filter(pl.col("as_of").dt.replace_time_zone(None).ne_missing(end.replace(tzinfo=None)))
        if early.is_empty():
            return None
        example = early["as_of"][0]
        return (
            f"{early.height:,} of {rows.height:,} rows are not as of {end:%Y-%m-%d %H:%M} UTC, the end of the day (e.g. {example}): "
            f"{self.view.sql_name} must give cast(day + 1 as timestamp) as as_of, for the features joined are of that moment"
        )

    def attach(self, rows: pl.DataFrame, day: date) -> pl.DataFrame:
        """The rows of a day with the features of that day, null for a key that a view does not describe; no row more or less."""
        for view, state in self.views:
            keys = list(view.entity.join_keys)
            names = [one.column.name for one in self.features if one.view.name == view.name]
            other = state.read(day, [*keys, *names])
            rows = rows.join(other, on=keys, how="left", maintain_order="left", validate="m:1")
        return rows
