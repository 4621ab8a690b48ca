"""What is wrong with a catalog, all of it at once: names, types, bounds, columns and SQL, before anything runs."""

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from mlpipe_assets.catalog.columns import columns_of, sql_problems
from mlpipe_assets.catalog.declarations import Catalog, FeatureView, Model, Monitor, Source
from mlpipe_assets.catalog.joined_views import broken_joins
from mlpipe_assets.catalog.learners import Learner
from mlpipe_assets.catalog.model_views import broken_features
from mlpipe_assets.catalog.nearest import absent
from mlpipe_assets.catalog.sql_words import RESERVED
from mlpipe_assets.catalog.validation import shapes
from mlpipe_assets.catalog.validation.declared_views import broken_declaration, wrong_way
from mlpipe_assets.catalog.validation.promised_columns import unkept
from mlpipe_assets.catalog.validation.promises import broken_by_model, broken_by_slices, broken_by_view
from mlpipe_assets.catalog.validation.sources import broken_source
from mlpipe_assets.catalog.validation.tasks import prediction_columns, task_problems

_Item = Source | FeatureView | Model | Monitor
_ANSWER = ("as_of", "model_version", "feature_version")
_KINDS = {"sources": Source, "feature_views": FeatureView, "models": Model, "monitors": Monitor}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_OWN_TABLES = ("days", "features", "held", "raw_events")


def problems_of(catalog: Catalog) -> list[str]:
    """Every reason why a catalog cannot be run, each with the place of its declaration; empty when there is none."""
    shape = [line for name, kind in _KINDS.items() for line in _not_a_tuple_of(catalog, name, kind)]
    folder = getattr(catalog, "sql_dir", None)
    if not isinstance(folder, Path):
        shape.append(f"{catalog.place}: Catalog.sql_dir={folder!r} is no Path: write Path(__file__).parent / ...")
    if shape:
        return shape
    found: list[str] = []
    items: list[_Item] = [*catalog.sources, *catalog.feature_views, *catalog.models, *catalog.monitors]
    for item in items:
        shaped = shapes.problems(item)
        wrong = [line for lines in shaped.values() for line in lines]
        if "name" not in shaped:
            wrong += _names(item)
        if isinstance(item, FeatureView) and "entity" not in shaped and not _NAME.fullmatch(item.entity.name):
            wrong.append(f"the entity's name {item.entity.name!r} must be of a-z, 0-9 and _ and begin with a letter")
        found += [_placed(item, line) for line in (*wrong, *_looked_up(catalog, item, shaped.keys()))]
    return [*found, *_twice(catalog)]


def _placed(item: Source | FeatureView | Model | Monitor, line: str) -> str:
    what = {Source: "source", FeatureView: "feature view", Model: "model", Monitor: "monitor"}[type(item)]
    name = item.table if isinstance(item, Monitor) else item.name
    return f"{item.place}: {what} {name!r}: {line}"


def _not_a_tuple_of(catalog: Catalog, name: str, kind: type) -> list[str]:
    given: Any = getattr(catalog, name)
    if not isinstance(given, tuple):
        comma = ". Is a comma missing in the parentheses?" if isinstance(given, kind) else ""
        return [f"{catalog.place}: Catalog.{name} is a {type(given).__name__}, not a tuple{comma}"]
    return [
        f"{catalog.place}: Catalog.{name} holds a {type(item).__name__}, not only {kind.__name__}"
        for item in given
        if not isinstance(item, kind)
    ]


def _names(item: _Item) -> Iterator[str]:
    if isinstance(item, Monitor):
        return
    if not _NAME.fullmatch(item.name):
        yield "the name must be of a-z, 0-9 and _, begin with a letter and have at most 63: it is a folder and a table in SQL"
    elif isinstance(item, Source) and item.name in RESERVED:  # a feature view's SQL says `from <source>`
        yield "the name is a reserved word of SQL; choose another, such as its plural"
    elif isinstance(item, Source) and item.name in _OWN_TABLES:
        yield "a table of ours has that name in SQL; choose another"


def _twice(catalog: Catalog) -> Iterator[str]:
    """Two declarations that would share a folder, a table or an asset."""
    groups: tuple[Sequence[_Item], ...] = (
        (*catalog.sources, *catalog.feature_views),
        catalog.models,
        catalog.monitors,
    )
    for several in groups:
        first: dict[str, _Item] = {}
        for item in several:
            if item.name in first:
                yield f"{item.place}: {item.name!r} is declared twice, first at {first[item.name].place}"
            first.setdefault(item.name, item)


