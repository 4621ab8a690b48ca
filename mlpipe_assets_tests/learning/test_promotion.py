"""Promotion: one test a rule."""

from typing import Any

import pytest

from mlpipe_assets.catalog.learners import Promotion
from mlpipe_assets.learning.metrics import Metrics
from mlpipe_assets.learning.promotion import decide, lost_to
from mlpipe_assets.learning.tasks.binary import BINARY
from mlpipe_assets.learning.tasks.task import Difference

RULES = Promotion(min_roc_auc=0.6, max_log_loss_ratio=0.9, tolerance=0.01)
SAME = Difference(rows=100, keys=50, value=-0.004, low=-0.02, high=0.01, replicates=200)
PREVALENCE = Metrics(rows=10, positives=5, roc_auc=0.5, log_loss=0.7)


def decided(**changes: Any) -> tuple[bool, bool, str]:
    sound: dict[str, Any] = {
        "missed": [],
        "golden_problem": None,
        "newer_champion": None,
        "champion": "v1",
        "champion_outdated": None,
        "lost": None,
        "difference": SAME,
    }
    decision = decide(**{**sound, **changes})
    return decision.promoted, decision.loses, decision.reason


@pytest.mark.parametrize(
    ("roc_auc", "log_loss", "problems"),
    [
        (0.6, 0.63, []),
        (0.59, 0.6, ["ROC AUC 0.5900 on test is below 0.6"]),
        (0.7, 0.631, ["log loss 0.6310 on test is above 0.6300 (0.9 times the prevalence baseline)"]),
        (None, 0.1, ["ROC AUC on test cannot be told: 10 of 10 rows are positive"]),
    ],
)
def test_absolute_thresholds(roc_auc: float | None, log_loss: float, problems: list[str]) -> None:
    test = Metrics(rows=10, positives=10 if roc_auc is None else 5, roc_auc=roc_auc, log_loss=log_loss)

    assert BINARY.missed(RULES, test, {"prevalence": PREVALENCE}) == problems


@pytest.mark.parametrize(
    ("value", "low", "high", "loses"),
    [
        (-0.05, -0.07, -0.011, True),
        (-0.05, -0.07, -0.01, False),  # the interval still reaches the tolerance
        (-0.05, -0.12, 0.02, False),
        (0.05, 0.01, 0.09, False),
    ],
)
def test_losing_takes_more_than_tolerance_and_chance(value: float, low: float, high: float, *, loses: bool) -> None:
    found = lost_to(RULES, Difference(rows=100, keys=50, value=value, low=low, high=high, replicates=200))

    assert (found is not None) is loses


def test_no_rows_new_to_both_is_no_win() -> None:
    found = lost_to(RULES, Difference(rows=0, keys=0))

    assert found == "it cannot be compared with the champion: 0 test rows lie after all the champion has seen"


def test_the_first_model_that_holds_every_threshold_is_champion() -> None:
    assert decided(champion=None, difference=None) == (True, False, "the first model to hold every threshold")


def test_a_model_below_a_threshold_is_kept_even_when_it_is_the_first() -> None:
    assert decided(champion=None, missed=["ROC AUC is low"]) == (False, False, "kept, not promoted: ROC AUC is low")


def test_a_challenger_that_does_not_lose_is_promoted_with_its_interval() -> None:
    assert decided() == (
        True,
        False,
        "does not lose to v1: ROC AUC -0.0040 on the same 100 rows (95 % interval -0.0200 to +0.0100)",
    )


def test_a_challenger_that_loses_is_kept() -> None:
    assert decided(lost="it ranks worse") == (False, True, "kept, not promoted: it ranks worse")


def test_a_challenger_that_does_not_answer_is_kept() -> None:
    assert decided(golden_problem="it does not load") == (False, False, "kept, not promoted: it does not load")


def test_an_older_training_set_does_not_replace_a_newer_champion() -> None:
    promoted, _, reason = decided(newer_champion="v1")

    assert not promoted
    assert reason == "kept, not promoted: the champion v1 learnt from a later training set"


def test_a_champion_that_cannot_be_asked_makes_way_on_the_thresholds_alone() -> None:
    promoted, loses, reason = decided(
        champion_outdated="it learnt from other features", lost="unknown", difference=None
    )

    assert (promoted, loses) == (True, False)
    assert reason == "holds every threshold; not compared with v1: it learnt from other features"
