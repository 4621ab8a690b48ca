"""The feature views of a catalog as people look for them: of whom, which features, how made, how new, who uses them."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from mlpipe_assets.catalog.asked import features_of
from mlpipe_assets.catalog.declarations import Catalog, FeatureView
from mlpipe_assets.catalog.versions import view_version
from mlpipe_assets.catalog.view_facts import (
    makings_of,
    models_using,
    reading_of,
    spell_late,
    spell_ttl,
    spell_use,
    views_joining,
)
from mlpipe_assets.errors import MlpipeError
from mlpipe_assets.freshness.rules import State
from mlpipe_assets.freshness.tables import judge_features
from mlpipe_assets.serving.snapshots.snapshot import Generation
from mlpipe_assets.stages.online.plan import store_of
from mlpipe_assets.store.lake import Lake


@dataclass(frozen=True, kw_only=True)
class ListedFeature:
    """One feature; what its contract does not say is empty.

    Attributes:
        function, of, window_days, where: How it is made.
        made: The same in words.
    """

    name: str
    type: str
    unit: str
    nullable: bool
    description: str
    function: str
    of: tuple[str, ...]
    window_days: int | None
    where: str | None
    made: str


@dataclass(frozen=True, kw_only=True)
class ListedOnline:
    """What answers online of a view, and whether it is of the version that is declared now."""

    snapshot: str
    as_of: str
    entities: int
    this_version: bool


@dataclass(frozen=True, kw_only=True)
class ListedView:
    """One feature view.

    Attributes:
        inputs: The tables it is made of: sources, and views whose features it takes.
        reading: What a row of a past day knows: `as known then`, or `as corrected since`.
        late, holds, used: What late rows do, how long a row counts, and who uses it, in words.
        days: How many partitions there are.
        newest: The newest of them; None where there is none.
        freshness: Whether the newest day that is due is there.
        late_since: When the first missing day was due; None when it is fresh.
        online: What is published of it; None for nothing.
        online_problem: Why that cannot be said.
    """

    view: str
    entity: str
    join_keys: tuple[str, ...]
    inputs: tuple[str, ...]
    description: str
    lookback_days: int
    reading: str
    late: str
    settle_hours: float | None
    ttl_hours: float | None
    holds: str
    days: int
    newest: date | None
    freshness: State
    late_since: datetime | None
    fresh_within_hours: float
    version: str
    models: tuple[str, ...]
    joined_by: tuple[str, ...]
    used: str
    online: ListedOnline | None
    online_problem: str | None
    features: tuple[ListedFeature, ...]


def list_views(lake: Lake, catalog: Catalog, now: datetime | None = None) -> list[ListedView]:
    """Every view of the catalog, in its order."""
    published: Generation | None = None
    problem: str | None = None
    try:
        published = store_of(lake).line().present
    except MlpipeError as error:  # a server that does not answer hides no declaration
        problem = f"{error}"
    return [
        _listed(lake, catalog, view, published, problem, now or datetime.now(tz=UTC)) for view in catalog.feature_views
    ]


def _listed(
    lake: Lake, catalog: Catalog, view: FeatureView, published: Generation | None, problem: str | None, now: datetime
) -> ListedView:
    fresh, version = judge_features(view, lake, now), view_version(catalog, view)
    return ListedView(
        view=view.name,
        entity=view.entity.name,
        join_keys=view.entity.join_keys,
        inputs=_inputs(view),
        description=" ".join((view.contract.__doc__ or "").split()),
        lookback_days=view.lookback.days,
        reading=reading_of(catalog, view),
        late=spell_late(catalog, view),
        settle_hours=view.settle.total_seconds() / 3600 if view.is_as_known else None,
        ttl_hours=view.ttl.total_seconds() / 3600 if view.ttl else None,
        holds=spell_ttl(view),
        days=len(lake.days("features", view.name)),
        newest=fresh.newest,
        freshness=fresh.state,
        late_since=fresh.late_since,
        fresh_within_hours=view.fresh_within.total_seconds() / 3600,
        version=version,
        models=models_using(catalog, view),
        joined_by=views_joining(catalog, view),
        used=spell_use(catalog, view),
        online=_online(view, version, published),
        online_problem=problem,
        features=_features(catalog, view),
    )


def _inputs(view: FeatureView) -> tuple[str, ...]:
    joined = dict.fromkeys(name.partition(":")[0] for name in view.joins)
    return (*view.inputs, *joined)


def _features(catalog: Catalog, view: FeatureView) -> tuple[ListedFeature, ...]:
    made = makings_of(catalog, view)
    return tuple(
        ListedFeature(
            name=column.name,
            type=f"{column.dtype}",
            unit=str(column.metadata.get("unit", "")),
            nullable=column.nullable,
            description=column.description or "",
            function=made[column.name].function,
            of=made[column.name].of,
            window_days=made[column.name].days,
            where=made[column.name].where,
            made=f"{made[column.name]}",
        )
        for column in features_of(view)
    )


def _online(view: FeatureView, version: str, published: Generation | None) -> ListedOnline | None:
    if published is None or (found := published.views.get(view.name)) is None:
        return None
    return ListedOnline(
        snapshot=published.id, as_of=found.as_of, entities=found.rows, this_version=found.version == version
    )