def _looked_up(catalog: Catalog, item: _Item, bad: Collection[str]) -> Iterator[str]:
    """What the good fields of a declaration point at and is not there; `bad` names the fields that cannot be followed."""
    match item:
        case Source():
            yield from broken_source(item, bad)
        case FeatureView():
            yield from _view(catalog, item, bad)
        case Model():
            yield from broken_features(catalog, item) or _model(catalog, item, bad)
        case Monitor():
            yield from _monitor(catalog, item, bad)


def _view(catalog: Catalog, view: FeatureView, bad: Collection[str]) -> Iterator[str]:
    if {"source", "aggregates", "attributes", "inputs", "sql", "lookback", "scope"} & {*bad}:
        return
    if view.moments is True and not view.joins:
        yield 'moments are for the spine of a model: declare Model(features=…, spine=…, spine_at="any_time")'
    if wrong := [*wrong_way(view)]:
        yield from wrong
        return
    if not (view.is_declared or view.rows_of):
        yield from (*_inputs(catalog, view), *sql_problems(catalog.sql_dir, view.sql))
    if "entity" in bad:
        return
    if "contract" not in bad:
        yield from _promised("contract", view.contract, ("as_of", *view.entity.join_keys))
        yield from _unkept(view.contract)
    if not {"name", "contract", "joins"} & {*bad} and columns_of(view.contract)[0]:
        yield from _given(catalog, view)
    if not view.is_declared:
        yield from _keys_of_inputs(catalog, view)


def _given(catalog: Catalog, view: FeatureView) -> Iterator[str]:
    """Columns that a view does not give as its contract says, by SQL, aggregates or joins."""
    if wrong := [*broken_joins(catalog, view)]:
        yield from wrong
    elif view.is_declared:
        yield from broken_declaration(catalog, view)
    elif not view.rows_of and _can_be_bound(catalog, view, view.sql, view.contract):
        yield from broken_by_view(catalog, view)


def _keys_of_inputs(catalog: Catalog, view: FeatureView) -> Iterator[str]:
    read = [s for s in catalog.sources if s.name in view.inputs and _has_contract(s)]
    for key in view.entity.join_keys:
        if read and not any(key in columns_of(source.contract)[0] for source in read):
            names = ", ".join(s.name for s in read)
            yield f"join key {key!r} of entity {view.entity.name!r} ({view.entity.place}) is no column of its inputs ({names})"


def _model(catalog: Catalog, model: Model, bad: Collection[str]) -> Iterator[str]:
    if "inputs" not in bad:
        yield from _inputs(catalog, model)
    for path in {"sql": model.sql, "slices": model.slices}.items():
        if path[0] not in bad and path[1] is not None:
            yield from sql_problems(catalog.sql_dir, path[1])
    if not {"horizon", "embargo"} & {*bad} and model.embargo < model.horizon:
        yield (
            f"the embargo of {model.embargo.days} days is shorter than the horizon of {model.horizon.days}: labels of one split "
            f"would look into the next. Declare embargo=timedelta(days={model.horizon.days}) or more"
        )
    if "view" in bad or shapes.problems(model.view).keys() & {"name", "entity", "contract"}:
        return
    if model.view not in catalog.feature_views:
        yield f"view {model.view.name!r} ({model.view.place}) is not in the catalog"
    if not {"contract", "label"} & {*bad}:
        yield from _promised("contract", model.contract, ("as_of", *model.view.entity.join_keys, model.label))
        yield from _unkept(model.contract)
        yield from _label(model)
    yield from task_problems(model, bad)
    if "learner" not in bad and model.learner is not None:
        yield from _learning(model, model.learner, bad)
    if not {"inputs", "horizon"} & {*bad} and _has_keys(model.view):
        yield from _bound(catalog, model, bad)


def _bound(catalog: Catalog, model: Model, bad: Collection[str]) -> Iterator[str]:
    if not {"contract", "sql"} & {*bad} and _can_be_bound(catalog, model, model.sql, model.contract):
        yield from broken_by_model(catalog, model)
    if "slices" not in bad and model.slices and _can_be_bound(catalog, model, model.slices, model.view.contract):
        yield from broken_by_slices(catalog, model, model.slices)


