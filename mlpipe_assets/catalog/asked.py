"""Which features are asked for: `view:feature` and `view:*`, and what their columns are called beside those of a spine."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mlpipe_assets.catalog.declarations import Catalog, FeatureView
from mlpipe_assets.catalog.nearest import nearest
from mlpipe_assets.errors import SettingsError, shorten
from mlpipe_assets.rules import Column, columns

ALL = "*"
BETWEEN = "__"  # customer_features__orders_30d, orders_30d__status, customer_features__as_of


class RetrievalError(SettingsError):
    """Features were asked for in a way that has no answer: the message says what to write instead."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One feature that is asked for, and the name of its column in the answer."""

    view: FeatureView
    column: Column
    name: str

    @property
    def status(self) -> str:
        """The name of the column with its status."""
        return f"{self.name}{BETWEEN}status"


def as_of_name(view: FeatureView) -> str:
    """The name of the column with the `as_of` of the row of a view that was used."""
    return f"{view.name}{BETWEEN}as_of"


def features_of(view: FeatureView) -> list[Column]:
    """The features of a view: the columns of its contract but the join keys and `as_of`."""
    return [column for column in columns(view.contract) if column.name not in {*view.entity.join_keys, "as_of"}]


def parse_features(catalog: Catalog, features: Sequence[str], *, full_names: bool = False) -> list[Asked]:
    """The features asked for, in order, each once.

    Args:
        catalog: What exists.
        features: Such as `customer_features:orders_30d`, or `customer_features:*` for all of a view.
        full_names: Whether a column is called `view__feature`.

    Raises: RetrievalError for what is not there, with the nearest that is.
    """
    if isinstance(features, str) or not features:
        raise RetrievalError(
            f"features={features!r} is no list of features: write ['{_example(catalog)}'], or with * for all of a view."
        )
    found: dict[tuple[str, str], Asked] = {}
    for text in features:
        view_name, colon, feature = text.partition(":") if isinstance(text, str) else ("", "", "")
        if not colon or not feature:
            raise RetrievalError(f"{text!r} is no feature: write view:feature, such as {_example(catalog)}.")
        view = _view(catalog, view_name)
        for column in _columns(view, feature):
            name = f"{view.name}{BETWEEN}{column.name}" if full_names else column.name
            found.setdefault((view.name, column.name), Asked(view=view, column=column, name=name))
    return list(found.values())


def expect_names_apart(asked: Sequence[Asked], spine: Iterable[str], further: Mapping[str, str]) -> None:
    """Make sure that no two columns of an answer have one name.

    Args:
        asked: The features.
        spine: The columns of the spine.
        further: What else is added, with what it is.

    Raises: RetrievalError with what to do.
    """
    what = dict.fromkeys(spine, "a column of the spine")
    for name, meaning in (*((a.name, f"a feature of {a.view.name}") for a in asked), *further.items()):
        if name in what:
            advice = "Rename the spine's column" if "spine" in what[name] else "Ask for one of them"
            longer = next((f"{a.view.name}{BETWEEN}{a.column.name}" for a in asked if a.name == name), None)
            if longer and longer != name:
                advice = f"With full_names=True, or --full-names, the feature is called {longer!r}; or {advice[0].lower()}{advice[1:]}"
            raise RetrievalError(f"{name!r} is {what[name]} and {meaning}. {advice}.")
        what[name] = meaning


def _view(catalog: Catalog, name: str) -> FeatureView:
    views = {view.name: view for view in catalog.feature_views}
    if name not in views:
        raise RetrievalError(
            f"There is no feature view {name!r}; there are {shorten([*views]) or 'none'}.{nearest(name, views)}"
        )
    if views[name].moments:
        raise RetrievalError(
            f"{name} has rows of moments, the spine of a model, which nobody joins by their key alone. Ask for the features that it takes, "
            f"such as {shorten([*views[name].joins], 2)}."
        )
    return views[name]


def _columns(view: FeatureView, feature: str) -> list[Column]:
    known = {column.name: column for column in features_of(view)}
    if feature == ALL:
        return [*known.values()]
    if feature in known:
        return [known[feature]]
    if feature in {*view.entity.join_keys, "as_of"}:
        raise RetrievalError(
            f"{view.name}:{feature} is no feature: {', '.join(view.entity.join_keys)} and as_of say of whom and when a row is. "
            f"Its features are {shorten([*known])}."
        )
    raise RetrievalError(
        f"{view.name} has no feature {feature!r}; it has {shorten([*known])}.{nearest(feature, known)}"
    )


def _example(catalog: Catalog) -> str:
    for view in catalog.feature_views:
        for column in features_of(view):
            return f"{view.name}:{column.name}"
    return "customer_features:orders_30d"
