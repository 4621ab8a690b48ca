"""Metrics: by hand, against scikit-learn, and silent where a sample cannot tell."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    log_loss,
    precision_recall_curve,
    roc_auc_score,
)

from mlpipe_assets.learning.evaluation import flat, measure_slices
from mlpipe_assets.learning.metrics import Metrics, calibration, measure, precision_recall
from mlpipe_assets.learning.tasks.binary import BINARY

LABEL = pl.Series([True, False, True, False])
GIVEN = pl.Series([0.9, 0.8, 0.4, 0.1])
SAMPLES = st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=2, max_size=60).filter(
    lambda rows: len({label for label, _ in rows}) == 2
)


def test_metrics_by_hand() -> None:
    found = measure(LABEL, GIVEN)

    assert (found.rows, found.positives, found.prevalence) == (4, 2, 0.5)
    assert found.roc_auc == pytest.approx(3 / 4)  # of four pairs one is the wrong way round
    assert found.pr_auc == pytest.approx((1 + 2 / 3) / 2)
    assert found.brier == pytest.approx((0.01 + 0.64 + 0.36 + 0.01) / 4)
    assert found.calibration_error == pytest.approx((0.1 + 0.8 + 0.6 + 0.1) / 4)


@settings(max_examples=100, deadline=None)
@given(rows=SAMPLES)
def test_metrics_are_those_of_scikit_learn(rows: list[tuple[bool, int]]) -> None:
    label = pl.Series([one for one, _ in rows])
    answers = pl.Series([0.01 + p / 25 for _, p in rows])  # few values, so many ties

    found = measure(label, answers)

    assert found.roc_auc == pytest.approx(roc_auc_score(label, answers), abs=1e-12)
    assert found.pr_auc == pytest.approx(average_precision_score(label, answers), abs=1e-12)
    assert found.log_loss == pytest.approx(log_loss(label, answers, labels=[False, True]), abs=1e-12)
    assert found.brier == pytest.approx(brier_score_loss(label, answers), abs=1e-12)
    precision, recall, _ = precision_recall_curve(label, answers)
    ours = set(precision_recall(label, answers))
    assert all(any(abs(r - x) + abs(p - y) < 1e-12 for x, y in zip(recall, precision, strict=True)) for r, p in ours)


def test_what_a_sample_cannot_tell_is_none() -> None:
    one_class = measure(pl.Series([True, True]), pl.Series([0.5, 1.0]))

    assert (one_class.roc_auc, one_class.pr_auc) == (None, None)
    assert one_class.log_loss == pytest.approx(0.34657359)
    assert measure(pl.Series([], dtype=pl.Boolean), pl.Series([], dtype=pl.Float64)) == Metrics(rows=0, positives=0)


def test_a_sure_answer_that_is_wrong_costs_much_but_not_everything() -> None:
    assert measure(pl.Series([True]), pl.Series([0.0])).log_loss == pytest.approx(34.5, abs=0.1)


def test_bins_of_calibration_by_hand() -> None:
    bins = calibration(pl.Series([True, False, True, True]), pl.Series([0.1, 0.14, 0.95, 1.0]))

    assert_frame_equal(
        bins,
        pl.DataFrame(
            {"low": [0.1, 0.9], "high": [0.2, 1.0], "rows": [2, 2], "predicted": [0.12, 0.975], "observed": [0.5, 1.0]}
        ),
    )


def test_slices_say_how_many_rows_they_have() -> None:
    slices = pl.DataFrame({"region": ["n", "n", "n", "s"]})

    found = measure_slices(BINARY, LABEL, GIVEN, slices)

    assert {value: m.rows for value, m in found["region"].items()} == {"n": 3, "s": 1}
    assert found["region"]["n"].to_dict()["roc_auc"] == pytest.approx(0.5)
    assert found["region"]["s"].to_dict()["roc_auc"] is None


def test_metrics_go_flat_into_a_table() -> None:
    assert flat({"test": measure(LABEL, GIVEN)}, ("rows", "roc_auc")) == {"test_rows": 4, "test_roc_auc": 0.75}
