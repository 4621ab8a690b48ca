"""A source with a column of every kind, and views of every function over it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

import pandera.polars as pa
import polars as pl
from hypothesis import strategies as st

from mlpipe_assets.catalog.aggregates import Aggregate
from mlpipe_assets.catalog.declarations import Catalog, Entity, FeatureView, Source
from mlpipe_assets.catalog.view_sql.columns import features_of
from mlpipe_assets.catalog.view_sql.totals import held_schema
from mlpipe_assets.contracts.sourced import Sourced
from mlpipe_assets.engines.engine import Slice
from mlpipe_assets.partitions import ONE_DAY, days_between
from mlpipe_assets.rules import columns

FIRST = date(2026, 1, 1)
LAST = FIRST + timedelta(days=13)


class Events(Sourced):
    """Rows of the tests. Grain: id."""

    who: str = pa.Field()
    shop: pl.Int64 = pa.Field()
    id: str = pa.Field()
    at: Annotated[pl.Datetime, "us", "UTC"] = pa.Field()
    whole: pl.Int64 = pa.Field(nullable=True)
    number: pl.Int32 = pa.Field()
    money: Annotated[pl.Decimal, 18, 2] = pa.Field(nullable=True)
    fine: Annotated[pl.Decimal, 18, 6] = pa.Field(nullable=True)
    wide: Annotated[pl.Decimal, 30, 4] = pa.Field(nullable=True)
    ratio: float = pa.Field(nullable=True)
    word: str = pa.Field(nullable=True)
    on: date = pa.Field(nullable=True)
    flag: bool = pa.Field(nullable=True)


events = Source(name="events", contract=Events, key=("id",), event_time="at")
OWN = [column for column in columns(Events) if column.name not in Sourced.to_schema().columns]
SCHEMA = {**{column.name: column.dtype for column in OWN}, "date": pl.Date()}
NUMBERS = ("whole", "number", "money", "fine", "wide", "ratio")
ORDER = ("at", "id")
EXACT = ("whole", "number", "money")  # of which a standard deviation is exact too


def contract_for(view: FeatureView, sources: tuple[Source, ...] = (events,)) -> type[pa.DataFrameModel]:
    """A contract that promises what a view declares."""
    catalog = object.__new__(Catalog)
    object.__setattr__(catalog, "sources", sources)
    promised = features_of(catalog, view)
    fields: dict[str, Any] = {one.name: pa.Field(nullable=bool(one.null_when)) for one in promised}
    kinds = {one.name: _annotation(one.dtypes[0]) for one in promised}
    config = type("Config", (), {"strict": True})
    return type("Promised", (pa.DataFrameModel,), {"__annotations__": kinds, "Config": config, **fields})


def _annotation(dtype: pl.DataType) -> Any:
    if isinstance(dtype, pl.Decimal):
        return Annotated[pl.Decimal, dtype.precision, dtype.scale]
    if isinstance(dtype, pl.Datetime):
        return Annotated[pl.Datetime, dtype.time_unit, dtype.time_zone]
    return dtype if isinstance(dtype, type) else type(dtype)


def view_of(*aggregates: Aggregate, keys: tuple[str, ...] = ("who",), **given: Any) -> FeatureView:
    """A view of these aggregates with a contract that fits."""
    given.setdefault("late", "correct")
    view = FeatureView(
        name="declared",
        entity=Entity(name="person", join_keys=keys),
        source="events",
        aggregates=aggregates,
        contract=pa.DataFrameModel,
        **given,
    )
    return replace(view, contract=contract_for(view))


def catalog_of(view: FeatureView) -> Catalog:
    """A catalog of one view."""
    return Catalog(sources=(events,), feature_views=(view,))


def every_function() -> list[Aggregate]:
    """Every function over every kind of column it takes, with windows, with and without a condition."""
    found = [
        Aggregate("count", name="rows", days=(1, 3)),
        Aggregate("count", name="big", where="whole > 2", days=(3,)),
        Aggregate("count", "word", name="words", days=(2, 5)),
        Aggregate("days_since_last", name="since"),
        Aggregate("days_since_last", "word", name="since_word", days=(3,)),
        Aggregate("days_since_last", name="since_big", where="whole > 2"),
    ]
    for column in NUMBERS:
        found += [
            Aggregate(function, column, name=f"{function}_{column}", days=(2, 5))
            for function in ("sum", "mean", "min", "max")
        ]
        found.append(Aggregate("sum", column, name=f"if_{column}", days=(3,), where="word = 'a' or flag"))
    found += [
        Aggregate("stddev", column, name=f"spread_{column}", days=(4,))
        for column in ("whole", "number", "money", "ratio")
    ]
    for column in ("money", "word", "on", "flag"):
        for function in ("first", "last", "min", "max"):
            found.append(Aggregate(function, column, name=f"{function}_of_{column}", days=(2,)))
        found.append(Aggregate("last", column, name=f"last_big_{column}", where="whole > 2"))
    for column in ("word", "number", "money", "on"):
        found.append(Aggregate("count_distinct", column, name=f"kinds_{column}", days=(2, 4)))
        found.append(Aggregate("count_distinct", column, name=f"big_kinds_{column}", where="whole > 2"))
    return found


def _maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


@st.composite
def rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A few rows of few people over two weeks, with nulls, empty and missing days."""
    cents = st.integers(-(10**9), 10**9)
    shape = st.fixed_dictionaries(
        {
            "who": st.sampled_from(["a|b", "a", "ä"]),
            "shop": st.sampled_from([1, -7]),
            "date": st.integers(0, 16).map(lambda n: FIRST - timedelta(days=3) + timedelta(days=n)),
            "second": st.integers(0, 86_399),
            "whole": _maybe(st.integers(-4, 9) | st.integers(-(10**12), 10**12)),
            "number": st.integers(-3, 3),
            "money": _maybe(cents.map(lambda n: Decimal(n) / 100)),
            "fine": _maybe(st.integers(-(10**16), 10**16).map(lambda n: Decimal(n).scaleb(-6))),
            "wide": _maybe(st.integers(-(10**29), 10**29).map(lambda n: Decimal(n).scaleb(-4))),
            "ratio": _maybe(st.floats(-1e6, 1e6, width=32)),
            "word": _maybe(st.sampled_from(["a", "b", "", "Z", "ö"])),
            "on": _maybe(st.sampled_from([FIRST, LAST])),
            "flag": _maybe(st.booleans()),
        }
    )
    drawn = draw(st.lists(shape, max_size=12))
    found: list[dict[str, Any]] = []
    for number, row in enumerate(drawn):
        second = row.pop("second")
        day = row["date"]
        row["at"] = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=second // 40_000 * 40_000)
        found.append({**row, "id": f"{number * 7 % 12}"})
    return found


def tables_for(
    view: FeatureView,
    given: Sequence[dict[str, Any]],
    start: date,
    end: date,
    held: pl.DataFrame | None = None,
) -> dict[str, Slice]:
    """The tables that the written SQL reads; without totals of the day before unless they are given."""
    schema = held_schema(catalog_of(view), view)
    totals = {"held": pl.DataFrame(schema=schema) if held is None else held} if schema else {}
    return {
        "days": pl.DataFrame({"day": days_between(start, end)}),
        "events": pl.DataFrame(given, schema=SCHEMA),
        **totals,
    }


def params_for(view: FeatureView, start: date, end: date, *, held: bool = False) -> dict[str, date]:
    """What the written SQL binds, every day keeping its totals."""
    before = start - (ONE_DAY if held else view.lookback + ONE_DAY)
    return {"start": start, "end": end, "held": before, "keep": start - ONE_DAY}
