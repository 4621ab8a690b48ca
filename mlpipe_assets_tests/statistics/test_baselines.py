"""What a baseline knows of a column, and what a verdict rests on for it."""

import numpy as np
import polars as pl
import pytest

from mlpipe_assets.statistics.baselines import (
    ColumnBaseline,
    Rows,
    basis_of,
    dense,
    describe_column,
    from_document,
    mass_of,
    match_weekdays,
    to_document,
)
from mlpipe_assets.statistics.bins import freeze_column
from mlpipe_assets.statistics.columns import Kind, read_column
from mlpipe_assets.statistics.profiles import profile_series

WEEK = [np.array([100.0, 0.0])] * 5 + [np.array([0.0, 100.0])] * 2


def a_week(rows: int) -> list[tuple[int, int]]:
    return [(weekday, rows) for weekday in range(7)]


def four_weeks(rows_a_day: int, entities: np.ndarray | None = None) -> Rows:
    return Rows(days=np.repeat(np.arange(28), rows_a_day), weekdays=np.arange(28) % 7, entities=entities)


def test_a_week_with_closed_days_is_held_against_the_days_it_was_open() -> None:
    monday_and_sunday = match_weekdays(WEEK, [50, 0, 0, 0, 0, 0, 50])

    assert (monday_and_sunday / monday_and_sunday.sum()).tolist() == [0.5, 0.5]
    assert monday_and_sunday.sum() == pytest.approx(200)  # of 700 rows the 200 of Mondays and Sundays tell something


def test_a_full_week_is_held_against_all_of_the_baseline() -> None:
    assert match_weekdays(WEEK, [9] * 7).tolist() == pytest.approx([500, 200])


def test_a_weekday_the_baseline_never_had_is_held_against_all_others() -> None:
    closed_sundays = [*WEEK[:6], np.zeros(2)]

    only_sunday = match_weekdays(closed_sundays, [0, 0, 0, 0, 0, 0, 70])

    assert (only_sunday / only_sunday.sum()).tolist() == pytest.approx([5 / 6, 1 / 6])


def test_an_empty_window_or_baseline_matches_nothing() -> None:
    assert match_weekdays(WEEK, [0] * 7).tolist() == [500, 200]
    assert match_weekdays([np.zeros(2)] * 7, [1] * 7).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("number", [1.0, 2.0, None, float("nan"), float("inf"), 2.0, -0.0] * 40),
        ("number", [1, 2, None, 7, 2, 2, 5] * 40),
        ("number", [None] * 280),
        ("category", ["a", "b", None, "a", "c", "a", ""] * 40),
        ("category", [None] * 280),
    ],
)
def test_the_weekdays_of_a_column_add_up_to_its_profile(kind: Kind, values: list[object]) -> None:
    series = pl.Series(values, dtype=pl.String) if kind == "category" else pl.Series(values, dtype=pl.Float64)
    bins = freeze_column(read_column(series, kind), kind)

    known = describe_column(series, bins, four_weeks(10))

    by_weekday = [dense(weekday, bins) for weekday in known.by_weekday]
    assert np.sum(by_weekday, axis=0).tolist() == mass_of(profile_series(series, bins), bins).tolist()
    assert from_document(to_document(known)) == known


def test_features_of_few_entities_rest_on_the_entities_and_not_on_the_rows() -> None:
    own = np.random.default_rng(7).normal(size=100)
    series = pl.Series(np.tile(own, 28))
    bins = freeze_column(read_column(series, "number"), "number")

    known = describe_column(series, bins, four_weeks(100, np.tile(np.arange(100), 28)))
    weekdays = [dense(weekday, bins) for weekday in known.by_weekday]
    basis = basis_of(known, weekdays, a_week(100), frozen=True)

    assert basis.mass.sum() * basis.reference == pytest.approx(100, rel=0.05)
    assert 700 * basis.current == pytest.approx(100, rel=0.05)


def test_a_training_set_of_days_far_apart_counts_a_week_of_an_entity_as_one_row() -> None:
    series = pl.Series(np.random.default_rng(7).normal(size=400))
    bins = freeze_column(read_column(series, "number"), "number")
    rows = Rows(days=np.zeros(400, dtype=np.int64), weekdays=np.zeros(0, dtype=np.int64), entities=np.arange(400) % 100)

    known = describe_column(series, bins, rows)

    assert (known.by_weekday, known.effects.window) == ((), 7.0)


def test_more_rows_a_day_make_what_days_differ_by_weigh_more() -> None:
    from mlpipe_assets.statistics.effects import Effects

    known = ColumnBaseline(effects=Effects(days=0.03, days_seen=21), rows_of_a_day=100)

    same, more = (basis_of(known, WEEK, a_week(rows), frozen=True) for rows in (100, 1000))

    assert (1 / same.current, 1 / more.current) == pytest.approx((4, 31))
    assert 1 / same.reference == 1 / more.reference == 4
    assert same.seen == pytest.approx(
        21 * (4 / 3) ** 2
    )  # a quarter of the effect is that of single rows, known for sure


def test_one_full_day_among_empty_ones_weighs_as_the_day_that_most_rows_have() -> None:
    from mlpipe_assets.statistics.effects import Effects

    known = ColumnBaseline(effects=Effects(days=0.03), rows_of_a_day=100)

    found = basis_of(known, WEEK, [(0, 600), *((at, 10) for at in range(1, 7))], frozen=True)

    assert 1 / found.current == pytest.approx(1 + 0.03 * (600**2 + 6 * 10**2) / 660)


def test_the_lines_of_an_order_are_new_together() -> None:
    series = pl.Series([f"order {at // 10}" for at in range(28 * 40)])
    bins = freeze_column(read_column(series, "category"), "category")

    known = describe_column(series, bins, four_weeks(40))

    assert known.unseen
    assert known.unseen.expected == 1.0  # no line of a later order was ever here, though each came ten times


def test_a_city_that_one_customer_has_every_day_was_met_once() -> None:
    series = pl.Series([f"city {at}" for at in range(20)] * 28)
    bins = freeze_column(read_column(series, "category"), "category")

    by_row = describe_column(series, bins, four_weeks(20))
    by_customer = describe_column(series, bins, four_weeks(20, np.tile(np.arange(20), 28)))

    assert by_row.unseen
    assert by_customer.unseen
    assert (by_row.unseen.expected, by_customer.unseen.expected) == (0.0, 1.0)
