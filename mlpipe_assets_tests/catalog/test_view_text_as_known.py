"""The SQL of views whose rows count as they were known, against brute force over the rows known at the end of each day."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlpipe_assets.catalog.aggregates import Aggregate
from mlpipe_assets.catalog.declarations import FeatureView
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.partitions import days_between
from mlpipe_assets.point_in_time.known_by import known_until
from mlpipe_assets_tests.catalog.declared import FIRST, LAST, ORDER, SCHEMA, catalog_of, rows, tables_for, view_of
from mlpipe_assets_tests.catalog.test_view_text import expect_rows, of_each_view
from mlpipe_assets_tests.oracle import rows_of_view

TIME = pl.Datetime("us", "UTC")
SETTLE = timedelta(hours=6)
BEGUN = datetime.combine(FIRST + timedelta(days=6), time(12), tzinfo=UTC)
LAGS = st.sampled_from([-30, 0, 5, 6, 7, 24, 30, 31, 54, 100])  # hours after the end of the day of a row


@st.composite
def versions(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rows of `rows()`, each known at some moment, and some of them only until a later one."""
    found: list[dict[str, Any]] = []
    for row in draw(rows()):
        end = datetime.combine(row["date"], time(0), tzinfo=UTC) + timedelta(days=1)
        known, until = draw(LAGS), draw(st.none() | LAGS)
        gone = None if until is None or until <= known else end + timedelta(hours=until)
        found.append({**row, "known_at": end + timedelta(hours=known), "known_until": gone})
    return found


