"""A fitted model held against its baselines on validation and test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from mlpipe_assets.catalog.learners import Learner
from mlpipe_assets.learning.errors import LearningError
from mlpipe_assets.learning.fitting import FittedModel, fit, predict
from mlpipe_assets.learning.tasks.binary import BINARY
from mlpipe_assets.learning.tasks.registry import task_named
from mlpipe_assets.learning.tasks.task import Measured, Task

RECENCY = "recency"
EVALUATED = ("validation", "test")


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How good a model is on validation and test, next to its baselines.

    Attributes:
        model: Metrics by split.
        baselines: Metrics by baseline and split.
        slices: Metrics by split, slice column and value.
        answers: What the model answers by split, in the order of its rows.
        baseline_answers: What the baselines answer, by baseline and split.
        task: What the answers are.
    """

    model: Mapping[str, Measured]
    baselines: Mapping[str, Mapping[str, Measured]]
    slices: Mapping[str, Mapping[str, Mapping[str, Measured]]]
    answers: Mapping[str, pl.Series]
    baseline_answers: Mapping[str, Mapping[str, pl.Series]]
    task: Task = BINARY

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
    """Metrics of a model, of baselines fitted on train, and of slices.

    Baselines of the task look at no feature: they answer what train was like on the whole. The recency baseline is a linear
    model of the learner's recency column alone, nulls filled by the median with an indicator.

    Args:
        model: Fitted on `splits["train"]`.
        learner: As declared.
        splits: train, validation and test; one that is empty has no metrics.
        label: Name of the label column.
        slices: Slice columns by split, rows aligned with those of the split; may be empty.

    Raises: LearningError when the model gives answers that are none.
    """
    task = task_named(model.task)
    rows = {name: splits[name] for name in EVALUATED if splits[name].height}
    answers = {name: predict(model, frame.select(model.features)) for name, frame in rows.items()}
    for name, given in answers.items():
        if task.unsound(given):
            raise LearningError(f"The model gives answers on {name} that are NaN, infinite or no probabilities.")
    baselines: dict[str, dict[str, pl.Series]] = {}
    for name, frame in rows.items():
        for baseline, given in task.constants(model.label, frame.height).items():
            baselines.setdefault(baseline, {})[name] = given
    simple = _recency(learner, splits, label, task)
    if simple is not None:
        baselines[RECENCY] = {name: predict(simple, frame.select(simple.features)) for name, frame in rows.items()}
    return Evaluation(
        model={name: task.measure(frame[label], answers[name]) for name, frame in rows.items()},
        baselines={
            baseline: {name: task.measure(frame[label], found[name]) for name, frame in rows.items()}
            for baseline, found in baselines.items()
        },
        slices={
            name: measure_slices(task, rows[name][label], answers[name], frame)
            for name, frame in slices.items()
            if name in rows
        },
        answers=answers,
        baseline_answers=baselines,
        task=task,
    )


def measure_slices(
    task: Task, label: pl.Series, answers: pl.Series, slices: pl.DataFrame
) -> dict[str, dict[str, Measured]]:
    """Metrics of each value of each slice column, by column and value; rows align with the labels."""
    return {
        name: {
            f"{value}": task.measure(label.filter(slices[name] == value), answers.filter(slices[name] == value))
            for value in slices[name].drop_nulls().unique().sort()
        }
        for name in slices.columns
    }


def flat(named: Mapping[str, Measured], names: Sequence[str]) -> dict[str, float | None]:
    """Metrics by `<split>_<metric>`, for a table."""
    return {f"{split}_{name}": metrics.to_dict()[name] for split, metrics in named.items() for name in names}


def _recency(learner: Learner, splits: Mapping[str, pl.DataFrame], label: str, task: Task) -> FittedModel | None:
    if learner.recency is None:
        return None
    rule = replace(
        learner,
        numeric=(learner.recency,),
        categorical=(),
        algorithm=task.shape.linear,
        missing="median",
        scaling="standard",
        keep=None,
        rounds=1000,
        estimator=None,
        parameters=(),
        trusted=(),
        search=None,
    )
    try:
        return fit(rule, splits["train"], splits["validation"], label, task)
    except LearningError:  # the column holds nothing in train: there is no such rule to compare with
        return None
