"""The SQL written from declared aggregates against brute force, function by function."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from mlpipe_assets.catalog.aggregates import FUNCTIONS, Aggregate
from mlpipe_assets.catalog.declarations import FeatureView
from mlpipe_assets.catalog.view_sql.names import TOTAL
from mlpipe_assets.catalog.view_sql.totals import days_needed, held_schema, kept_as
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.partitions import ONE_DAY, days_between
from mlpipe_assets.stages.features.totals import totals_of_rows
from mlpipe_assets_tests.catalog.declared import (
    FIRST,
    LAST,
    ORDER,
    catalog_of,
    every_function,
    params_for,
    rows,
    tables_for,
    view_of,
)
from mlpipe_assets_tests.oracle import number, rows_of_view

_FLOATS = ("ratio", "fine")  # sums of which are numbers that a float cannot hold to the last digit
_ROUNDED = ("mean", "stddev")  # quotients and roots, which may differ in the last bit


def run(view: FeatureView, placed: Sequence[dict[str, Any]], start: date, end: date) -> pl.DataFrame:
    """The rows of a view by its written SQL."""
    sql = catalog_of(view).view_sql(view)
    found = DuckDBEngine().select(sql, tables_for(view, placed, start, end), params_for(view, start, end))
    return found.drop(name for name in found.columns if name.startswith(TOTAL))


def expect_equal(view: FeatureView, placed: Sequence[dict[str, Any]], start: date, end: date) -> None:
    """Fail where the written SQL and brute force differ."""
    expect_rows(view, run(view, placed, start, end), rows_of_view(view, ORDER, placed, days_between(start, end)))


def expect_rows(view: FeatureView, found: pl.DataFrame, wanted: Sequence[dict[str, Any]]) -> None:
    """Fail where the rows of a view are not those of brute force."""
    rounded = {
        name for one in view.aggregates if one.function in _ROUNDED or one.column in _FLOATS for name in one.features
    }
    assert found.height == len(wanted)
    for got, right in zip(found.sort("as_of", *view.entity.join_keys).iter_rows(named=True), wanted, strict=True):
        for name, value in right.items():
            if name in rounded and value is not None:
                assert number(got[name]) == pytest.approx(number(value), rel=1e-9, abs=1e-6), name
            else:
                assert number(got[name]) == number(value), name


EVERYTHING = view_of(*every_function(), lookback=timedelta(days=6))
BY_TWO_KEYS = view_of(
    Aggregate("sum", "money", name="spent", days=(2,)),
    Aggregate("count_distinct", "word", name="words"),
    Aggregate("last", "word", name="word"),
    keys=("who", "shop"),
    lookback=timedelta(days=4),
)


A_RANGE = {"placed": rows(), "start": st.integers(0, 10), "length": st.integers(0, 6)}
TWO_RANGES = {"placed": rows(), "start": st.integers(0, 8), "first": st.integers(0, 3), "more": st.integers(1, 4)}
of_each_view = pytest.mark.parametrize("view", [EVERYTHING, BY_TWO_KEYS], ids=["every function", "two keys"])


@given(**A_RANGE)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@of_each_view
def test_written_sql_gives_what_brute_force_gives(
    view: FeatureView, placed: list[dict[str, Any]], start: int, length: int
) -> None:
    expect_brute_force(view, placed, start, length)


@pytest.mark.fuzz
@given(**A_RANGE)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@of_each_view
def test_written_sql_gives_what_brute_force_gives_of_many_rows(
    view: FeatureView, placed: list[dict[str, Any]], start: int, length: int
) -> None:
    expect_brute_force(view, placed, start, length)


def expect_brute_force(view: FeatureView, placed: list[dict[str, Any]], start: int, length: int) -> None:
    first = FIRST + timedelta(days=start)
    expect_equal(view, placed, first, min(LAST, first + timedelta(days=length)))


@given(**TWO_RANGES)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@of_each_view
def test_a_day_that_goes_on_from_the_totals_of_the_day_before_is_the_same(
    view: FeatureView, placed: list[dict[str, Any]], start: int, first: int, more: int
) -> None:
    expect_same_from_totals(view, placed, start, first, more)


@pytest.mark.fuzz
@given(**TWO_RANGES)
@settings(max_examples=75, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@of_each_view
def test_a_day_that_goes_on_from_any_totals_of_the_day_before_is_the_same(
    view: FeatureView, placed: list[dict[str, Any]], start: int, first: int, more: int
) -> None:
    expect_same_from_totals(view, placed, start, first, more)


def expect_same_from_totals(view: FeatureView, placed: list[dict[str, Any]], start: int, first: int, more: int) -> None:
    begin = FIRST + timedelta(days=start)
    before, end = begin + timedelta(days=first), begin + timedelta(days=first + more)
    after = before + ONE_DAY
    catalog = catalog_of(view)
    sql, schema = catalog.view_sql(view), held_schema(catalog, view)
    ran = DuckDBEngine().select(sql, tables_for(view, placed, begin, before), params_for(view, begin, before))
    totals = totals_of_rows(ran.filter(pl.col("as_of").dt.date() == after), schema, kept_as(catalog, view))
    leaving, whole = days_needed(catalog, view)
    needed = {after - timedelta(days=n) + timedelta(days=i) for n in (*leaving, 0) for i in range(more)}
    needed |= {end - timedelta(days=i) for i in range(more - 1 + whole)}

    read = [row for row in placed if row["date"] in needed]
    found = DuckDBEngine().select(
        sql, tables_for(view, read, after, end, totals), params_for(view, after, end, held=True)
    )

    names = [name for name in found.columns if not name.startswith(TOTAL)]
    assert_frame_equal(found.select(names), run(view, placed, after, end), rel_tol=1e-9)


def test_every_function_is_compared() -> None:
    assert {one.function for one in every_function()} == {*FUNCTIONS}
