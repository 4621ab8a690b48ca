"""Metrics of numbers: by hand, against scikit-learn, and silent where rows cannot tell."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from sklearn.metrics import (
    mean_absolute_error,
    mean_absolute_percentage_error,
    median_absolute_error,
    r2_score,
    root_mean_squared_error,
)

from mlpipe_assets.learning.number_metrics import NumberMetrics, answers_by_tenth, measure_numbers

AMOUNTS = st.floats(-1e4, 1e4, allow_subnormal=False).map(lambda value: round(value, 2))


def test_metrics_by_hand() -> None:
    found = measure_numbers(pl.Series([1.0, 2.0, 4.0, 5.0]), pl.Series([2.0, 2.0, 4.0, 9.0]))

    assert (found.rows, found.mean, found.mae, found.bias) == (4, 3.0, 1.25, 1.25)
    assert found.rmse == pytest.approx((17 / 4) ** 0.5)
    assert found.median_absolute_error == 0.5
    assert found.r2 == pytest.approx(1 - 17 / 10)
    assert found.mape == pytest.approx((1 + 4 / 5) / 4)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(AMOUNTS, AMOUNTS), min_size=2, max_size=40))
def test_metrics_are_those_of_scikit_learn(rows: list[tuple[float, float]]) -> None:
    label, answers = ([one[i] for one in rows] for i in (0, 1))

    found = measure_numbers(pl.Series(label), pl.Series(answers))

    assert found.rmse == pytest.approx(root_mean_squared_error(label, answers), rel=1e-9)
    assert found.mae == pytest.approx(mean_absolute_error(label, answers), rel=1e-9)
    assert found.median_absolute_error == pytest.approx(median_absolute_error(label, answers), rel=1e-9, abs=1e-9)
    if len(set(label)) > 1:
        assert found.r2 == pytest.approx(r2_score(label, answers), rel=1e-6)
    if 0 not in label:
        assert found.mape == pytest.approx(mean_absolute_percentage_error(label, answers), rel=1e-9)


def test_what_rows_cannot_tell_is_none() -> None:
    alike = measure_numbers(pl.Series([0.0, 0.0]), pl.Series([1.0, 1.0]))

    assert (alike.r2, alike.mape, alike.mae) == (None, None, 1.0)
    assert measure_numbers(pl.Series([], dtype=pl.Float64), pl.Series([], dtype=pl.Float64)) == NumberMetrics(rows=0)


def test_tenths_follow_the_answers_and_equal_answers_stay_together() -> None:
    found = answers_by_tenth(pl.Series([5.0, 1.0, 3.0, 9.0]), pl.Series([1.0, 1.0, 2.0, 8.0]))

    assert_frame_equal(
        found, pl.DataFrame({"rows": [2, 1, 1], "predicted": [1.0, 2.0, 8.0], "observed": [3.0, 3.0, 9.0]})
    )
