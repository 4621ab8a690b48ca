import math
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_assets.statistics.columns import Runs
from mlpipe_assets.statistics.two_sample import (
    chi_squared,
    correct_for_columns,
    kolmogorov_smirnov,
    kolmogorov_smirnov_and_wasserstein,
    ks_p_value,
    wasserstein,
)

samples = st.lists(st.one_of(st.integers(-5, 5).map(float), st.floats(-1e6, 1e6)), min_size=2, max_size=40)


def runs(values: Any) -> Runs:
    different, repeats = np.unique(np.asarray(values, dtype=np.float64), return_counts=True)
    return Runs(values=different, repeats=repeats)


def test_the_largest_gap_and_the_area_are_those_seen_by_hand() -> None:
    test, moved = kolmogorov_smirnov_and_wasserstein(runs([1, 1, 2, 4]), runs([1, 3, 4, 4]))

    assert test.statistic == 0.5  # up to 2: three of four against one of four
    assert moved == 0.25 * 1 + 0.5 * 1 + 0.25 * 1


@given(samples, samples)
def test_ks_and_wasserstein_are_those_of_scipy(p: list[float], q: list[float]) -> None:
    expected = scipy.stats.ks_2samp(p, q, method="asymp")
    repeated, single = (runs(p), runs(q)), (Runs(values=np.sort(p)), Runs(values=np.sort(q)))

    for sides in (repeated, single):
        test, moved = kolmogorov_smirnov_and_wasserstein(*sides)
        assert test.statistic == pytest.approx(expected.statistic, abs=1e-12)
        assert test.p_value == pytest.approx(expected.pvalue, abs=1e-12)
        assert test == kolmogorov_smirnov(*sides)
        assert moved == wasserstein(*sides)
        assert moved == pytest.approx(scipy.stats.wasserstein_distance(p, q), rel=1e-12, abs=1e-9)


@pytest.mark.parametrize("statistic", [0.004, 0.01, 0.02])
def test_the_quick_p_value_of_large_samples_is_close_to_the_finite_law(statistic: float) -> None:
    n, m = 25_000, 20_000
    assert ks_p_value(statistic, n, m) == pytest.approx(ks_p_value(statistic, n, m, exact_below=math.inf), abs=1e-3)


def test_infinities_are_seen_by_ks_and_left_out_of_the_area() -> None:
    test, moved = kolmogorov_smirnov_and_wasserstein(runs([1.0, 2.0]), runs([1.0, 2.0, math.inf, math.inf]))

    assert (test.statistic, moved) == (0.5, 0.0)


def test_an_empty_side_tests_nothing() -> None:
    test, moved = kolmogorov_smirnov_and_wasserstein(runs([]), runs([1.0]))

    assert math.isnan(test.statistic)
    assert math.isnan(moved)
    assert test.p_value == 1.0
    assert chi_squared([1, 2], [0, 0]).p_value == 1.0


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=2, max_size=10))
def test_chi_squared_is_that_of_scipy(pairs: list[tuple[int, int]]) -> None:
    table = np.array([pair for pair in pairs if sum(pair)], dtype=float).T
    if table.size < 4 or not table.sum(axis=1).all():
        return
    expected = scipy.stats.chi2_contingency(table, correction=False)
    found = chi_squared(*np.array(pairs).T)

    assert found.statistic == pytest.approx(expected.statistic, rel=1e-12, abs=1e-12)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9, abs=1e-12)


def test_sparse_categories_are_tested_together() -> None:
    reference, current = [90, 4, 3, 3], [90, 3, 4, 3]

    pooled = chi_squared(reference, current, least_expected=5)

    assert pooled == chi_squared([90, 10], [90, 10])
    assert pooled.statistic == 0.0
    assert chi_squared(reference, current).statistic > 0


def test_one_category_tests_nothing() -> None:
    assert chi_squared([7], [9]).p_value == 1.0


@given(st.lists(st.floats(0, 1), max_size=30))
def test_the_correction_for_columns_is_that_of_scipy(p_values: list[float]) -> None:
    expected = scipy.stats.false_discovery_control(p_values) if p_values else []
    assert correct_for_columns(p_values) == pytest.approx(list(expected), abs=1e-15)


def test_a_small_p_among_many_columns_is_no_discovery() -> None:
    assert correct_for_columns([0.04, 0.5, 0.6, 0.9]) == pytest.approx([0.16, 0.8, 0.8, 0.9])
