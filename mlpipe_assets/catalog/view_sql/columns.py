"""The columns that a declared view gives: name, types that fit, and when a value is null."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from mlpipe_assets.catalog.aggregates import Aggregate, From
from mlpipe_assets.catalog.declarations import Catalog, FeatureView
from mlpipe_assets.rules import Column, columns

_WHOLE = (pl.Int64(),)
_FLOAT = (pl.Float64(),)
_UTC_TIME = pl.Datetime("us", "UTC")


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One column of a declared view.

    Attributes:
        dtypes: Types its contract may promise, the first of them by default.
        what: What gives it, as an error names it.
        null_when: When its value is null; empty where it never is.
        description: In plain words, for a contract.
        least: The least value it can have, where there is one.
        unique: Whether a value comes once a day.
    """

    name: str
    dtypes: tuple[pl.DataType, ...]
    what: str
    null_when: str = ""
    description: str = ""
    least: int | None = None
    unique: bool = False


def features_of(catalog: Catalog, view: FeatureView) -> list[Feature]:
    """Every column of a declared view, in the order its SQL gives them."""
    given = {column.name: column for column in columns(catalog.source(view.source).contract)}
    keys = view.entity.join_keys
    found = [
        Feature(name=key, dtypes=(given[key].dtype,), what="the join key", description="Who.", unique=len(keys) == 1)
        for key in keys
    ]
    found.append(
        Feature(name="as_of", dtypes=(_UTC_TIME,), what="every view", description="End of the day, exclusive.")
    )
    for one in view.aggregates:
        found += _aggregated(view, one, given.get(one.column or ""))
    for attribute in view.attributes:
        found += _taken(view, attribute, {c.name: c for c in columns(catalog.source(attribute.source).contract)})
    return found


def _aggregated(view: FeatureView, one: Aggregate, column: Column | None) -> Iterator[Feature]:
    dtypes = _types(one, column)
    of = f" of {one.column}" if one.column else f" of rows of {view.source}"
    where = f", where {one.where}" if one.where else ""
    for name, window in one.features.items():
        yield Feature(
            name=name,
            dtypes=dtypes,
            what=f"{one.function} of {column.dtype if column else 'rows'}",
            null_when=_null_when(view, one, column, window),
            description=f"{one.function}{of} in {window or view.lookback.days} days{where}.",
            least=0 if one.function in ("count", "count_distinct", "days_since_last", "stddev") else None,
        )


def _types(one: Aggregate, column: Column | None) -> tuple[pl.DataType, ...]:
    if one.function in ("count", "count_distinct", "days_since_last") or column is None:
        return _WHOLE
    if one.function in ("mean", "stddev"):
        return _FLOAT
    dtype = column.dtype
    if one.function == "sum":
        if isinstance(dtype, pl.Decimal):
            return (pl.Float64(), pl.Decimal(38, dtype.scale))
        return _FLOAT if dtype.is_float() else (pl.Int64(), pl.Float64())
    return (dtype, pl.Float64()) if isinstance(dtype, pl.Decimal) else (dtype,)


def _null_when(view: FeatureView, one: Aggregate, column: Column | None, window: int | None) -> str:
    if one.function in ("count", "count_distinct", "sum"):
        return ""
    reasons: list[str] = []
    if one.function == "stddev":
        reasons.append("fewer than two values")
    if window is not None and window < view.lookback.days:
        reasons.append(f"no row in {window} of the {view.lookback.days} days")
    if one.where:
        reasons.append("no row where the condition holds")
    if column is not None and column.nullable:
        reasons.append(f"no row with {one.column}")
    return ", ".join(reasons)


def _taken(view: FeatureView, one: From, given: dict[str, Column]) -> Iterator[Feature]:
    since = dict(one.days_since)
    for name, column in one.features.items():
        yield Feature(
            name=name,
            dtypes=_WHOLE if name in since else (given[column].dtype,),
            what=f"{one.source}.{column}",
            null_when=f"{one.source} may not know the {view.entity.name}",
            description=f"Days since {column} of {one.source}." if name in since else f"{column} of {one.source}.",
        )


def spell_column(feature: Feature) -> str:
    """The line of a contract that promises a column."""
    given = {"unique": "True"} if feature.unique else {}
    if feature.least is not None:
        given["ge"] = f"{feature.least}"
    if feature.null_when:
        given["nullable"] = "True"
    if feature.description:
        given["description"] = '"' + feature.description.replace("\\", "\\\\").replace('"', "'") + '"'
    options = ", ".join(f"{name}={value}" for name, value in given.items())
    return f"{feature.name}: {_spell(feature.dtypes[0])} = pa.Field({options})"


def _spell(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.Decimal):
        return f"Annotated[pl.Decimal, {dtype.precision}, {dtype.scale}]"
    if isinstance(dtype, pl.Datetime):
        zone = f'"{dtype.time_zone}"' if dtype.time_zone else "None"
        return f'Annotated[pl.Datetime, "{dtype.time_unit}", {zone}]'
    plain: dict[object, str] = {pl.String: "str", pl.Float64: "float", pl.Boolean: "bool", pl.Date: "date"}
    kind = dtype if isinstance(dtype, type) else type(dtype)
    return plain.get(kind, f"pl.{kind.__name__}")


def write_contract(catalog: Catalog, view: FeatureView) -> str:
    """The module of a contract that promises what a view declares, to be read and made stricter."""
    features, keys = features_of(catalog, view), view.entity.join_keys
    own = view.contract.__name__
    name = own if own != "DataFrameModel" else "".join(word.title() for word in view.name.split("_"))
    lines = [f"    {spell_column(one)}" for one in features]
    told = f"What was known of each {view.entity.name} seen in the last {view.lookback.days} days, at the end of a day."
    days = any(": date = " in line for line in lines)
    config = ["        strict = True"]
    if len(keys) > 1:
        config.append(f"        unique = [{', '.join(map(repr, keys))}]".replace("'", '"'))
    return "\n".join(
        [
            f'"""The contract of {view.name.replace("_", " ")}."""',
            "",
            *(["from datetime import date"] if days else []),
            "from typing import Annotated",
            "",
            "import pandera.polars as pa",
            "import polars as pl",
            "",
            "",
            f"class {name}(pa.DataFrameModel):",
            f'    """{told} Grain: {", ".join(keys)}."""',
            "",
            *lines,
            "",
            "    class Config:",
            *config,
            "",
        ]
    )
