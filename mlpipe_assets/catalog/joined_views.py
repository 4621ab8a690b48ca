"""Views whose rows have features of other views beside their own: which ones, and what is wrong with the declaration."""

from collections.abc import Iterator, Sequence

from mlpipe_assets.catalog.asked import Asked, RetrievalError, parse_features
from mlpipe_assets.catalog.columns import columns_of
from mlpipe_assets.catalog.declarations import Catalog, FeatureView


def features_joined(catalog: Catalog, view: FeatureView) -> list[Asked]:
    """The features of other views that a view takes, in order; none for most.

    Raises: RetrievalError for one that is not there.
    """
    return parse_features(catalog, view.joins) if view.joins else []


def views_joined(catalog: Catalog, view: FeatureView) -> list[FeatureView]:
    """The other views that a view takes features of, each once."""
    return list({one.view.name: one.view for one in features_joined(catalog, view)}.values())


def broken_joins(catalog: Catalog, view: FeatureView) -> Iterator[str]:
    """Why a view cannot take the features that it says it takes."""
    if not view.joins:
        return
    if view.is_declared:
        yield "joins take a view written in SQL, whose rows say whom to join to; leave aggregates and attributes to the views joined"
        return
    try:
        asked = features_joined(catalog, view)
    except RetrievalError as error:
        yield f"joins: {error}"
        return
    before = {other.name for other in catalog.feature_views[: catalog.feature_views.index(view)]}
    if late := next((one.view.name for one in asked if one.view.name not in before), None):
        yield f"joins: {late} is not declared before it; put it before {view.name} in the catalog"
        return
    yield from _broken_features(view, asked)
    yield from _broken_keys(view, views_joined(catalog, view))
    if view.rows_of:
        yield from _broken_rows(view, asked)


def _broken_features(view: FeatureView, asked: Sequence[Asked]) -> Iterator[str]:
    promised = columns_of(view.contract)[0]
    names: dict[str, str] = {}
    for one in asked:
        of, found = f"{one.view.name}:{one.column.name}", promised.get(one.name)
        if one.name in names:
            yield f"joins: {of} and {names[one.name]} have the same name; take one of them"
        elif found is None:
            yield f"joins: {of} is no column of {view.contract.__name__}; add it, nullable, or do not take it"
        elif found != one.column.dtype:
            yield f"joins: {of} is {one.column.dtype}, and {found} in {view.contract.__name__}"
        names[one.name] = of


def _broken_rows(view: FeatureView, asked: Sequence[Asked]) -> Iterator[str]:
    """What the rows of another view cannot give: they have its join keys and as_of."""
    keys = view.entity.join_keys
    given = {*keys, "as_of", *(one.name for one in asked)}
    for name in columns_of(view.contract)[0]:
        if name not in given:
            need = [one.view.name for one in asked if name in one.view.entity.join_keys]
            why = f", by which {need[0]} is joined," if need else ""
            yield (
                f"{name!r} of {view.contract.__name__}{why} is neither a feature taken nor a join key of {view.rows_of} "
                f"({', '.join(keys)}), whose rows these are: write a spine that gives it"
            )


def _broken_keys(view: FeatureView, others: Sequence[FeatureView]) -> Iterator[str]:
    promised = columns_of(view.contract)[0]
    for other in others:
        types = columns_of(other.contract)[0]
        yield from (
            f"joins: {other.name} is joined by {key!r}, which is {promised.get(key, 'no column')} in {view.contract.__name__} and "
            f"{types.get(key)} there; let the SQL give it"
            for key in other.entity.join_keys
            if promised.get(key) != types.get(key)
        )
