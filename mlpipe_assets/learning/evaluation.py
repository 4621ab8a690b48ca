"""A fitted model held against its baselines on validation and test."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from mlpipe_assets.catalog.learners import Learner
from mlpipe_assets.learning.errors import LearningError
from mlpipe_assets.learning.fitting import FittedModel, fit, predict
from mlpipe_assets.learning.metrics import Metrics, measure, measure_slices

PREVALENCE, RECENCY = "prevalence", "recency"
EVALUATED = ("validation", "test")


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How good a model is on validation and test, next to its baselines.

    Attributes:
        model: Metrics by split.
        baselines: Metrics by baseline and split.
        slices: Metrics by split, slice column and value.
        answers: The model's probabilities by split, in the order of its rows.
        baseline_answers: Those of the baselines, by baseline and split.
    """

    model: Mapping[str, Metrics]
    baselines: Mapping[str, Mapping[str, Metrics]]
    slices: Mapping[str, Mapping[str, Mapping[str, Metrics]]]
    answers: Mapping[str, pl.Series]
    baseline_answers: Mapping[str, Mapping[str, pl.Series]]

    def to_dict(self) -> dict[str, Any]:
        """The metrics by name: of the model, the baselines and the slices."""
        return {
            "model": {split: metrics.to_dict() for split, metrics in self.model.items()},
            "baselines": {
                name: {split: metrics.to_dict() for split, metrics in found.items()}
                for name, found in self.baselines.items()
            },
            "slices": {
                split: {
                    name: {value: metrics.to_dict() for value, metrics in values.items()}
                    for name, values in found.items()
                }
                for split, found in self.slices.items()
            },
        }


def evaluate(
    model: FittedModel,
    learner: Learner,
    splits: Mapping[str, pl.DataFrame],
    label: str,
    slices: Mapping[str, pl.DataFrame],
) -> Evaluation:
    """Metrics of a model, of two baselines fitted on train, and of slices.

    The prevalence baseline answers the share of positives in train for every row. The recency baseline is a logistic
    regression on the learner's recency column alone, nulls filled by the median with an indicator.

    Args:
        model: Fitted on `splits["train"]`.
        learner: As declared.
        splits: train, validation and test; one that is empty has no metrics.
        label: Name of the label column.
        slices: Slice columns by split, rows aligned with those of the split; may be empty.
    """
    rows = {name: splits[name] for name in EVALUATED if splits[name].height}
    answers = {name: predict(model, frame.select(model.features)) for name, frame in rows.items()}
    baselines: dict[str, dict[str, pl.Series]] = {
        PREVALENCE: {name: pl.repeat(model.prevalence, f.height, eager=True) for name, f in rows.items()}
    }
    simple = _recency(learner, splits, label)
    if simple is not None:
        baselines[RECENCY] = {name: predict(simple, frame.select(simple.features)) for name, frame in rows.items()}
    return Evaluation(
        model={name: measure(frame[label], answers[name]) for name, frame in rows.items()},
        baselines={
            baseline: {name: measure(frame[label], found[name]) for name, frame in rows.items()}
            for baseline, found in baselines.items()
        },
        slices={
            name: measure_slices(rows[name][label], answers[name], frame)
            for name, frame in slices.items()
            if name in rows
        },
        answers=answers,
        baseline_answers=baselines,
    )


def _recency(learner: Learner, splits: Mapping[str, pl.DataFrame], label: str) -> FittedModel | None:
    if learner.recency is None:
        return None
    rule = replace(
        learner,
        numeric=(learner.recency,),
        categorical=(),
        algorithm="logistic_regression",
        missing="median",
        scaling="standard",
        keep=None,
        rounds=1000,
    )
    try:
        return fit(rule, splits["train"], splits["validation"], label)
    except LearningError:  # the column holds nothing in train: there is no such rule to compare with
        return None
