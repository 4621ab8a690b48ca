"""The estimator that a learner declares in place of a built-in one: resolved, seeded and on one thread, or why it cannot be.

scikit-learn takes seconds to import, so it is imported where an estimator is asked for.
"""
# ruff: noqa: PLC0415

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

from mlpipe_assets.catalog.learners import Learner, named
from mlpipe_assets.errors import MlpipeError


class EstimatorError(MlpipeError):
    """A declared estimator that is none, or cannot be made."""


def build_estimator(learner: Learner) -> Any:  # noqa: ANN401 (scikit-learn has no types)
    """The declared estimator, unfitted: its parameters set, everything random seeded, on one thread.

    Raises: EstimatorError when it is no scikit-learn estimator, or does not take its parameters.
    """
    from sklearn.base import BaseEstimator

    name = spell_estimator(learner)
    made = _make(learner, name)
    if not isinstance(made, BaseEstimator):
        raise EstimatorError(f"{name} is no scikit-learn estimator but a {type(made).__name__}")
    known = made.get_params()
    given = named(learner.parameters)
    if unknown := [parameter for parameter in given if parameter not in known]:
        near = ", ".join(sorted(parameter for parameter in known if "__" not in parameter)[:12])
        raise EstimatorError(f"{name} has no parameter {', '.join(map(repr, unknown))}; it has {near}")
    made.set_params(**given)
    for parameter, value in made.get_params().items():
        last = parameter.rpartition("__")[2]
        if last == "random_state" and value is None:
            made.set_params(**{parameter: learner.seed})
        elif last == "random_state" and not isinstance(value, int):
            raise EstimatorError(
                f"{name}: {parameter} is a {type(value).__name__}, and must be a number or None to be repeated"
            )
        elif last == "n_jobs":
            made.set_params(**{parameter: 1 if value is not None else None})
    return made


def is_pipeline(estimator: Any) -> bool:  # noqa: ANN401 (as above)
    """Whether an estimator takes the feature columns themselves."""
    from sklearn.pipeline import Pipeline

    return isinstance(estimator, Pipeline)


def is_of_kind(estimator: Any, kind: str) -> bool:  # noqa: ANN401 (as above)
    """Whether an estimator answers as a task of that kind needs it: probabilities of classes, or numbers."""
    from sklearn.base import is_classifier, is_regressor

    if kind == "regressor":
        return bool(is_regressor(estimator))
    return bool(is_classifier(estimator)) and hasattr(estimator, "predict_proba")


def spell_estimator(learner: Learner) -> str:
    """An estimator as it was declared: its dotted name."""
    found = learner.estimator
    return (
        found
        if isinstance(found, str)
        else f"{getattr(found, '__module__', '')}.{getattr(found, '__qualname__', found)}"
    )


def spell_parameters(values: Mapping[str, Any]) -> str:
    """Parameters by name, in one line; empty for none."""
    return ", ".join(f"{name}={value!r}" for name, value in values.items())


def _make(learner: Learner, name: str) -> Any:  # noqa: ANN401 (as above)
    made_by = _resolve(name) if isinstance(learner.estimator, str) else learner.estimator
    if not callable(made_by):
        raise EstimatorError(f"{name} is neither a class nor a function")
    if isinstance(made_by, type) and not made_by.__module__.startswith("sklearn."):
        raise EstimatorError(f"{name} is no class of scikit-learn; bring your own by a function that returns it")
    try:
        return made_by()
    except Exception as error:  # whatever a user's function raises
        raise EstimatorError(
            f"{name}() fails: {type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"
        ) from error


def _resolve(name: str) -> Any:  # noqa: ANN401 (as above)
    module, _, last = name.rpartition(".")
    if module.partition(".")[0] != "sklearn":
        raise EstimatorError(
            f"{name!r} is no class of scikit-learn: write its dotted name, such as 'sklearn.ensemble.RandomForestRegressor'"
        )
    try:
        found = getattr(importlib.import_module(module), last)
    except (ImportError, AttributeError):
        raise EstimatorError(f"scikit-learn has no {name}") from None
    if not inspect.isclass(found):
        raise EstimatorError(f"{name} is no class")
    return found
