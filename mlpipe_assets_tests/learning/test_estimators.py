"""Estimators in place of the built-in ones: repeated to the byte, stored without pickle, refused by name before anything runs."""

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Lasso
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from mlpipe_assets.catalog.estimators import build_estimator
from mlpipe_assets.catalog.learners import Learner, Search
from mlpipe_assets.catalog.models import repeat_purchase
from mlpipe_assets.catalog.validation.estimator_trials import estimator_problems
from mlpipe_assets.catalog.versions import learner_version
from mlpipe_assets.learning.errors import LearningError, StoredModelError
from mlpipe_assets.learning.fitting import fit, predict
from mlpipe_assets.learning.store import dump_model, load_model
from mlpipe_assets.learning.tasks.binary import BINARY
from mlpipe_assets.learning.tasks.registry import task_named
from mlpipe_assets.learning.tasks.regression import REGRESSION
from mlpipe_assets_tests.learning.rows import LOGISTIC, RIDGE, training_rows, with_numbers

TRAIN, VALIDATION = training_rows(), training_rows(80, seed=2)
TREE = "sklearn.tree._tree.Tree"
FOREST = replace(
    RIDGE,
    estimator="sklearn.ensemble.RandomForestRegressor",
    parameters={"n_estimators": 5, "n_jobs": -1},
    trusted=(TREE,),
)


def own_pipeline() -> Pipeline:
    """Preparation and model of one's own, over the feature columns."""
    prepare = ColumnTransformer(
        [
            ("numbers", SimpleImputer(strategy="mean"), ["spend", "noise"]),
            ("region", OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["region"]),
        ]
    )
    return Pipeline([("prepare", prepare), ("lasso", Lasso(alpha=0.01))])


def forest_of_classes() -> RandomForestClassifier:
    return RandomForestClassifier(n_estimators=5)


