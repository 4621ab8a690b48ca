"""Realised ranking against what the test set promised."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from mlpipe_assets.monitoring.champions import OnTestSet
from mlpipe_assets.monitoring.ranking import is_worse_without, measure_ranking, spread_of_auc


def realised(rows: int, separation: float, seed: int = 1) -> pl.DataFrame:
    chance = np.random.default_rng(seed)
    label = chance.random(rows) < 0.4
    score = chance.normal(label * separation, 1.0)
    return pl.DataFrame({"label": label, "probability": 1 / (1 + np.exp(-score)), "half": ["a", "b"] * (rows // 2)})


def test_the_numbers_are_those_of_scikit_learn() -> None:
    rows = realised(400, 1.0)
    found = {m.method: m.value for m in measure_ranking(rows, {}, [], 0.01)}
    y, p = rows["label"].to_numpy(), rows["probability"].to_numpy()
    assert found["roc_auc"] == pytest.approx(roc_auc_score(y, p), abs=1e-12)
    assert found["log_loss"] == pytest.approx(log_loss(y, p), abs=1e-12)


def test_the_spread_of_an_auc_is_what_resampling_finds() -> None:
    found = [
        next(m.value for m in measure_ranking(realised(300, 1.0, seed), {}, [], 0.0) if m.method == "roc_auc")
        for seed in range(300)
    ]
    assert spread_of_auc(float(np.mean(found)), 120, 180) == pytest.approx(float(np.std(found)), rel=0.15)


@pytest.mark.parametrize(
    ("tested", "tolerance", "verdict"),
    [(0.76, 0.01, "none"), (0.82, 0.01, "drift"), (0.82, 0.1, "possible"), (0.5, 0.01, "none")],
)
def test_worse_means_beyond_tolerance_and_chance(tested: float, tolerance: float, verdict: str) -> None:
    rows = realised(4000, 1.0)  # an area of 0.76
    (found, *_) = measure_ranking(
        rows, {"overall": OnTestSet(roc_auc=tested, rows=4000, positives=1600)}, [], tolerance
    )
    assert found.verdict == verdict
    assert found.threshold == pytest.approx(tested - tolerance - (found.floor or math.nan))


def test_what_chance_explains_in_a_small_sample_is_not_called_worse() -> None:
    rows = realised(40, 0.8)
    (known, *_) = measure_ranking(rows, {}, [], 0.01)
    (found, *_) = measure_ranking(
        rows, {"overall": OnTestSet(roc_auc=known.value + 0.05, rows=4000, positives=1600)}, [], 0.01
    )
    assert (found.verdict, found.n_reference, found.n_current) == ("none", 4000, 40)


def test_the_same_customers_on_seven_days_are_no_seven_times_as_many_customers() -> None:
    once = realised(400, 1.0).with_columns(customer_id=pl.Series(range(400)))
    week = pl.concat([once] * 7)
    tested = {"overall": OnTestSet(roc_auc=0.83, rows=4_000_000, positives=1_600_000)}

    by_row, by_customer, of_one_day = (
        measure_ranking(rows, tested, [], 0.0, keys=[key] if key else ())[0]
        for rows, key in ((week, None), (week, "customer_id"), (once, "customer_id"))
    )

    assert by_customer.value == pytest.approx(of_one_day.value)
    assert by_customer.floor == pytest.approx(of_one_day.floor)
    assert by_customer.floor == pytest.approx((by_row.floor or math.nan) * math.sqrt(7), rel=0.01)


TESTED = {"overall": OnTestSet(roc_auc=0.99, rows=4000, positives=2000)}


def week(*scores: tuple[float, float]) -> pl.DataFrame:
    """A day for each pair: 20 who come back with the first score, 20 who do not with the second."""
    first = datetime(2026, 1, 6, tzinfo=UTC)
    return pl.concat(
        pl.DataFrame({"label": [True] * 20 + [False] * 20, "probability": [high] * 20 + [low] * 20}).with_columns(
            as_of=pl.lit(first + timedelta(days=at))
        )
        for at, (high, low) in enumerate(scores)
    )


@pytest.mark.parametrize(("odd", "worse"), [(1, False), (2, False), (3, True), (7, True)])
def test_predictions_are_worse_from_the_third_day_on_that_went_wrong(odd: int, *, worse: bool) -> None:
    rows = week(*[(0.9, 0.1)] * (7 - odd), *[(0.1, 0.9)] * odd)

    assert measure_ranking(rows, TESTED, [], 0.01)[0].verdict == "drift"
    assert is_worse_without(rows, TESTED, 0.01, 2) == worse


def test_a_day_that_ranks_its_own_rows_well_and_none_of_the_others_is_odd() -> None:
    rows = week(*[(0.4, 0.2)] * 2, (0.9, 0.6))

    assert measure_ranking(rows, TESTED, [], 0.01)[0].verdict == "drift"  # who does not come back has 0.6 that day
    assert not is_worse_without(rows, TESTED, 0.01, 1)


def test_fewer_days_than_may_be_odd_are_never_worse_and_without_odd_days_all_count() -> None:
    rows = week(*[(0.1, 0.9)] * 2)

    assert not is_worse_without(rows, TESTED, 0.01, 2)
    assert is_worse_without(rows, TESTED, 0.01, 0)


def test_a_slice_with_hardly_any_of_one_kind_is_not_judged() -> None:
    rows = realised(200, 1.0).with_columns(label=pl.col("label") & (pl.col("half") == "a"))
    tested = {"half=b": OnTestSet(roc_auc=0.9, rows=100, positives=50)}
    found = {m.column: m for m in measure_ranking(rows, tested, ["half"], 0.01) if m.method == "roc_auc"}
    assert (found["half=b"].verdict, found["half=b"].note) == ("none", "too few to judge: 0 of 100 came true")
    assert math.isnan(found["half=b"].value)
