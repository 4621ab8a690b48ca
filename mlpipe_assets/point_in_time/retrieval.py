"""Features as they were known then: for each row of a spine the latest feature row with `as_of` at or before its time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from mlpipe_assets.catalog.asked import Asked, as_of_name, expect_names_apart, parse_features
from mlpipe_assets.catalog.declarations import Catalog, FeatureView
from mlpipe_assets.point_in_time.as_of_join import Places, find_places, gather
from mlpipe_assets.point_in_time.history import History, ends_of, newest_days, oldest_days
from mlpipe_assets.point_in_time.spine import read_spine, spine_keys, spine_times
from mlpipe_assets.point_in_time.statuses import is_too_old, status_expr
from mlpipe_assets.rules import columns
from mlpipe_assets.store.lake import Lake


@dataclass(frozen=True, kw_only=True)
class Wording:
    """What the spine says, and what an answer has beside features.

    Attributes:
        event_time: The column of the spine with the time of each row.
        time_zone: The zone of times without one, and of dates; None refuses them.
        statuses: Whether each feature has a column with its status.
        as_of: Whether each view has a column with the `as_of` of the row that was used.
        full_names: Whether a feature is called `view__feature`.
    """

    event_time: str = "event_timestamp"
    time_zone: str | None = None
    statuses: bool = False
    as_of: bool = True
    full_names: bool = False


class Retrieval:
    """Features for the rows of a spine: the request is checked at once, rows are looked up view by view.

    Every row of the spine is there once, in order. A row older than its view's ttl counts as none.

    Attributes:
        spine: The rows as they came.
        views: The views that are asked.
        notes: What is not as the answer suggests, such as days that are missing; complete once all rows were looked up.
    """

    def __init__(self, lake: Lake, catalog: Catalog, features: Sequence[str], spine: object, wording: Wording) -> None:
        """Check all of a request.

        Raises: RetrievalError for a request that has no answer; MissingPartitionError for a view without a partition.
        """
        self._wording = wording
        self._asked = parse_features(catalog, features, full_names=wording.full_names)
        self.views = list({asked.view.name: asked.view for asked in self._asked}.values())
        self.spine = read_spine(spine, wording.event_time)
        self._times = spine_times(self.spine, wording.event_time, wording.time_zone)
        self._keys = {view.name: self._keys_of(view) for view in self.views}
        expect_names_apart(self._asked, self.spine.columns, self._further())
        self._histories = {view.name: History(lake=lake, catalog=catalog, view=view) for view in self.views}
        self.notes: list[str] = []

    @property
    def names(self) -> list[str]:
        """The columns of the answer, in order: the spine's, features as asked for, `as_of` of views, statuses."""
        return [*self.spine.columns, *(asked.name for asked in self._asked), *self._further()]

    @property
    def features(self) -> int:
        """How many features are asked for."""
        return len(self._asked)

    @property
    def as_of_names(self) -> list[str]:
        """The columns with the `as_of` of each view's row."""
        return [as_of_name(view) for view in self.views] if self._wording.as_of else []

    def frame(self) -> pl.DataFrame:
        """All of the answer at once."""
        return pl.concat([self.spine, *self.parts(len(self._asked))], how="horizontal").select(self.names)

    def parts(self, width: int) -> Iterator[pl.DataFrame]:
        """The added columns, up to `width` features of one view at once, one row a row of the spine."""
        self.notes.clear()
        for view in self.views:
            history = self._histories[view.name]
            newest = newest_days(self._times)
            oldest = oldest_days(self._times, view.ttl) if view.ttl and not self._wording.statuses else None
            found = find_places(history.partitions, self._keys[view.name], newest, oldest)
            ends = ends_of(found)
            old = pl.DataFrame({"as_of": ends, "at": self._times}).select(
                is_too_old(pl.col("as_of"), pl.col("at"), view.ttl)
            )
            used = found.without(old.to_series().to_numpy()) if view.ttl else found
            self.notes += history.notes(newest, used)
            if self._wording.as_of:
                yield pl.DataFrame({as_of_name(view): ends_of(used)})
            asked = [one for one in self._asked if one.view is view]
            for first in range(0, len(asked), width):
                yield self._features(history, used, ends, asked[first : first + width])

    def _features(self, history: History, used: Places, ends: pl.Series, asked: Sequence[Asked]) -> pl.DataFrame:
        """Some features of one view, each with its status where these are asked for."""
        values = gather(history.partitions, used, [one.column.name for one in asked])
        values = values.rename({one.column.name: one.name for one in asked})
        if not self._wording.statuses:
            return values
        statuses = pl.DataFrame({"as_of": ends, "at": self._times}).select(
            status_expr(
                as_of=pl.col("as_of"),
                at=pl.col("at"),
                is_null=pl.lit(values[one.name].is_null()),
                ttl=one.view.ttl,
            ).alias(one.status)
            for one in asked
        )
        return values.hstack(statuses)

    def _keys_of(self, view: FeatureView) -> pl.DataFrame:
        keys = {column.name: column for column in columns(view.contract)}
        return spine_keys(self.spine, [keys[name] for name in view.entity.join_keys], view.name)

    def _further(self) -> dict[str, str]:
        """The columns beside features, with what each is."""
        found = {name: f"the as_of of {view.name}" for name, view in zip(self.as_of_names, self.views, strict=False)}
        if self._wording.statuses:
            found |= {one.status: f"the status of {one.view.name}:{one.column.name}" for one in self._asked}
        return found
