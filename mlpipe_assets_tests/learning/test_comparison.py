"""The paired bootstrap: by brute force, by keys, and silent where there is nothing to compare."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from mlpipe_assets.learning.comparison import compare
from mlpipe_assets.learning.tasks.task import Difference

CHANCE = np.random.default_rng(5)
N = 300
LABEL = pl.Series(CHANCE.random(N) < 0.4)
GOOD = pl.Series((LABEL.cast(pl.Float64).to_numpy() + CHANCE.normal(0, 0.8, N)).round(1))
POOR = pl.Series((LABEL.cast(pl.Float64).to_numpy() + CHANCE.normal(0, 3.0, N)).round(1))
KEYS = pl.Series([f"c{i % 100}" for i in range(N)])


def test_the_interval_is_that_of_resampled_keys_one_by_one() -> None:
    found = compare(LABEL, GOOD, POOR, KEYS, seed=3, replicates=40)

    chance = np.random.default_rng(3)
    order = {key: i for i, key in enumerate(sorted(set(KEYS)))}
    differences = []
    for _ in range(40):
        drawn = np.bincount(chance.integers(0, 100, 100), minlength=100)
        weights = np.array([drawn[order[key]] for key in KEYS])
        areas = [roc_auc_score(LABEL, one, sample_weight=weights) for one in (GOOD, POOR)]
        differences.append(areas[0] - areas[1])
    assert found.value == pytest.approx(roc_auc_score(LABEL, GOOD) - roc_auc_score(LABEL, POOR), abs=1e-12)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(differences, [0.025, 0.975])), abs=1e-12)
    assert (found.rows, found.keys, found.replicates) == (300, 100, 40)


def test_a_model_against_itself_differs_by_nothing() -> None:
    assert compare(LABEL, GOOD, GOOD, KEYS, seed=1) == Difference(
        rows=N, keys=100, value=0.0, low=0.0, high=0.0, replicates=200
    )


def test_a_better_model_is_better_for_certain_and_the_other_way_round() -> None:
    better, worse = compare(LABEL, GOOD, POOR, KEYS, seed=1), compare(LABEL, POOR, GOOD, KEYS, seed=1)

    assert better.low is not None
    assert better.low > 0
    assert worse.high == -better.low


def test_rows_of_one_customer_do_not_count_as_many() -> None:
    label, good, poor, keys = (pl.concat([one] * 10) for one in (LABEL, GOOD, POOR, KEYS))
    unclustered = pl.Series([f"row{i}" for i in range(10 * N)])

    def width(found: Difference) -> float:
        assert found.low is not None
        assert found.high is not None
        return found.high - found.low

    by_customer = width(compare(label, good, poor, keys, seed=1))
    by_row = width(compare(label, good, poor, unclustered, seed=1))

    assert by_customer == pytest.approx(width(compare(LABEL, GOOD, POOR, KEYS, seed=1)))
    assert by_customer > 2 * by_row


def test_the_order_of_rows_does_not_matter() -> None:
    order = np.random.default_rng(1).permutation(N)
    label, good, poor, keys = (one.gather(order) for one in (LABEL, GOOD, POOR, KEYS))
    found = compare(label, good, poor, keys, seed=1)

    expected = compare(LABEL, GOOD, POOR, KEYS, seed=1)
    assert (found.value, found.low, found.high) == pytest.approx((expected.value, expected.low, expected.high))


@pytest.mark.parametrize("label", [pl.Series([True] * N), pl.Series([], dtype=pl.Boolean)])
def test_one_class_or_no_rows_compare_nothing(label: pl.Series) -> None:
    n = label.len()

    found = compare(label, GOOD[:n], POOR[:n], KEYS[:n], seed=1)

    assert (found.rows, found.value, found.low, found.high) == (n, None, None, None)