def _label(model: Model) -> Iterator[str]:
    if model.label in columns_of(model.view.contract)[0]:
        yield f"label {model.label!r} is a column of {model.view.name} already; give it a name of its own"


def _unkept(contract: Any) -> Iterator[str]:  # noqa: ANN401 (a contract, or what was given as one)
    if columns_of(contract)[0]:
        yield from unkept(contract)


def _learning(model: Model, learner: Learner, bad: Collection[str]) -> Iterator[str]:
    if features := columns_of(model.view.contract)[0]:
        yield from _learner(learner, model.view, features)
    if model.predictions is None:
        yield "it has a learner, and no contract of its predictions (predictions=…)"
    elif "predictions" not in bad:
        wanted = (*model.view.entity.join_keys, *_ANSWER, *prediction_columns(model))
        yield from _promised("predictions", model.predictions, wanted)
        yield from _unkept(model.predictions)


def _learner(learner: Learner, view: FeatureView, features: dict[str, pl.DataType]) -> Iterator[str]:
    named = (*learner.numeric, *learner.categorical)
    yield from absent("learner", named, features, f" of {view.name}")
    yield from (f"learner takes {name!r} twice" for name in sorted({n for n in named if named.count(n) > 1}))
    yield from (
        f"learner takes {name!r} as a number, and it is {features[name]} in {view.name}"
        for name in learner.numeric
        if name in features and not (features[name].is_numeric() or features[name] == pl.Boolean)
    )
    if not named:
        yield "learner takes no column"
    if learner.recency is not None and learner.recency not in learner.numeric:
        yield f"learner's recency {learner.recency!r} is none of its numeric columns"


def _monitor(catalog: Catalog, monitor: Monitor, bad: Collection[str]) -> Iterator[str]:
    learned = [model for model in catalog.models if model.learner]
    contracts = {
        **{f"interim/{source.name}": source.contract for source in catalog.sources},
        **{f"features/{view.name}": view.contract for view in catalog.feature_views},
        **{f"predictions/{model.name}": model.predictions for model in learned},
    }
    if "table" not in bad and monitor.table not in contracts:
        yield f"there is no such table; there are {', '.join(sorted(contracts)) or 'none'}"
    elif "table" not in bad and "weights" not in bad and isinstance(contracts[monitor.table], type):
        yield from _promised("weights", contracts[monitor.table], [name for name, _ in monitor.weights])
        if monitor.entity and "entity" not in bad:
            yield from _promised("entity", contracts[monitor.table], [monitor.entity])
    names = {model.name for model in learned}
    if "retrains" not in bad:
        yield from (f"retrains: {name!r} is no model that learns" for name in monitor.retrains if name not in names)


def _inputs(catalog: Catalog, reader: FeatureView | Model) -> Iterator[str]:
    known = {source.name for source in catalog.sources if isinstance(source.name, str)}
    if not reader.inputs:
        yield "inputs is empty; name the sources its SQL reads"
    yield from (f"inputs names {name!r} twice" for name in known if reader.inputs.count(name) > 1)
    yield from (
        f"input {name!r} is no source; there are {', '.join(sorted(known)) or 'none'}"
        for name in reader.inputs
        if name not in known
    )


def _can_be_bound(catalog: Catalog, reader: FeatureView | Model, path: str, contract: Any) -> bool:  # noqa: ANN401 (what was given as one)
    """Whether all that a SQL file reads and promises can be read itself; what cannot is named already."""
    sources = {source.name: source for source in catalog.sources if "name" not in shapes.problems(source)}
    read = [sources.get(name) for name in reader.inputs]
    known = all(source is not None and _has_contract(source) and columns_of(source.contract)[0] for source in read)
    return known and bool(columns_of(contract)[0]) and not sql_problems(catalog.sql_dir, path)


def _has_contract(source: Source) -> bool:
    return "contract" not in shapes.problems(source)


def _promised(field: str, contract: Any, names: Sequence[str]) -> Iterator[str]:  # noqa: ANN401 (a contract, or what was given as one)
    """Columns a contract should have and lacks, or why it cannot be read at all."""
    dtypes, wrong = columns_of(contract)
    if wrong:
        yield wrong
    else:
        yield from absent(field, names, dtypes, f" of {contract.__name__}")


def _has_keys(view: FeatureView) -> bool:
    return {*view.entity.join_keys} <= {*columns_of(view.contract)[0]}
