"""The shapes of how a model learns, and of what it must show to become champion."""

from dataclasses import dataclass
from typing import Literal

from mlpipe_assets.catalog.places import Declared


@dataclass(frozen=True, kw_only=True)
class Learner(Declared):
    """How a classifier is fitted on a training set: every step between a feature row and a probability.

    Attributes:
        numeric: Feature columns taken as numbers.
        categorical: Feature columns taken as one-hot encoded categories; a null is a category of its own.
        algorithm: `gradient_boosting` (early stopping on the validation split) or `logistic_regression`.
        scaling: `standard` or `none`, of the numeric columns.
        missing: Of numeric nulls: `median` with an indicator column, or `native` where the algorithm knows nulls.
        keep: How many of the prepared columns to keep, by mutual information with the label on train; None keeps all.
        rounds: Most boosting rounds, or iterations.
        rounds_unwatched: Boosting rounds while the history is too short for a validation split to say when to stop.
        learning_rate: Of gradient boosting.
        leaves: Most leaves of one tree.
        patience: Rounds without a better validation loss after which boosting stops.
        seed: Of everything random.
        decide_above: Probability from which the decision is yes.
        recency: Numeric column the recency baseline ranks by, smaller meaning more likely; None leaves it out.
    """

    numeric: tuple[str, ...]
    categorical: tuple[str, ...] = ()
    algorithm: Literal["gradient_boosting", "logistic_regression"] = "gradient_boosting"
    scaling: Literal["standard", "none"] = "none"
    missing: Literal["median", "native"] = "native"
    keep: int | None = None
    rounds: int = 300
    rounds_unwatched: int = 50
    learning_rate: float = 0.1
    leaves: int = 15
    patience: int = 20
    seed: int = 7
    decide_above: float = 0.5
    recency: str | None = None


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """What a challenger must show before it becomes champion, all of it on the test split.

    Attributes:
        min_roc_auc: Least area under the ROC curve.
        max_log_loss_ratio: Most log loss, as a multiple of that of the prevalence baseline.
        tolerance: How much smaller than the champion's the ROC AUC may be on the same rows, beyond what the paired
            bootstrap interval of the difference explains.
        answers_within: How far a probability may move on the golden rows before the check fails.
    """

    min_roc_auc: float = 0.55
    max_log_loss_ratio: float = 1.0
    tolerance: float = 0.01
    answers_within: float = 1e-6
