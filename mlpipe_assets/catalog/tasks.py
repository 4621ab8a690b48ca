"""What each task asks of a declaration: its label, the columns of its predictions, the fields that concern it.

What a task does with numbers is in `learning/tasks`, one module each; nothing here needs numpy or scikit-learn.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from mlpipe_assets.catalog.learners import Algorithm
from mlpipe_assets.contracts.golden_answers import GoldenAnswers, GoldenClassAnswers, GoldenNumbers
from mlpipe_assets.rules import Contract

TaskName = Literal["binary", "multiclass", "regression"]
CLASS_PREFIX = "probability_"  # and the class: a column of predictions that a contract may ask for


@dataclass(frozen=True, kw_only=True)
class TaskShape:
    """What a task asks of a declaration.

    Attributes:
        what: What its models are, with an article.
        label: What its label must be, in words.
        fits: Whether a label of this type is one.
        answers: Columns of its predictions, each with what it must be in words and by type.
        per_class: Whether predictions may have the probability of each class, too.
        algorithms: The built-in ones.
        linear: The linear one of them, which the recency baseline is.
        estimator: Which scikit-learn estimators it takes: those with `predict_proba`, or numbers by `predict`.
        bounds: Fields of `Promotion` that concern it.
        metrics: What a search may judge by, the task's own first.
        golden: Contract of its golden answers.
    """

    what: str
    label: str
    fits: Callable[[pl.DataType], bool]
    answers: Mapping[str, tuple[str, Callable[[pl.DataType], bool]]]
    per_class: bool = False
    algorithms: tuple[Algorithm, ...]
    linear: Algorithm
    estimator: Literal["classifier", "regressor"]
    bounds: tuple[str, ...]
    metrics: tuple[str, ...]
    golden: Contract


def _is_float(dtype: pl.DataType) -> bool:
    return dtype.is_float()


def _is_flag(dtype: pl.DataType) -> bool:
    return dtype == pl.Boolean


def _is_class(dtype: pl.DataType) -> bool:
    return dtype == pl.String or dtype.is_integer()


TASKS: Mapping[str, TaskShape] = {
    "binary": TaskShape(
        what="A classifier",
        label="bool: did it happen or not",
        fits=lambda dtype: dtype == pl.Boolean or dtype.is_integer(),
        answers={"probability": ("a float", _is_float), "decision": ("bool", _is_flag)},
        algorithms=("gradient_boosting", "logistic_regression"),
        linear="logistic_regression",
        estimator="classifier",
        bounds=("min_roc_auc", "max_log_loss_ratio"),
        metrics=("roc_auc", "log_loss", "pr_auc", "brier"),
        golden=GoldenAnswers,
    ),
    "multiclass": TaskShape(
        what="A classifier of several classes",
        label="a text or a whole number: which class it was",
        fits=_is_class,
        answers={
            "prediction": ("a text or a whole number, as the label", _is_class),
            "probability": ("a float", _is_float),
        },
        per_class=True,
        algorithms=("gradient_boosting", "logistic_regression"),
        linear="logistic_regression",
        estimator="classifier",
        bounds=("max_loss_ratio",),
        metrics=("log_loss", "accuracy", "macro_f1", "macro_roc_auc"),
        golden=GoldenClassAnswers,
    ),
    "regression": TaskShape(
        what="A regression",
        label="a number: how much it was",
        fits=lambda dtype: dtype.is_numeric(),
        answers={"prediction": ("a float", _is_float)},
        algorithms=("gradient_boosting", "linear_regression"),
        linear="linear_regression",
        estimator="regressor",
        bounds=("max_loss_ratio",),
        metrics=("rmse", "mae", "r2", "median_absolute_error"),
        golden=GoldenNumbers,
    ),
}
