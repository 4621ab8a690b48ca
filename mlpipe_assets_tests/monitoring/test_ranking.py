"""Realised ranking against what the test set promised."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from mlpipe_assets.learning.metrics import spread_of_auc
from mlpipe_assets.learning.tasks.multiclass import MULTICLASS
from mlpipe_assets.learning.tasks.regression import REGRESSION
from mlpipe_assets.monitoring.ranking import is_worse_without, measure_realised


def realised(rows: int, separation: float, seed: int = 1) -> pl.DataFrame:
    chance = np.random.default_rng(seed)
    label = chance.random(rows) < 0.4
    score = chance.normal(label * separation, 1.0)
    return pl.DataFrame({"label": label, "probability": 1 / (1 + np.exp(-score)), "half": ["a", "b"] * (rows // 2)})


def test_the_numbers_are_those_of_scikit_learn() -> None:
    rows = realised(400, 1.0)
    found = {m.method: m.value for m in measure_realised(rows, {}, [], 0.01)}
    y, p = rows["label"].to_numpy(), rows["probability"].to_numpy()
    assert found["roc_auc"] == pytest.approx(roc_auc_score(y, p), abs=1e-12)
    assert found["log_loss"] == pytest.approx(log_loss(y, p), abs=1e-12)


def test_the_spread_of_an_auc_is_what_resampling_finds() -> None:
    found = [
        next(m.value for m in measure_realised(realised(300, 1.0, seed), {}, [], 0.0) if m.method == "roc_auc")
        for seed in range(300)
    ]
    assert spread_of_auc(float(np.mean(found)), 120, 180) == pytest.approx(float(np.std(found)), rel=0.15)


@pytest.mark.parametrize(
    ("tested", "tolerance", "verdict"),
    [(0.76, 0.01, "none"), (0.82, 0.01, "drift"), (0.82, 0.1, "possible"), (0.5, 0.01, "none")],
)
def test_worse_means_beyond_tolerance_and_chance(tested: float, tolerance: float, verdict: str) -> None:
    rows = realised(4000, 1.0)  # an area of 0.76
    (found, *_) = measure_realised(
        rows, {"overall": {"roc_auc": tested, "rows": 4000, "positives": 1600}}, [], tolerance
    )
    assert found.verdict == verdict
    assert found.threshold == pytest.approx(tested - tolerance - (found.floor or math.nan))


def test_what_chance_explains_in_a_small_sample_is_not_called_worse() -> None:
    rows = realised(40, 0.8)
    (known, *_) = measure_realised(rows, {}, [], 0.01)
    (found, *_) = measure_realised(
        rows, {"overall": {"roc_auc": known.value + 0.05, "rows": 4000, "positives": 1600}}, [], 0.01
    )
    assert (found.verdict, found.n_reference, found.n_current) == ("none", 4000, 40)


def test_the_same_customers_on_seven_days_are_no_seven_times_as_many_customers() -> None:
    once = realised(400, 1.0).with_columns(customer_id=pl.Series(range(400)))
    week = pl.concat([once] * 7)
    tested = {"overall": {"roc_auc": 0.83, "rows": 4_000_000, "positives": 1_600_000}}

    by_row, by_customer, of_one_day = (
        measure_realised(rows, tested, [], 0.0, keys=[key] if key else ())[0]
        for rows, key in ((week, None), (week, "customer_id"), (once, "customer_id"))
    )

    assert by_customer.value == pytest.approx(of_one_day.value)
    assert by_customer.floor == pytest.approx(of_one_day.floor)
    assert by_customer.floor == pytest.approx((by_row.floor or math.nan) * math.sqrt(7), rel=0.01)


TESTED = {"overall": {"roc_auc": 0.99, "rows": 4000, "positives": 2000}}


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

    assert measure_realised(rows, TESTED, [], 0.01)[0].verdict == "drift"
    assert is_worse_without(rows, TESTED, 0.01, 2) == worse


def test_a_day_that_ranks_its_own_rows_well_and_none_of_the_others_is_odd() -> None:
    rows = week(*[(0.4, 0.2)] * 2, (0.9, 0.6))

    assert measure_realised(rows, TESTED, [], 0.01)[0].verdict == "drift"  # who does not come back has 0.6 that day
    assert not is_worse_without(rows, TESTED, 0.01, 1)


def test_fewer_days_than_may_be_odd_are_never_worse_and_without_odd_days_all_count() -> None:
    rows = week(*[(0.1, 0.9)] * 2)

    assert not is_worse_without(rows, TESTED, 0.01, 2)
    assert is_worse_without(rows, TESTED, 0.01, 0)


def test_a_slice_with_hardly_any_of_one_kind_is_not_judged() -> None:
    rows = realised(200, 1.0).with_columns(label=pl.col("label") & (pl.col("half") == "a"))
    tested = {"half=b": {"roc_auc": 0.9, "rows": 100, "positives": 50}}
    found = {m.column: m for m in measure_realised(rows, tested, ["half"], 0.01) if m.method == "roc_auc"}
    assert (found["half=b"].verdict, found["half=b"].note) == ("none", "too few to judge: 0 of 100 came true")
    assert math.isnan(found["half=b"].value)


def realised_numbers(rows: int, noise: float, seed: int = 1) -> pl.DataFrame:
    chance = np.random.default_rng(seed)
    label = chance.gamma(2.0, 10.0, rows)
    return pl.DataFrame({"label": label, "prediction": label + chance.normal(0, noise, rows)})


def of_test(rows: pl.DataFrame) -> dict[str, dict[str, float]]:
    return {"overall": REGRESSION.measure_realised(rows).to_dict()}


@pytest.mark.parametrize(
    ("noise", "tolerance", "verdict"),
    [(5.0, 0.01, "none"), (6.0, 0.01, "drift"), (6.0, 0.5, "possible"), (4.0, 0.01, "none")],
)
def test_numbers_are_worse_where_they_are_further_off(noise: float, tolerance: float, verdict: str) -> None:
    tested = of_test(realised_numbers(4000, 5.0, seed=2))

    found = measure_realised(realised_numbers(4000, noise), tested, [], tolerance, task=REGRESSION)

    (whole, *evidence) = found
    assert (whole.method, whole.verdict) == ("mae", verdict)
    assert whole.threshold == pytest.approx(tested["overall"]["mae"] * (1 + tolerance) + (whole.floor or math.nan))
    assert [one.method for one in evidence] == ["rmse", "bias", "r2", "mean_of_the_label"]


def test_the_spread_of_a_mean_error_is_what_resampling_finds() -> None:
    samples = [realised_numbers(300, 5.0, seed) for seed in range(200)]
    found = [REGRESSION.measure_realised(rows).mae or 0.0 for rows in samples]

    spread = REGRESSION.spread(REGRESSION.measure_realised(samples[0]).to_dict(), 1.0)

    assert spread == pytest.approx(float(np.std(found)), rel=0.2)


def test_classes_are_worse_where_fewer_come_true() -> None:
    right = pl.DataFrame({"label": ["a"] * 90 + ["b"] * 10, "prediction": ["a"] * 100, "probability": [0.9] * 100})
    wrong = right.with_columns(label=pl.Series(["a"] * 60 + ["c"] * 40))
    tested = {"overall": MULTICLASS.measure_realised(pl.concat([right] * 10)).to_dict()}

    assert measure_realised(right, tested, [], 0.01, task=MULTICLASS)[0].verdict == "none"
    found = measure_realised(wrong, tested, [], 0.01, task=MULTICLASS)
    assert (found[0].method, found[0].value, found[0].verdict) == ("accuracy", 0.6, "drift")
    few = measure_realised(wrong[:29], tested, [], 0.01, task=MULTICLASS)[0]
    assert (few.verdict, few.note) == ("none", "too few to judge: 29 rows")


def test_numbers_that_went_wrong_on_one_day_alone_are_odd() -> None:
    first = datetime(2026, 1, 6, tzinfo=UTC)
    days = [
        realised_numbers(200, 50.0 if at == 3 else 5.0, seed=at).with_columns(as_of=pl.lit(first + timedelta(days=at)))
        for at in range(7)
    ]
    rows, tested = pl.concat(days), of_test(realised_numbers(4000, 5.0, seed=9))

    assert measure_realised(rows, tested, [], 0.01, task=REGRESSION)[0].verdict == "drift"
    assert not is_worse_without(rows, tested, 0.01, 1, task=REGRESSION)
    assert is_worse_without(rows, tested, 0.01, 0, task=REGRESSION)
