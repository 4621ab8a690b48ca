"""Whether each SQL file can be run over its inputs, and gives the columns that its contract promises."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl

from mlpipe_assets.catalog.aggregates import versions_table
from mlpipe_assets.catalog.columns import columns_of, read_sql_file
from mlpipe_assets.catalog.declarations import Catalog, FeatureView, Model, is_snapshot
from mlpipe_assets.catalog.joined_views import features_joined
from mlpipe_assets.catalog.validation.binding import Bound, Tables, bind, spell_type
from mlpipe_assets.catalog.view_sql.names import TOTAL
from mlpipe_assets.catalog.view_sql.totals import held_schema
from mlpipe_assets.rules import Contract, columns

_UTC_TIME = pl.Datetime("us", "UTC")
_A_DAY, _A_MOMENT = date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)


def broken_by_view(catalog: Catalog, view: FeatureView) -> Iterator[str]:
    """Why the SQL of a feature view cannot be run, or which columns it does not give as its contract says."""
    tables = tables_of_view(catalog, view)
    params = {"start": _A_DAY, "end": _A_DAY, "begun": _A_MOMENT}
    if "held" in tables:
        params |= {"held": _A_DAY, "keep": _A_DAY}
    if view.is_declared:
        bound = _without_totals(bind(Path(view.sql_name), catalog.view_sql(view), tables, params))
    else:
        bound = _bound(catalog, view.sql, tables, params)
    joined = {one.name for one in features_joined(catalog, view)}
    promised = {name: dtype for name, dtype in columns_of(view.contract)[0].items() if name not in joined}
    yield from _broken(view.sql_name, bound, view.contract, promised)


def _without_totals(bound: Bound) -> Bound:
    """What a declared view gives besides its totals."""
    if bound.columns is None:
        return bound
    return Bound(columns=tuple(one for one in bound.columns if not one[0].startswith(TOTAL)))


def broken_by_model(catalog: Catalog, model: Model) -> Iterator[str]:
    """The same of the SQL that makes a training set."""
    bound = _bound(catalog, model.sql, tables_of_model(catalog, model), {"horizon": model.horizon.days})
    places: dict[str, Collection[str]] = {c.name: c.metadata.get("environments", ()) for c in columns(model.contract)}
    promised = {n: t for n, t in columns_of(model.contract)[0].items() if not places[n] or "training" in places[n]}
    yield from _broken(model.sql, bound, model.contract, promised)


def broken_by_slices(catalog: Catalog, model: Model, path: str) -> Iterator[str]:
    """Why the SQL of a model's slices cannot be run, or cannot be joined to its rows; every other column is a slice."""
    bound = _bound(catalog, path, tables_of_model(catalog, model), {})
    if bound.problem:
        yield f"the SQL cannot be run, {bound.problem}"
    if bound.columns is None:
        return
    given, described = dict(bound.columns), columns_of(model.view.contract)[0]
    for name, dtype in {**{key: described[key] for key in model.view.entity.join_keys}, "as_of": _UTC_TIME}.items():
        if name not in given:
            yield f"{path} gives no column {name!r}, which its slices are joined by"
        elif (found := given[name]) not in (None, dtype):
            yield _other_type(path, name, found, f"{model.view.contract.__name__} says", dtype)


def tables_of_view(catalog: Catalog, view: FeatureView) -> Tables:
    """Columns of the tables that the SQL of a feature view may read."""
    days = {f"{name}_snapshot": pl.Date() for name in view.inputs if is_snapshot(catalog.source(name))}
    tables = {"days": {"day": pl.Date(), **days}, **_inputs(catalog, view.inputs)}
    held = held_schema(catalog, view) if view.is_declared else {}
    if held:
        tables["held"] = held
    if view.is_as_known:
        tables[versions_table(view.source)] = {**tables[view.source], "known_until": _UTC_TIME}
    return tables


def tables_of_model(catalog: Catalog, model: Model) -> Tables:
    """Columns of the tables that the SQL of a training set may read."""
    features = {**columns_of(model.view.contract)[0], "date": pl.Date()}
    return {"features": features, **_inputs(catalog, model.inputs)}


def _inputs(catalog: Catalog, names: Sequence[str]) -> Tables:
    """Columns of clean tables: those of their contracts, and the day of the partition."""
    return {name: {**columns_of(catalog.source(name).contract)[0], "date": pl.Date()} for name in names}


def _bound(catalog: Catalog, path: str, tables: Tables, params: Mapping[str, date | int]) -> Bound:
    return bind(catalog.sql_dir / path, read_sql_file(catalog.sql_dir / path), tables, params)


def _broken(path: str, bound: Bound, contract: Contract, promised: Mapping[str, pl.DataType]) -> Iterator[str]:
    if bound.problem:
        yield f"the SQL cannot be run, {bound.problem}"
    if bound.columns is None:
        return
    given, names = dict(bound.columns), [name for name, _ in bound.columns]
    yield from (f"{path} gives a column {name!r} twice" for name in given if names.count(name) > 1)
    yield from (f"{path} gives no column {name!r} of {contract.__name__}" for name in promised if name not in given)
    yield from (
        f"{path} gives a column {name!r} that {contract.__name__} does not have"
        for name in given
        if name not in promised
    )
    for name, dtype in promised.items():
        if (found := given.get(name)) not in (None, dtype):
            yield _other_type(path, name, found, f"{contract.__name__} says", dtype)


def _other_type(path: str, name: str, found: pl.DataType | None, who: str, dtype: pl.DataType) -> str:
    kind = spell_type(dtype)
    cast = f": write cast(... as {kind.lower()}) as {name}" if kind else ""
    return f"{path} gives {name!r} as {found}, and {who} {dtype}{cast}"
