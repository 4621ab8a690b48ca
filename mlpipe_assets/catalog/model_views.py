"""The view of a model that names features of several views: its spine with those features, a table as any other view's."""

from dataclasses import replace
from functools import cache
from typing import Any, TypeVar

import pandera.polars as pa
from pandera.api.polars.container import DataFrameSchema

from mlpipe_assets.catalog.asked import RetrievalError, parse_features
from mlpipe_assets.catalog.columns import columns_of
from mlpipe_assets.catalog.declarations import Catalog, FeatureView, Model
from mlpipe_assets.catalog.places import Declared
from mlpipe_assets.rules import columns

_Item = TypeVar("_Item", bound=Declared)


def with_views_of_models(catalog: Catalog) -> dict[str, tuple[Any, ...]]:
    """The models and the views of a catalog, where a model names features: each with the view made of them, and that view.

    What cannot be made is left as it is; `broken_features` says why.
    """
    given: tuple[Any, ...] = (catalog.models, catalog.feature_views)  # nothing is known of them yet
    if not all(isinstance(items, tuple) for items in given):
        return {}
    made: dict[str, FeatureView] = {}
    for model in given[0]:
        if isinstance(model, Model) and model.features and not broken_features(catalog, model):
            made[model.name] = _view_of(catalog, model)
    if not made:
        return {}
    names = {view.name for view in made.values()}
    kept = [view for view in given[1] if not isinstance(view, FeatureView) or view.name not in names]
    models = [_placed(replace(m, view=made[m.name]), m) if getattr(m, "name", None) in made else m for m in given[0]]
    return {"feature_views": (*kept, *made.values()), "models": tuple(models)}


def broken_features(catalog: Catalog, model: Model) -> list[str]:
    """Why no view can be made of the features and the spine of a model; none for a model that names its view."""
    view: FeatureView | None = model.view
    if not model.features and not model.spine:
        nothing = 'it learns from nothing: write view=..., or features=("a_view:*", "another:feature") and spine="processed/….sql"'
        return [nothing] if view is None else []
    if model.spine_at == "any_time" and not model.spine:
        return ['spine_at="any_time" takes a spine: SQL that gives the moments, as as_of']
    if view is not None and view.name != view_name(model):
        return ["it names a view, and features or a spine as well: leave one of them away"]
    if not isinstance(model.features, tuple) or not model.features:
        return ['a spine takes features, which are joined to its rows: write features=("a_view:*", "another:feature")']
    try:
        parse_features(catalog, model.features)
    except RetrievalError as error:
        return [f"features: {error}"]
    return [] if columns_of(model.contract)[0] else ["its contract cannot be read"]


def view_name(model: Model) -> str:
    """What the view of a model is called."""
    return f"{model.name}_features"


def _view_of(catalog: Catalog, model: Model) -> FeatureView:
    """The rows of the spine, or of the first view, with the features; it looks back as far as the view that looks furthest."""
    views = [asked.view for asked in parse_features(catalog, model.features)]
    view = FeatureView(
        name=view_name(model),
        entity=views[0].entity,
        inputs=model.inputs if model.spine else views[0].inputs,
        sql=model.spine,
        rows_of="" if model.spine else views[0].name,
        joins=model.features,
        contract=without_label(model.contract, model.label),
        lookback=max(view.lookback for view in views),
        moments=model.spine_at == "any_time",
        fresh_within=max(view.fresh_within for view in views),
        owners=model.owners,
    )
    return _placed(view, model)


def _placed(item: _Item, declared: Declared) -> _Item:
    """The same, declared where another is."""
    object.__setattr__(item, "_place", declared.place)
    object.__setattr__(item, "_file", f"{declared.file}")
    return item


@cache
def without_label(contract: type[pa.DataFrameModel], label: str) -> type[pa.DataFrameModel]:
    """The contract of a training set without what only training knows: one class for each contract, so that equal is the same."""
    training = {c.name for c in columns(contract) if c.metadata.get("environments") == ["training"]}

    def to_schema(_: type[pa.DataFrameModel]) -> DataFrameSchema:
        schema = contract.to_schema()
        return schema.remove_columns([name for name in schema.columns if name in training | {label}])

    parts = {"__doc__": contract.__doc__, "__module__": contract.__module__, "to_schema": classmethod(to_schema)}
    return type(f"{contract.__name__}Features", (pa.DataFrameModel,), parts)
