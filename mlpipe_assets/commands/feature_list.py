"""The feature views of a catalog as people look for them: of whom, which features, how old, how new, who uses them."""

from dataclasses import dataclass
from datetime import date, timedelta

from mlpipe_assets.catalog.asked import features_of
from mlpipe_assets.catalog.declarations import Catalog, FeatureView, Model
from mlpipe_assets.catalog.joined_views import views_joined
from mlpipe_assets.catalog.versions import view_version
from mlpipe_assets.errors import spell_count
from mlpipe_assets.store.lake import Lake

_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class ListedFeature:
    """One feature; what it is is empty where its contract does not say."""

    name: str
    type: str
    unit: str
    nullable: bool
    description: str


@dataclass(frozen=True, kw_only=True)
class ListedView:
    """One feature view.

    Attributes:
        reading: What a row of a past day knows: `as known then`, or `as corrected since`.
        days: How many partitions there are.
        newest: The newest of them; None where there is none.
    """

    view: str
    entity: str
    join_keys: tuple[str, ...]
    description: str
    lookback_days: int
    ttl: str | None
    reading: str
    days: int
    newest: date | None
    version: str
    models: tuple[str, ...]
    features: tuple[ListedFeature, ...]


def list_views(lake: Lake, catalog: Catalog) -> list[ListedView]:
    """Every view of the catalog, in its order."""
    return [_listed(lake, catalog, view) for view in catalog.feature_views]


def reading_of(view: FeatureView) -> str:
    """What rows of past days know: as it was known then, or with what was corrected since."""
    return "as known then" if view.is_as_known else "as corrected since"


def spell_ttl(ttl: timedelta) -> str:
    """How old a row may be, in whole days or hours where it is one."""
    if ttl % _DAY == timedelta(0):
        return spell_count(ttl // _DAY, "day")
    hours = timedelta(hours=1)
    return spell_count(ttl // hours, "hour") if ttl % hours == timedelta(0) else f"{ttl}"


def _views_of(catalog: Catalog, model: Model) -> set[str]:
    """The view that a model learns from, and those whose features that takes."""
    return {model.view.name, *(view.name for view in views_joined(catalog, model.view))}


def _listed(lake: Lake, catalog: Catalog, view: FeatureView) -> ListedView:
    days = lake.days("features", view.name)
    return ListedView(
        view=view.name,
        entity=view.entity.name,
        join_keys=view.entity.join_keys,
        description=" ".join((view.contract.__doc__ or "").split()),
        lookback_days=view.lookback.days,
        ttl=spell_ttl(view.ttl) if view.ttl else None,
        reading=reading_of(view),
        days=len(days),
        newest=days[-1] if days else None,
        version=view_version(catalog, view),
        models=tuple(model.name for model in catalog.models if view.name in _views_of(catalog, model)),
        features=tuple(
            ListedFeature(
                name=column.name,
                type=f"{column.dtype}",
                unit=str(column.metadata.get("unit", "")),
                nullable=column.nullable,
                description=column.description or "",
            )
            for column in features_of(view)
        ),
    )