class Unrepeatable(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """It answers by chance."""

    def fit(self, _x: Any, y: Any) -> "Unrepeatable":
        self.mean_ = float(np.mean(y)) + float(np.random.default_rng().normal())
        return self

    def predict(self, x: Any) -> Any:
        return np.full(len(x), self.mean_)


def by_chance() -> Unrepeatable:
    return Unrepeatable()


def broken() -> Any:
    raise OSError("no such file")


def by_state() -> Lasso:
    return Lasso(random_state=np.random.RandomState(1))


def double(values: Any) -> Any:
    return 2 * values


def with_code() -> Pipeline:
    numbers = ColumnTransformer([("numbers", SimpleImputer(), ["spend", "noise"])])
    return Pipeline([("numbers", numbers), ("absolute", FunctionTransformer(double)), ("lasso", Lasso())])


BROUGHT = [
    pytest.param("regression", FOREST, id="class by its name"),
    pytest.param("regression", replace(RIDGE, estimator=Lasso, parameters={"alpha": 0.1}), id="class itself"),
    pytest.param("regression", replace(RIDGE, estimator=own_pipeline, parameters={"lasso__alpha": 0.1}), id="pipeline"),
    pytest.param("binary", replace(LOGISTIC, estimator=forest_of_classes, trusted=(TREE,)), id="function"),
    pytest.param("multiclass", replace(LOGISTIC, estimator="sklearn.naive_bayes.GaussianNB"), id="classes"),
]


@pytest.mark.parametrize(("name", "learner"), BROUGHT)
def test_an_estimator_of_ones_own_is_repeated_stored_and_asked(name: str, learner: Learner) -> None:
    task = task_named(name)
    train = with_numbers(TRAIN) if name != "binary" else TRAIN
    train = (
        train.with_columns(label=pl.col("label") > 20).with_columns(pl.col("label").cast(pl.String))
        if name == "multiclass"
        else train
    )

    model = fit(learner, train, VALIDATION[:0], "label", task)
    content = dump_model(model)

    shuffled = train.sample(fraction=1, shuffle=True, seed=4)
    assert dump_model(fit(learner, shuffled, VALIDATION[:0], "label", task)) == content
    again = load_model(content, digest=hashlib.sha256(content).hexdigest(), name="x", trusted=learner.trusted)
    rows = train.select(model.features)
    assert predict(again, rows).equals(predict(model, rows))
    assert estimator_problems(replace(repeat_purchase, task=task.name, learner=learner)) == ()


def test_everything_random_is_seeded_and_on_one_thread() -> None:
    made = build_estimator(FOREST)

    assert (made.random_state, made.n_jobs, made.n_estimators) == (RIDGE.seed, 1, 5)
    assert build_estimator(replace(RIDGE, estimator=own_pipeline)).get_params()["lasso__random_state"] == RIDGE.seed


def test_a_stored_estimator_holds_no_type_that_its_learner_does_not_name() -> None:
    content = dump_model(fit(FOREST, with_numbers(TRAIN), VALIDATION[:0], "label", REGRESSION))
    digest = hashlib.sha256(content).hexdigest()

    with pytest.raises(StoredModelError, match=rf"{TREE}, which its learner does not name in trusted"):
        load_model(content, digest=digest, name="x", trusted=())
    with pytest.raises(StoredModelError, match="which no model of ours holds"):
        load_model(content, digest=digest, name="x")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"estimator": "sklearn.ensemble.RandomForest"}, "scikit-learn has no sklearn.ensemble.RandomForest"),
        ({"estimator": "xgboost.XGBRegressor"}, "'xgboost.XGBRegressor' is no class of scikit-learn"),
        ({"estimator": "sklearn.base.clone"}, "sklearn.base.clone is no class"),
        ({"estimator": dict}, "builtins.dict is no class of scikit-learn; bring your own by a function"),
        ({"estimator": lambda: 3}, "is no scikit-learn estimator but a int"),
        ({"estimator": broken}, "broken() fails: OSError: no such file"),
        ({"estimator": by_state}, "random_state is a RandomState, and must be a number or None"),
        ({"estimator": KMeans}, "is a KMeans, and regression takes a regressor"),
        ({"estimator": forest_of_classes}, "is a RandomForestClassifier, and regression takes a regressor"),
        ({"estimator": Lasso, "parameters": {"alfa": 1}}, "Lasso has no parameter 'alfa'; it has alpha, "),
        (
            {"estimator": Lasso, "parameters": {"alpha": "much"}},
            "cannot be fitted on 60 made-up rows: InvalidParameterError",
        ),
        (
            {"estimator": Lasso, "missing": "native"},
            "cannot be fitted on 60 made-up rows with nulls: ValueError: Input X contains NaN",
        ),
        (
            {"estimator": Lasso, "search": Search(grid={"alfa": (1, 2)})},
            "_coordinate_descent.Lasso has no parameter 'alfa'",
        ),
        ({"estimator": by_chance}, "gives other answers when it is fitted again on the same rows"),
        ({"estimator": with_code}, 'test_estimators.double" when fitted: look at each and declare trusted=('),
        ({"estimator": "sklearn.ensemble.ExtraTreesRegressor"}, f'holds "{TREE}" when fitted'),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(changes: dict[str, Any], problem: str) -> None:
    model = replace(repeat_purchase, task="regression", learner=replace(RIDGE, **changes))

    (found,) = estimator_problems(model)

    assert problem in found
    assert found.startswith("learner.")


def test_an_estimator_that_fails_on_the_real_rows_says_so_without_their_values() -> None:
    learner = replace(LOGISTIC, estimator="sklearn.naive_bayes.MultinomialNB")

    with pytest.raises(LearningError, match="MultinomialNB cannot be fitted: ValueError: Negative values"):
        fit(learner, TRAIN, VALIDATION, "label", BINARY)


def test_an_estimator_its_parameters_and_its_search_are_part_of_the_version_and_wording_is_not() -> None:
    known = [
        learner_version(replace(repeat_purchase, learner=learner))
        for learner in (
            RIDGE,
            FOREST,
            replace(FOREST, parameters={"n_estimators": 6}),
            replace(FOREST, search=Search(grid={"max_depth": (2, 3)})),
            replace(RIDGE, estimator=own_pipeline),
            replace(RIDGE, estimator=forest_of_classes),
        )
    ]

    assert len({*known}) == len(known)
    again = replace(FOREST, parameters={"n_estimators": 5, "n_jobs": -1})
    assert learner_version(replace(repeat_purchase, learner=again)) == known[1]
