import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_assets.statistics.distances import Vector, jensen_shannon_distance
from mlpipe_assets.statistics.noise import (
    Above,
    chi_squared_quantile,
    distance_above_noise,
    pool_ordered,
    pool_rare,
    share_above_noise,
)

counts = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), min_size=3, max_size=60)


def vectors(pairs: list[tuple[int, int]]) -> tuple[Vector, Vector]:
    return np.array([p for p, _ in pairs], dtype=float), np.array([q for _, q in pairs], dtype=float)


def test_neighbours_are_added_up_until_five_rows_a_side_are_expected() -> None:
    p, q = pool_ordered(np.array([1.0, 2, 2, 5, 4, 1]), np.array([1.0, 2, 2, 5, 4, 1]), missing=0)
    assert (p.tolist(), q.tolist()) == ([5, 5, 5], [5, 5, 5])


def test_nulls_stay_alone_where_they_are_many_and_join_the_last_group_where_they_are_few() -> None:
    many, _ = pool_ordered(np.array([20.0, 20, 9]), np.array([20.0, 20, 9]), missing=1)
    few, _ = pool_ordered(np.array([20.0, 20, 1]), np.array([20.0, 20, 1]), missing=1)
    assert (many.tolist(), few.tolist()) == ([20, 20, 9], [20, 21])


def test_rare_categories_are_added_up_at_the_end() -> None:
    p, q = pool_rare(np.array([500.0, 3, 490, 4, 3]), np.array([500.0, 3, 490, 4, 3]))
    assert (p.tolist(), q.tolist()) == ([500, 490, 10], [500, 490, 10])


def test_a_category_only_the_current_window_has_is_kept_when_it_is_large() -> None:
    p, q = pool_rare(np.array([1000.0, 0, 0]), np.array([900.0, 95, 5]))
    assert (p.tolist(), q.tolist()) == ([1000, 0, 0], [900, 95, 5])


@given(counts)
def test_pooling_loses_no_row_and_does_not_care_which_side_is_which(pairs: list[tuple[int, int]]) -> None:
    p, q = vectors(pairs)
    for pool in (pool_rare, lambda one, other: pool_ordered(one, other, 2)):
        left, right = pool(p, q)
        other, one = pool(q, p)
        assert (left.sum(), right.sum()) == (p.sum(), q.sum())
        assert (left.tolist(), right.tolist()) == (one.tolist(), other.tolist())
        assert len(left) <= max(35, len(p) + 1)


@pytest.mark.parametrize(("n", "m"), [(1000, 1000), (28_000, 7_000), (300, 5_000)])
def test_samples_of_one_distribution_stay_below_the_floor(n: int, m: int) -> None:
    draw = np.random.default_rng(7)
    mass = draw.dirichlet(np.ones(256))
    pairs = [[draw.multinomial(size, mass).astype(np.float64) for size in (n, m)] for _ in range(500)]
    found = [distance_above_noise(*pool_ordered(p, q, 0)) for p, q in pairs]

    assert sum(above.value > above.floor for above in found) <= 1  # one in 100,000 is what the floor promises
    assert sum(above.value > 0 for above in found) == pytest.approx(
        225, abs=60
    )  # without its mean, noise is above 0 half the time


def test_with_many_rows_the_distance_is_that_of_the_distributions() -> None:
    p, q = np.array([0.5, 0.3, 0.2]) * 1e9, np.array([0.45, 0.35, 0.2]) * 1e9

    above = distance_above_noise(p, q)

    assert above.value == pytest.approx(jensen_shannon_distance(p, q), abs=1e-6)
    assert above.floor < 3e-4


def test_a_thousand_rows_against_ten_are_told_apart_from_nothing() -> None:
    draw = np.random.default_rng(216)
    edges = np.linspace(-3, 3, 13)
    p, q = (
        np.bincount(np.searchsorted(edges, draw.normal(size=size)), minlength=14).astype(np.float64)
        for size in (1000, 10)
    )

    above = distance_above_noise(*pool_ordered(p, q, 0))

    assert not above.value > above.floor


def test_where_there_is_nothing_to_compare_the_distance_is_unknown() -> None:
    nothing = distance_above_noise(np.array([1.0, 2]), np.array([0.0, 0]))
    assert math.isnan(nothing.value)
    assert math.isnan(nothing.floor)
    assert distance_above_noise(np.array([9.0]), np.array([9.0])) == Above(value=0.0, floor=0.0)
    assert math.isnan(share_above_noise(0, 0, 0, 10).floor)


def test_the_floor_of_a_share_falls_with_the_rows() -> None:
    def floor(rows: int) -> float:
        return share_above_noise(0.0, 0.0, rows, rows).floor

    tenth = share_above_noise(0.0, 0.1, 100, 100)
    assert tenth.floor == pytest.approx(4.4172 * math.sqrt(21 / 202 * 181 / 202 * 2 / 100), rel=1e-4)
    assert floor(10_000) < floor(100) < 0.05 < floor(10)


def test_the_values_of_the_tables_are_exceeded_with_just_that_chance() -> None:
    assert chi_squared_quantile(0.05, 1) == pytest.approx(3.841, abs=5e-4)
    assert chi_squared_quantile(0.05, 10) == pytest.approx(18.307, abs=5e-4)
    assert chi_squared_quantile(1e-5, 15) == pytest.approx(50.493, abs=5e-3)


def test_a_distance_of_uneven_groups_has_a_higher_floor() -> None:
    p, q = np.full(16, 700.0), np.full(16, 175.0)

    assert distance_above_noise(p, q, uneven=2.0).floor > 1.3 * distance_above_noise(p, q).floor


def test_a_text_the_reference_never_had_stands_alone_by_the_same_rule_as_one_it_had() -> None:
    new, _ = pool_rare(np.array([900.0, 0, 2]), np.array([100.0, 10, 0]))
    known, _ = pool_rare(np.array([900.0, 10, 0]), np.array([100.0, 0, 2]))

    assert (len(new), len(known)) == (2, 2)  # 10 rows of 1,012 are less than 5 expected on the smaller side


def test_what_is_left_of_other_categories_stays_with_the_rare_ones_however_much_it_is() -> None:
    p, q = pool_rare(np.array([500.0, 496, 2]), np.array([500.0, 493, 5]), rest=1)

    assert (p.tolist(), q.tolist()) == ([500, 498], [500, 498])


def test_an_effect_that_few_days_tell_has_a_higher_floor() -> None:
    sides = np.array([50.0, 50.0]), np.array([40.0, 60.0])

    floors = [distance_above_noise(*sides, seen=seen).floor for seen in (21, 1000, math.inf)]
    shares = [share_above_noise(0.1, 0.5, 100, 100, seen=seen).floor for seen in (21, 1000, math.inf)]

    assert floors == sorted(floors, reverse=True)
    assert shares == sorted(shares, reverse=True)
    assert (floors[1] / floors[2], shares[1] / shares[2]) == pytest.approx((1, 1), rel=0.02)
    assert shares[0] / shares[2] == pytest.approx(
        5.77 / 4.42, rel=0.01
    )  # t of 21 days beside the normal, at 1 in 100,000
