"""A classifier fitted on a training set as its learner declares, and its answers.

Everything is fitted on train alone; validation only says when boosting stops. One thread and a fixed order of rows: the
same rows give the same model, whatever order they came in. Import this module where it is needed: scikit-learn takes seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_selection import mutual_info_classif
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from mlpipe_assets.catalog.learners import Learner
from mlpipe_assets.errors import spell_count
from mlpipe_assets.learning.errors import LearningError

_CLASSES = 2


@dataclass(frozen=True, kw_only=True)
class FittedModel:
    """A fitted classifier with all it takes to ask it.

    Attributes:
        types: The columns it takes with the types they had in train, in order.
        numeric: Those taken as numbers.
        left_out: Columns without a single value in train, which no probability depends on.
        prepared: Names of the prepared columns the classifier sees, after feature selection.
        rounds: Boosting rounds or iterations it took.
        prevalence: Share of positives in train.
        pipeline: The fitted scikit-learn pipeline, preparation included.
    """

    types: Mapping[str, str]
    numeric: tuple[str, ...]
    left_out: tuple[str, ...]
    prepared: tuple[str, ...]
    rounds: int
    prevalence: float
    pipeline: Pipeline

    @property
    def features(self) -> tuple[str, ...]:
        """The columns it takes, in order."""
        return tuple(self.types)


def fit(learner: Learner, train: pl.DataFrame, validation: pl.DataFrame, label: str) -> FittedModel:
    """The model a learner gives for a training set, the same for the same rows in whatever order.

    Args:
        learner: How to fit.
        train: Feature columns, the label and any others, which only serve to order rows.
        validation: The same columns; early stopping looks at it, nothing is fitted on it. Empty: a declared number of rounds.
        label: Name of the boolean label column; free of nulls.

    Raises: LearningError when there is nothing to learn from, or a column holds what cannot be prepared.
    """
    _check_training_set(learner, train, validation, label)
    train, validation = _in_order(train, learner), _in_order(validation, learner)
    features = [*learner.numeric, *learner.categorical]
    left_out = tuple(name for name in features if train[name].null_count() == train.height)
    if len(left_out) == len(features):
        raise LearningError("train has no value in any feature column. Rebuild the training set.")
    target, stop = train[label].cast(pl.Int64).to_numpy(), validation[label].cast(pl.Int64).to_numpy()
    with threadpool_limits(1):
        preparation = _preparation(learner, left_out)
        given = preparation.fit_transform(_matrix(train, learner.numeric, learner.categorical))
        seen = preparation.transform(_matrix(validation, learner.numeric, learner.categorical)) if stop.size else None
        kept = _selected(learner, np.asarray(given), target)
        names = [str(name) for name in preparation.get_feature_names_out()]
        steps: list[tuple[str, Any]] = [("prepare", preparation)]
        if len(kept) < len(names):
            selection = _selection(kept)
            given = selection.fit_transform(given)
            seen = selection.transform(seen) if seen is not None else None
            steps.append(("select", selection))
        classifier = _classifier(learner, watched=bool(stop.size))
        if learner.algorithm == "gradient_boosting":
            classifier.fit(given, target, **({"X_val": seen, "y_val": stop} if stop.size else {}))
        else:
            classifier.fit(given, target)
        steps.append(("classify", classifier))
    return FittedModel(
        types={name: str(train.schema[name]) for name in features},
        numeric=tuple(learner.numeric),
        left_out=left_out,
        prepared=tuple(names[i] for i in kept),
        rounds=int(np.max(classifier.n_iter_)),
        prevalence=float(target.mean()),
        pipeline=Pipeline(steps),
    )


def predict(model: FittedModel, frame: pl.DataFrame) -> pl.Series:
    """Probability of the label, one per row, between 0 and 1. The frame holds the model's columns and no others.

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
    if not frame.height:
        return pl.Series("probability", [], dtype=pl.Float64)
    categorical = [name for name in model.types if name not in model.numeric]
    with threadpool_limits(1):
        answers = model.pipeline.predict_proba(_matrix(frame, model.numeric, categorical))[:, 1]
    return pl.Series("probability", np.asarray(answers, dtype=np.float64))


def _check_training_set(learner: Learner, train: pl.DataFrame, validation: pl.DataFrame, label: str) -> None:
    features = [*learner.numeric, *learner.categorical]
    if not features:
        raise LearningError("The learner names no feature column.")
    if learner.algorithm == "logistic_regression" and learner.missing == "native":
        raise LearningError("logistic_regression does not know nulls: declare missing='median' in the learner.")
    for split, frame in (("train", train), ("validation", validation)):
        absent = [name for name in (*features, label) if name not in frame.columns]
        if absent:
            raise LearningError(f"{split} has no column {', '.join(absent)}.")
        if frame[label].null_count():
            raise LearningError(f"{split}: {frame[label].null_count():,} of {frame.height:,} rows have no {label}.")
        _refuse_infinities(frame, learner.numeric)
    if label in features:
        raise LearningError(f"{label} is the label and a feature column at once.")
    if train[label].n_unique() < _CLASSES:
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


def _selected(learner: Learner, given: np.ndarray[Any, Any], target: np.ndarray[Any, Any]) -> list[int]:
    """Places of the prepared columns that tell most of the label, in their old order; ties go to the first."""
    if learner.keep is None or learner.keep >= given.shape[1]:
        return list(range(given.shape[1]))

    whole = SimpleImputer(strategy="median").fit_transform(given)
    scores = mutual_info_classif(whole, target, random_state=learner.seed, n_jobs=1)
    best = np.argsort(-scores, kind="stable")[: max(1, learner.keep)]
    return sorted(int(i) for i in best)


def _selection(kept: list[int]) -> ColumnTransformer:

    return ColumnTransformer([("keep", "passthrough", kept)])


def _classifier(learner: Learner, *, watched: bool) -> Any:  # noqa: ANN401 (one of two classes without a common type)
    if learner.algorithm == "logistic_regression":
        return LogisticRegression(max_iter=learner.rounds, random_state=learner.seed)

    return HistGradientBoostingClassifier(
        max_iter=learner.rounds if watched else learner.rounds_unwatched,
        learning_rate=learner.learning_rate,
        max_leaf_nodes=learner.leaves,
        early_stopping=watched,
        n_iter_no_change=learner.patience,
        random_state=learner.seed,
    )
