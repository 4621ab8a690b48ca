import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_assets.statistics.distances import Vector, jensen_shannon_distance
from mlpipe_assets.statistics.noise import distance_above_noise, pool_ordered, pool_rare, share_floor

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

    assert sum(value > floor for value, floor in found) <= 2  # one in 10,000 is what the floor promises
    assert sum(value > 0 for value, _ in found) == pytest.approx(
        225, abs=60
    )  # without its mean, noise is above 0 half the time


def test_with_many_rows_the_distance_is_that_of_the_distributions() -> None:
    p, q = np.array([0.5, 0.3, 0.2]) * 1e9, np.array([0.45, 0.35, 0.2]) * 1e9

    value, floor = distance_above_noise(p, q)

    assert value == pytest.approx(jensen_shannon_distance(p, q), abs=1e-6)
    assert floor < 3e-4


def test_a_thousand_rows_against_ten_are_told_apart_from_nothing() -> None:
    draw = np.random.default_rng(216)
    edges = np.linspace(-3, 3, 13)
    p, q = (
        np.bincount(np.searchsorted(edges, draw.normal(size=size)), minlength=14).astype(np.float64)
        for size in (1000, 10)
    )

    value, floor = distance_above_noise(*pool_ordered(p, q, 0))

    assert not value > floor


def test_where_there_is_nothing_to_compare_the_distance_is_unknown() -> None:
    assert all(math.isnan(found) for found in distance_above_noise(np.array([1.0, 2]), np.array([0.0, 0])))
    assert distance_above_noise(np.array([9.0]), np.array([9.0])) == (0.0, 0.0)
    assert math.isnan(share_floor(0, 0, 0, 10))


def test_the_floor_of_a_share_falls_with_the_rows() -> None:
    assert share_floor(10, 100, 10, 100) == pytest.approx(3.8906 * math.sqrt(21 / 202 * 181 / 202 * 2 / 100))
    assert share_floor(0, 10_000, 0, 10_000) < share_floor(0, 100, 0, 100) < 0.05 < share_floor(0, 10, 0, 10)
