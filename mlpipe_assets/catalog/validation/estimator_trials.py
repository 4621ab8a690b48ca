"""Whether declared estimators can be fitted, repeated and stored, found by fitting each on a few made-up rows.

That imports scikit-learn and starts threads, so who loads a catalog to work with it asks, and not its import.
"""
# ruff: noqa: PLC0415

import warnings
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from mlpipe_assets.catalog.declarations import Model
from mlpipe_assets.catalog.estimators import (
    EstimatorError,
    build_estimator,
    is_of_kind,
    is_pipeline,
    spell_estimator,
)
from mlpipe_assets.catalog.learners import Learner, named, searchable
from mlpipe_assets.catalog.tasks import TASKS
from mlpipe_assets.catalog.trusted_types import TRUSTED

_ROWS = 60


@cache
def estimator_problems(model: Model) -> tuple[str, ...]:
    """Why the estimator of a model's learner cannot be used; empty where it can, or none is declared."""
    learner = model.learner
    if learner is None or learner.estimator is None:
        return ()
    try:
        made, again = build_estimator(learner), build_estimator(learner)
    except EstimatorError as error:
        return (f"learner.estimator: {error}",)
    name, shape = spell_estimator(learner), TASKS[model.task]
    if not is_of_kind(made, shape.estimator):
        wanted = (
            "a regressor" if shape.estimator == "regressor" else "a classifier that gives probabilities (predict_proba)"
        )
        return (f"learner.estimator: {name} is a {type(made).__name__}, and {model.task} takes {wanted}",)
    if absent := _absent_parameters(learner, made):
        return (f"learner.search: {name} has no parameter {', '.join(map(repr, absent))}",)
    rows, labels = _rows(learner, whole=is_pipeline(made)), _labels(model.task)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a few rows an estimator may say what it does not say of many
        try:
            first, second = (_answers(one.fit(rows, labels), rows) for one in (made, again))
        except Exception as error:  # noqa: BLE001 (whatever an estimator raises)
            words = (str(error).strip().splitlines() or [""])[0][:300]
            nulls = " with nulls" if learner.missing == "native" or is_pipeline(made) else ""
            return (
                f"learner.estimator: {name} cannot be fitted on {_ROWS} made-up rows{nulls}: {type(error).__name__}: {words}",
            )
        if not np.array_equal(first, second, equal_nan=True):
            return (f"learner.estimator: {name} gives other answers when it is fitted again on the same rows",)
        return tuple(_storing_problems(learner, name, made))


def _absent_parameters(learner: Learner, made: Any) -> list[str]:  # noqa: ANN401 (scikit-learn has no types)
    own, known = searchable(learner), made.get_params()
    grid = named(learner.search.grid) if learner.search else {}
    return [one for one in grid if one not in own and one not in known]


def _rows(learner: Learner, *, whole: bool) -> Any:  # noqa: ANN401 (a frame for a pipeline, else the prepared matrix)
    chance = np.random.default_rng(learner.seed)
    numbers = chance.normal(size=(_ROWS, len(learner.numeric)))
    if whole or learner.missing == "native":
        numbers[chance.random(numbers.shape) < 0.1] = np.nan  # noqa: PLR2004 (some)
    if not whole:
        return np.hstack([numbers, chance.integers(0, 2, (_ROWS, len(learner.categorical)))])
    texts = {name: [("a", "b", None)[i] for i in chance.integers(0, 3, _ROWS)] for name in learner.categorical}
    columns = {name: numbers[:, i] for i, name in enumerate(learner.numeric)}
    return pl.DataFrame({**columns, **{name: pl.Series(values, dtype=pl.String) for name, values in texts.items()}})


def _labels(task: str) -> Any:  # noqa: ANN401 (numbers or classes)
    if TASKS[task].estimator == "regressor":
        return np.random.default_rng(1).normal(size=_ROWS)
    return np.arange(_ROWS) % (3 if TASKS[task].per_class else 2)


def _answers(fitted: Any, rows: Any) -> Any:  # noqa: ANN401 (as above)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return fitted.predict_proba(rows) if hasattr(fitted, "predict_proba") else fitted.predict(rows)


def _storing_problems(learner: Learner, name: str, fitted: Any) -> list[str]:  # noqa: ANN401 (as above)
    import skops.io

    try:
        content = skops.io.dumps(fitted)
    except Exception as error:  # noqa: BLE001 (whatever it raises, it cannot be stored)
        words = (str(error).strip().splitlines() or [""])[0][:300]
        return [f"learner.estimator: {name} cannot be stored without pickle: {type(error).__name__}: {words}"]
    strange = sorted({*skops.io.get_untrusted_types(data=content)} - {*TRUSTED, *learner.trusted})
    if not strange:
        return []
    held = ", ".join(f'"{one}"' for one in strange)
    return [
        f"learner.estimator: {name} holds {held} when fitted: look at each and declare trusted=({held},) if you trust it"
    ]
