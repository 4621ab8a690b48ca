"""Hyper-parameters chosen on validation: every combination of a declared grid, in order, the first of the best wins."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import polars as pl

from mlpipe_assets.catalog.estimators import spell_parameters
from mlpipe_assets.catalog.learners import Learner, named, searchable
from mlpipe_assets.learning.errors import LearningError
from mlpipe_assets.learning.fitting import FittedModel, fit, predict
from mlpipe_assets.learning.tasks.task import Task


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One combination of hyper-parameters, and the metric of its model on validation; None where there was nothing to judge by."""

    point: Mapping[str, Any]
    value: float | None


@dataclass(frozen=True, kw_only=True)
class Searched:
    """What a search did.

    Attributes:
        metric: What was judged by.
        tried: Every combination in the order of the grid.
        chosen: Place of the one that was taken.
    """

    metric: str
    tried: tuple[Tried, ...]
    chosen: int

    def to_dict(self) -> dict[str, Any]:
        """The search as plain values."""
        tried = [{"parameters": dict(one.point), "value": one.value} for one in self.tried]
        return {"metric": self.metric, "chosen": self.chosen, "tried": tried}


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A fitted model, the learner with the hyper-parameters it was fitted with, and how they were found."""

    model: FittedModel
    learner: Learner
    search: Searched | None = None


def fit_best(learner: Learner, train: pl.DataFrame, validation: pl.DataFrame, label: str, task: Task) -> Fit:
    """The model a learner gives, with the best of the hyper-parameters it wants searched.

    Args:
        learner: How to fit, with or without a search.
        train: As of `fit`.
        validation: What combinations are judged on; empty: the first is taken, and nothing is judged.
        label: Name of the label column.
        task: What the label is.

    Raises: LearningError as `fit`, with the combination that failed.
    """
    if learner.search is None:
        return Fit(model=fit(learner, train, validation, label, task), learner=learner)
    metric = learner.search.metric or task.shape.metrics[0]
    sign = 1.0 if metric in task.more_is_better else -1.0
    best: tuple[float, FittedModel, Learner] | None = None
    tried: list[Tried] = []
    chosen = 0
    for point in points(learner):
        candidate = at_point(learner, point)
        try:
            model = fit(candidate, train, validation, label, task)
        except LearningError as error:
            raise LearningError(f"With {spell_parameters(point)}: {error}") from error
        if not validation.height:
            tried += [Tried(point=point, value=None)]
            return Fit(model=model, learner=candidate, search=Searched(metric=metric, tried=tuple(tried), chosen=0))
        value = task.measure(validation[label], predict(model, validation.select(model.features))).to_dict()[metric]
        tried.append(Tried(point=point, value=value))
        score = float("-inf") if value is None else sign * value
        if best is None or score > best[0]:
            best, chosen = (score, model, candidate), len(tried) - 1
    if best is None:
        raise LearningError("The search names no combination. Give its grid values, or take it away.")
    found = Searched(metric=metric, tried=tuple(tried), chosen=chosen)
    return Fit(model=best[1], learner=best[2], search=found)


def points(learner: Learner) -> Iterator[dict[str, Any]]:
    """The combinations of a learner's grid, in order; the last name changes fastest."""
    grid = named(learner.search.grid) if learner.search else {}
    for values in product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def at_point(learner: Learner, point: Mapping[str, Any]) -> Learner:
    """The learner with some hyper-parameters and without a search: fields of its own, or parameters of its estimator."""
    own = searchable(learner)
    of_learner = {name: value for name, value in point.items() if name in own}
    others = {name: value for name, value in point.items() if name not in own}
    return replace(learner, search=None, parameters={**named(learner.parameters), **others}, **of_learner)
