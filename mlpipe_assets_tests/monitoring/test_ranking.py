"""Realised ranking against what the test set promised."""

import math

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from mlpipe_assets.monitoring.champions import OnTestSet
from mlpipe_assets.monitoring.ranking import measure_ranking, spread_of_auc


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
        measure_ranking(rows, tested, [], 0.0, key=key)[0]
        for rows, key in ((week, None), (week, "customer_id"), (once, "customer_id"))
    )

    assert by_customer.value == pytest.approx(of_one_day.value)
    assert by_customer.floor == pytest.approx(of_one_day.floor)
    assert by_customer.floor == pytest.approx((by_row.floor or math.nan) * math.sqrt(7), rel=0.01)


def test_a_slice_with_hardly_any_of_one_kind_is_not_judged() -> None:
    rows = realised(200, 1.0).with_columns(label=pl.col("label") & (pl.col("half") == "a"))
    tested = {"half=b": OnTestSet(roc_auc=0.9, rows=100, positives=50)}
    found = {m.column: m for m in measure_ranking(rows, tested, ["half"], 0.01) if m.method == "roc_auc"}
    assert (found["half=b"].verdict, found["half=b"].note) == ("none", "too few to judge: 0 of 100 came true")
    assert math.isnan(found["half=b"].value)
