"""Metrics of several classes: by hand, against scikit-learn, and silent where rows cannot tell."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss, roc_auc_score

from mlpipe_assets.learning.class_metrics import ClassMetrics, likeliest, measure_answered, measure_classes, names_of

CLASSES = ["app", "shop", "web"]
LABEL = pl.Series(["app", "web", "web", "shop"])
GIVEN = pl.DataFrame({"app": [0.6, 0.5, 0.1, 0.2], "shop": [0.3, 0.1, 0.1, 0.2], "web": [0.1, 0.4, 0.8, 0.6]})


def test_metrics_by_hand() -> None:
    found = measure_classes(LABEL, GIVEN)

    assert found.accuracy == 0.5
    assert found.log_loss == pytest.approx(-np.log([0.6, 0.4, 0.8, 0.2]).mean())
    assert found.confusion == {"app": {"app": 1}, "shop": {"web": 1}, "web": {"app": 1, "web": 1}}
    assert found.by_class["app"] == {
        "rows": 1,
        "answered": 2,
        "precision": 0.5,
        "recall": 1.0,
        "f1": pytest.approx(2 / 3),
        "roc_auc": 1.0,
    }
    assert found.by_class["shop"]["precision"] is None  # never answered
    assert names_of(found.confusion) == CLASSES


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(st.sampled_from(CLASSES), *[st.integers(1, 9)] * 3), min_size=4, max_size=40).filter(
        lambda rows: len({label for label, *_ in rows}) == 3
    )
)
def test_metrics_are_those_of_scikit_learn(rows: list[tuple[str, int, int, int]]) -> None:
    label = [one for one, *_ in rows]
    weights = np.array([one[1:] for one in rows], dtype=float)
    table = weights / weights.sum(axis=1, keepdims=True)
    probabilities = pl.DataFrame(dict(zip(CLASSES, table.T, strict=True)))

    found = measure_classes(pl.Series(label), probabilities)

    answered = likeliest(probabilities)[0].to_list()
    assert found.log_loss == pytest.approx(log_loss(label, table, labels=CLASSES), abs=1e-12)
    assert found.accuracy == pytest.approx(accuracy_score(label, answered))
    assert found.macro_f1 == pytest.approx(f1_score(label, answered, average="macro", zero_division=0))
    assert found.macro_roc_auc == pytest.approx(
        roc_auc_score(label, table, multi_class="ovr", labels=CLASSES), abs=1e-12
    )
    counts = [[found.confusion.get(a, {}).get(b, 0) for b in CLASSES] for a in CLASSES]
    assert counts == confusion_matrix(label, answered, labels=CLASSES).tolist()


def test_a_class_that_train_did_not_have_costs_much_but_not_everything() -> None:
    found = measure_classes(pl.Series(["fax"]), GIVEN[:1])

    assert found.log_loss == pytest.approx(34.5, abs=0.1)
    assert found.macro_roc_auc is None


def test_stored_predictions_tell_what_the_likeliest_class_tells() -> None:
    answered, top = likeliest(GIVEN)
    whole, stored = measure_classes(LABEL, GIVEN), measure_answered(LABEL, answered, top)

    assert (stored.accuracy, stored.macro_f1, stored.confusion) == (whole.accuracy, whole.macro_f1, whole.confusion)
    assert stored.calibration_error == whole.calibration_error
    assert stored.log_loss is None


def test_no_rows_tell_nothing() -> None:
    assert measure_classes(LABEL[:0], GIVEN[:0]) == ClassMetrics(rows=0)
    assert measure_answered(LABEL[:0], LABEL[:0], GIVEN["app"][:0]) == ClassMetrics(rows=0)
