"""A model fitted on a training set as its learner declares, and its answers.

Everything is fitted on train alone; validation only says when boosting stops. One thread and a fixed order of rows: the
same rows give the same model, whatever order they came in. Import this module where it is needed: scikit-learn takes seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from mlpipe_assets.catalog.estimators import EstimatorError, build_estimator, is_pipeline, spell_estimator
from mlpipe_assets.catalog.learners import Learner
from mlpipe_assets.errors import spell_count
from mlpipe_assets.learning.errors import LearningError
from mlpipe_assets.learning.tasks.binary import BINARY
from mlpipe_assets.learning.tasks.registry import task_named
from mlpipe_assets.learning.tasks.task import Summary, Task

_DIFFERENT = 2  # labels from which there is something to learn


@dataclass(frozen=True, kw_only=True)
class FittedModel:
    """A fitted model with all it takes to ask it.

    Attributes:
        types: The columns it takes with the types they had in train, in order.
        numeric: Those taken as numbers.
        left_out: Columns without a single value in train, which no answer depends on.
        prepared: Names of the prepared columns the estimator sees, after feature selection.
        rounds: Boosting rounds or iterations it took; 0 of an estimator that takes none.
        label: What is known of the labels of train, as the task keeps it: `prevalence`; `classes` and `shares`; or `mean`
            and `median`.
        pipeline: The fitted scikit-learn pipeline, preparation included.
        task: Name of the task.
    """

    types: Mapping[str, str]
    numeric: tuple[str, ...]
    left_out: tuple[str, ...]
    prepared: tuple[str, ...]
    rounds: int
    label: Summary
    pipeline: Pipeline
    task: str = BINARY.name

    @property
    def features(self) -> tuple[str, ...]:
        """The columns it takes, in order."""
        return tuple(self.types)


def fit(
    learner: Learner, train: pl.DataFrame, validation: pl.DataFrame, label: str, task: Task = BINARY
) -> FittedModel:
    """The model a learner gives for a training set, the same for the same rows in whatever order.

    Args:
        learner: How to fit.
        train: Feature columns, the label and any others, which only serve to order rows.
        validation: The same columns; early stopping looks at it, nothing is fitted on it. Empty: a declared number of rounds.
        label: Name of the label column; free of nulls.
        task: What the label is.

    Raises: LearningError when there is nothing to learn from, or a column holds what cannot be prepared.
    """
    _check_training_set(learner, train, validation, label, task)
    train, validation = _in_order(train, learner), _in_order(validation, learner)
    features = [*learner.numeric, *learner.categorical]
    left_out = tuple(name for name in features if train[name].null_count() == train.height)
    if len(left_out) == len(features):
        raise LearningError("train has no value in any feature column. Rebuild the training set.")
    summary = task.summarise(train[label])
    target, stop = (task.encode(frame[label], summary) for frame in (train, validation))
    brought = _brought(learner)
    with threadpool_limits(1):
        if brought is not None and is_pipeline(brought):
            _fit_brought(learner, brought, _matrix(train, learner.numeric, learner.categorical), target)
            steps, prepared, left_out = list(brought.steps), tuple(features), ()
        else:
            given = {"train": train, "validation": validation}
            steps, prepared = _fit_steps(learner, task, given, target, stop, left_out, brought)
    return FittedModel(
        types={name: str(train.schema[name]) for name in features},
        numeric=tuple(learner.numeric),
        left_out=left_out,
        prepared=prepared,
        rounds=int(np.max(getattr(steps[-1][1], "n_iter_", None) or 0)) if brought is None else 0,
        label=summary,
        pipeline=Pipeline(steps),
        task=task.name,
    )


def predict(model: FittedModel, frame: pl.DataFrame) -> pl.Series:
    """What the model answers, one a row, as its task says. The frame holds the model's columns and no others.

    Raises: LearningError for missing or extra columns (the label above all), other types than in train, or infinities.
    """
    missing = [name for name in model.types if name not in frame.columns]
    extra = [name for name in frame.columns if name not in model.types]
    typed = [
        f"{name} is {frame.schema[name]} and was {dtype} in train"
        for name, dtype in model.types.items()
        if name in frame.columns and str(frame.schema[name]) != dtype
    ]
    problems = [f"{', '.join(missing)} missing"] if missing else []
    problems += [f"{', '.join(extra)} not among the model's columns ({', '.join(model.types)})"] if extra else []
    if problems + typed:
        raise LearningError(f"The model cannot answer for these rows: {'; '.join(problems + typed)}.")
    _refuse_infinities(frame, model.numeric)
    categorical = [name for name in model.types if name not in model.numeric]
    with threadpool_limits(1):
        return task_named(model.task).answer(model.pipeline, _matrix(frame, model.numeric, categorical), model.label)


def _brought(learner: Learner) -> Any:  # noqa: ANN401 (scikit-learn has no types)
    """The estimator declared in place of a built-in one; None where none is."""
    if learner.estimator is None:
        return None
    try:
        return build_estimator(learner)
    except EstimatorError as error:
        raise LearningError(f"The estimator cannot be made: {error}.") from error


def _fit_steps(
    learner: Learner,
    task: Task,
    rows: Mapping[str, pl.DataFrame],
    target: np.ndarray[Any, Any],
    stop: np.ndarray[Any, Any],
    left_out: tuple[str, ...],
    brought: Any,  # noqa: ANN401 (as above)
) -> tuple[list[tuple[str, Any]], tuple[str, ...]]:
    """Preparation, selection and estimator, fitted on train; and the names of the columns the estimator sees."""
    train, validation = (_matrix(rows[name], learner.numeric, learner.categorical) for name in ("train", "validation"))
    preparation = _preparation(learner, left_out)
    given = preparation.fit_transform(train)
    seen = preparation.transform(validation) if stop.size else None
    kept = _selected(learner, task, np.asarray(given), target)
    names = [str(name) for name in preparation.get_feature_names_out()]
    steps: list[tuple[str, Any]] = [("prepare", preparation)]
    if len(kept) < len(names):
        selection = _selection(kept)
        given = selection.fit_transform(given)
        seen = selection.transform(seen) if seen is not None else None
        steps.append(("select", selection))
    if brought is not None:
        _fit_brought(learner, brought, given, target)
        return [*steps, ("classify", brought)], tuple(names[i] for i in kept)
    known = task.usable(stop)
    estimator = task.estimator(learner, watched=bool(known.any()))
    if learner.algorithm == "gradient_boosting" and known.any():
        estimator.fit(given, target, X_val=np.asarray(seen)[known], y_val=stop[known])
    else:
        estimator.fit(given, target)
    return [*steps, ("classify", estimator)], tuple(names[i] for i in kept)


def _fit_brought(learner: Learner, estimator: Any, given: Any, target: np.ndarray[Any, Any]) -> None:  # noqa: ANN401 (as above)
    try:
        estimator.fit(given, target)
    except Exception as error:  # whatever a user's estimator raises
        words = (str(error).splitlines() or [""])[0].partition(":")[0][:200]  # what follows may hold values of rows
        raise LearningError(f"{spell_estimator(learner)} cannot be fitted: {type(error).__name__}: {words}.") from error


def _check_training_set(
    learner: Learner, train: pl.DataFrame, validation: pl.DataFrame, label: str, task: Task
) -> None:
    features = [*learner.numeric, *learner.categorical]
    if not features:
        raise LearningError("The learner names no feature column.")
    if learner.estimator is None and learner.algorithm == task.shape.linear and learner.missing == "native":
        raise LearningError(f"{learner.algorithm} does not know nulls: declare missing='median' in the learner.")
    for split, frame in (("train", train), ("validation", validation)):
        absent = [name for name in (*features, label) if name not in frame.columns]
        if absent:
            raise LearningError(f"{split} has no column {', '.join(absent)}.")
        if frame[label].null_count():
            raise LearningError(f"{split}: {frame[label].null_count():,} of {frame.height:,} rows have no {label}.")
        _refuse_infinities(frame, learner.numeric)
    if label in features:
        raise LearningError(f"{label} is the label and a feature column at once.")
    if train.height and (wrong := task.objection(train[label])):
        raise LearningError(f"train: {label} {wrong}.")
    if train[label].n_unique() < _DIFFERENT:
        raise LearningError(
            f"train has {spell_count(train.height, 'row')} and {label} is the same on all of them: there is nothing to tell apart. "
            "It takes a longer history, or another label."
        )


def _refuse_infinities(frame: pl.DataFrame, numeric: Sequence[str]) -> None:
    for name in numeric:
        if frame.schema[name].is_float() and (count := int(frame[name].is_infinite().sum())):
            raise LearningError(f"{name}: {count:,} of {frame.height:,} values are infinite.")


def _in_order(frame: pl.DataFrame, learner: Learner) -> pl.DataFrame:
    """Rows in an order of their own: by day, by the columns that are no features (the key), then by all others."""
    features = {*learner.numeric, *learner.categorical}
    names = sorted(frame.columns, key=lambda name: (name != "as_of", name in features, name))
    return frame.sort(names, nulls_last=True)


def _matrix(frame: pl.DataFrame, numeric: Sequence[str], categorical: Sequence[str]) -> pl.DataFrame:
    """Numbers as 64-bit floats with NaN for null, categories as text with null."""
    return frame.select(
        *(pl.col(name).cast(pl.Float64).fill_null(float("nan")) for name in numeric),
        *(pl.col(name).cast(pl.String) for name in categorical),
    )


def _preparation(learner: Learner, left_out: tuple[str, ...]) -> ColumnTransformer:

    steps: list[tuple[str, Any]] = []
    if learner.scaling == "standard":  # before the indicators, which are no quantities; nulls stay nulls
        steps.append(("scale", StandardScaler()))
    if learner.missing == "median":
        steps.append(("fill", SimpleImputer(strategy="median", add_indicator=True)))
    numeric = [name for name in learner.numeric if name not in left_out]
    categorical = [name for name in learner.categorical if name not in left_out]
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return ColumnTransformer(
        [
            ("numeric", Pipeline(steps) if steps else "passthrough", numeric),
            ("categorical", encoder, categorical),
        ],
        verbose_feature_names_out=False,
    )


def _selected(learner: Learner, task: Task, given: np.ndarray[Any, Any], target: np.ndarray[Any, Any]) -> list[int]:
    """Places of the prepared columns that tell most of the label, in their old order; ties go to the first."""
    if learner.keep is None or learner.keep >= given.shape[1]:
        return list(range(given.shape[1]))

    whole = SimpleImputer(strategy="median").fit_transform(given)
    told = mutual_info_regression if task.shape.estimator == "regressor" else mutual_info_classif
    scores = told(whole, target, random_state=learner.seed, n_jobs=1)
    best = np.argsort(-scores, kind="stable")[: max(1, learner.keep)]
    return sorted(int(i) for i in best)


def _selection(kept: list[int]) -> ColumnTransformer:

    return ColumnTransformer([("keep", "passthrough", kept)])
