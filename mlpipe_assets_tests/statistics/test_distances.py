import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from mlpipe_assets.statistics.distances import (
    MeasureError,
    binned_kolmogorov_smirnov,
    binned_wasserstein,
    jensen_shannon_distance,
    jensen_shannon_divergence,
    l_infinity,
    normalised_absolute_difference,
    population_stability_index,
    spread,
)

MEASURES = [
    jensen_shannon_divergence,
    jensen_shannon_distance,
    l_infinity,
    population_stability_index,
    normalised_absolute_difference,
    binned_kolmogorov_smirnov,
]
BOUNDED = [measure for measure in MEASURES if measure is not population_stability_index]
ORDERLESS = [measure for measure in MEASURES if measure is not binned_kolmogorov_smirnov]

counts = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=1, max_size=12).filter(
    lambda pairs: any(p for p, _ in pairs) and any(q for _, q in pairs)
)


def test_measures_of_two_shares_are_those_calculated_by_hand() -> None:
    reference, current = [50, 50, 0], [25, 50, 25]
    # mixture 3/8, 1/2, 1/8
    divergence = (0.5 * math.log2(4 / 3) + 0.25 * math.log2(2 / 3) + 0.25 * math.log2(2)) / 2

    assert jensen_shannon_divergence(reference, current) == pytest.approx(divergence, abs=1e-15)
    assert jensen_shannon_distance(reference, current) == pytest.approx(math.sqrt(divergence), abs=1e-15)
    assert l_infinity(reference, current) == 0.25
    assert normalised_absolute_difference(reference, current) == 25 / 200
    assert binned_kolmogorov_smirnov(reference, current) == 0.25
    assert population_stability_index(reference, current) == pytest.approx(
        0.25 * math.log(2) + (0.25 - 1e-4) * math.log(0.25 / 1e-4), abs=1e-12
    )


@given(counts)
def test_jensen_shannon_is_that_of_scipy(pairs: list[tuple[int, int]]) -> None:
    p, q = zip(*pairs, strict=True)
    # near zero the root of a rounding error of 1e-17 is 3e-9: the divergence is where both can agree
    assert jensen_shannon_divergence(p, q) == pytest.approx(np.nan_to_num(jensenshannon(p, q, base=2)) ** 2, abs=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
@given(pairs=counts, factor=st.integers(1, 9))
def test_measures_are_symmetric_never_negative_and_zero_on_equal_shares(
    measure: Any, pairs: list[tuple[int, int]], factor: int
) -> None:
    p, q = (np.array(side) for side in zip(*pairs, strict=True))

    assert measure(p, q) >= 0
    assert measure(p, q) == pytest.approx(measure(q, p), abs=1e-12)
    assert measure(p, p) == pytest.approx(0, abs=1e-12)
    if measure is not normalised_absolute_difference:
        assert measure(p, p * factor) == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("measure", BOUNDED)
@given(pairs=counts)
def test_measures_are_at_most_one(measure: Any, pairs: list[tuple[int, int]]) -> None:
    assert measure(*zip(*pairs, strict=True)) <= 1 + 1e-12


@pytest.mark.parametrize("measure", ORDERLESS)
@given(pairs=counts)
def test_the_order_of_categories_does_not_matter(measure: Any, pairs: list[tuple[int, int]]) -> None:
    backwards = measure(*zip(*pairs[::-1], strict=True))
    assert measure(*zip(*pairs, strict=True)) == pytest.approx(backwards, abs=1e-12)


def test_shares_that_meet_in_no_bin_are_as_far_apart_as_can_be() -> None:
    assert [measure([3, 0], [0, 5]) for measure in BOUNDED] == [1.0, 1.0, 1.0, 5 / 8, 1.0]


@pytest.mark.parametrize("measure", [m for m in MEASURES if m is not normalised_absolute_difference])
def test_the_distance_to_an_empty_window_is_unknown_and_not_zero(measure: Any) -> None:
    assert math.isnan(measure([1, 2], [0, 0]))
    assert math.isnan(measure([], []))


def test_l_infinity_of_a_number_is_refused() -> None:
    with pytest.raises(MeasureError, match=r"L-infinity is a measure of categories.*Use the Jensen-Shannon distance"):
        l_infinity([1, 2], [2, 1], numeric=True)


@pytest.mark.parametrize(
    ("reference", "current", "said"),
    [
        ([1, 2], [1, 2, 3], r"shapes \(2,\) and \(3,\)"),
        ([[1]], [[1]], "shapes"),
        ([1, 2], [1, -2], r"1 of 2 counts of the current are no counts \(e.g. -2.0\)"),
        ([1, math.nan], [1, 2], "counts of the reference are no counts"),
    ],
)
def test_what_is_no_pair_of_counts_is_refused(reference: Any, current: Any, said: str) -> None:
    with pytest.raises(MeasureError, match=said):
        jensen_shannon_divergence(reference, current)


def test_binned_wasserstein_is_the_area_between_lines() -> None:
    assert binned_wasserstein([1, 0], [0, 1], [0, 1, 2]) == 1.0  # uniform on [0, 1] and on [1, 2]: moved by 1
    assert binned_wasserstein([1, 0, 1], [0, 2, 0], [0, 1, 2, 3]) == 0.75  # the lines cross in the middle bin
    assert binned_wasserstein([1, 2], [1, 2], [0, 1, 9]) == 0.0
    assert math.isnan(binned_wasserstein([0, 0], [1, 1], [0, 1, 2]))


@pytest.mark.parametrize(
    ("deviation", "lower", "upper", "expected"),
    [
        (2.0, -1.0, 1.0, 2.0),
        (1e9, -1.349, 1.349, 2.0),  # a heavy tail: the quartiles tell
        (math.inf, -1.349, 1.349, 2.0),
        (math.nan, 5.0, 5.0, 0.005),  # one row
        (0.0, 5.0, 5.0, 0.005),
        (0.0, 0.0, 0.0, 1.0),
    ],
)
def test_the_spread_of_a_reference_never_divides_by_zero(
    deviation: float, lower: float, upper: float, expected: float
) -> None:
    assert spread(deviation, lower, upper) == pytest.approx(expected)