@st.composite
def corrections(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rows of two people within a few days, most of which cease to hold soon."""
    values = st.fixed_dictionaries(
        {
            "who": st.sampled_from(["ann", "bob"]),
            "shop": st.just(1),
            "word": st.sampled_from(["a", "b", None]),
            "whole": st.sampled_from([1, 5]),
            "number": st.sampled_from([1, 2]),
        }
    )
    on, late, held = st.integers(3, 7), st.sampled_from([0, 0, 1, 2, 4, 6]), st.sampled_from([None, 1, 2, 3, 7])
    found: list[dict[str, Any]] = []
    for number, (row, n, after, days) in enumerate(draw(st.lists(st.tuples(values, on, late, held), max_size=9))):
        known, gone = end_of(day(n + after)), end_of(day(n + after + days)) if days else None
        moments = {"at": end_of(day(n)), "known_at": known, "known_until": gone}
        found.append({**row, "id": f"{number}", "date": day(n), **moments})
    return found


def run(
    view: FeatureView, given_rows: Sequence[dict[str, Any]], start: date, end: date, begun: datetime
) -> pl.DataFrame:
    """The rows of a view by its written SQL, versions that hold for good apart from the others."""
    schema = {**SCHEMA, "known_at": TIME}
    holding = [{k: v for k, v in row.items() if k != "known_until"} for row in given_rows if row["known_until"] is None]
    others = [row for row in given_rows if row["known_until"] is not None]
    tables = {
        **tables_for(view, [], start, end),
        "events": pl.DataFrame(holding, schema=schema),
        "events_versions": pl.DataFrame(others, schema={**schema, "known_until": TIME}),
    }
    return DuckDBEngine().select(catalog_of(view).view_sql(view), tables, {"start": start, "end": end, "begun": begun})


def known_rows(given_rows: Sequence[dict[str, Any]], day: date, begun: datetime) -> list[dict[str, Any]]:
    """The versions that held at the end of a day and the time to settle after it."""
    moment = datetime.combine(day, time(0), tzinfo=UTC) + timedelta(days=1) + SETTLE

    def known(at: datetime) -> bool:
        return at <= max(moment, begun)

    return [
        row for row in given_rows if known(row["known_at"]) and not (row["known_until"] and known(row["known_until"]))
    ]


ALWAYS = datetime(1, 1, 1, tzinfo=UTC)
MOMENTS = st.sampled_from([BEGUN, ALWAYS])
WHAT_GOES_BACK = view_of(
    Aggregate("days_since_last", name="since"),
    Aggregate("days_since_last", "word", name="since_word", days=(2,)),
    Aggregate("days_since_last", name="since_big", where="whole > 2"),
    Aggregate("count_distinct", "word", name="words", days=(2, 4)),
    Aggregate("count_distinct", "number", name="big_numbers", where="whole > 2"),
    lookback=timedelta(days=6),
)


def expect_what_was_known(
    view: FeatureView,
    placed: list[dict[str, Any]],
    start: int,
    length: int,
    begun: datetime,
    *,
    by_start: bool = False,
) -> None:
    """Fail where a range of days differs from brute force over the versions known at the end of each.

    With `by_start`, all that was known by the end of the first day counts from its own day on.
    """
    first = FIRST + timedelta(days=start)
    last = min(LAST, first + timedelta(days=length))
    view = replace(view, late="as_known")
    placed = [{**dict.fromkeys(SCHEMA), **row} for row in placed]

    found = run(view, placed, first, last, max(begun, known_until(view, first)) if by_start else begun)

    wanted = [
        row
        for day in days_between(first, last)
        for row in rows_of_view(view, ORDER, known_rows(placed, day, begun), [day])
    ]
    expect_rows(view, found, wanted)


@given(placed=versions(), start=st.integers(0, 10), length=st.integers(0, 6), begun=MOMENTS)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@of_each_view
def test_a_row_of_a_day_is_made_of_what_was_known_by_then(
    view: FeatureView, placed: list[dict[str, Any]], start: int, length: int, begun: datetime
) -> None:
    expect_what_was_known(view, placed, start, length, begun)


@given(placed=corrections(), start=st.integers(2, 7), length=st.integers(0, 8), by_start=st.booleans())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_was_seen_last_goes_back_with_the_versions_that_said_so(
    placed: list[dict[str, Any]], start: int, length: int, *, by_start: bool
) -> None:
    expect_what_was_known(WHAT_GOES_BACK, placed, start, length, ALWAYS, by_start=by_start)


@pytest.mark.fuzz
@given(placed=versions() | corrections(), start=st.integers(0, 10), length=st.integers(0, 6), begun=MOMENTS)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@of_each_view
def test_a_row_of_any_day_is_made_of_what_was_known_by_then(
    view: FeatureView, placed: list[dict[str, Any]], start: int, length: int, begun: datetime
) -> None:
    expect_what_was_known(view, placed, start, length, begun)


@pytest.mark.fuzz
@given(placed=corrections(), start=st.integers(2, 7), length=st.integers(0, 8), by_start=st.booleans())
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_was_seen_last_always_goes_back(
    placed: list[dict[str, Any]], start: int, length: int, *, by_start: bool
) -> None:
    expect_what_was_known(WHAT_GOES_BACK, placed, start, length, ALWAYS, by_start=by_start)


def test_a_row_that_ceased_to_hold_is_not_the_last_one_any_more() -> None:
    view = view_of(
        Aggregate("count", name="rows", days=(5,)),
        Aggregate("days_since_last", name="since"),
        Aggregate("count_distinct", "word", name="words", days=(5,)),
        late="as_known",
    )
    kept = {
        "who": "ann",
        "shop": 1,
        "id": "1",
        "date": day(3),
        "word": "a",
        "known_at": end_of(day(3)),
        "known_until": None,
    }
    taken_back = {
        **kept,
        "id": "2",
        "date": day(4),
        "word": "b",
        "known_at": end_of(day(4)),
        "known_until": end_of(day(6)),
    }

    found = run(view, [kept, taken_back], day(3), day(7), ALWAYS)

    assert found.select("rows_5d", "since", "words_5d").rows() == [
        (1, 0, 1),
        (2, 0, 2),
        (2, 1, 2),
        (1, 3, 1),
        (1, 4, 1),
    ]


def day(number: int) -> date:
    """A day of January."""
    return date(2026, 1, number)


def end_of(on: date) -> datetime:
    """The last second of a day."""
    return datetime.combine(on, time(23, 59, 59), tzinfo=UTC)
