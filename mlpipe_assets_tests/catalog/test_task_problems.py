"""A model that does not fit its task is refused, with what to write instead."""

from dataclasses import replace
from typing import Any

import pandera.polars as pa
import polars as pl
import pytest

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.catalog.learners import Learner, Promotion, Search
from mlpipe_assets.catalog.models import repeat_purchase
from mlpipe_assets.catalog.validation.tasks import task_problems
from mlpipe_assets.catalog.versions import learner_version, model_version
from mlpipe_assets.contracts.customer_features import CustomerFeatures
from mlpipe_assets_tests.planted import UtcTime

CHANNELS = ["app", "shop", "web"]
OF_TRAINING = {"environments": ["training"]}


class NextChannel(CustomerFeatures):
    """Which channel comes next."""

    label: str = pa.Field(isin=CHANNELS, metadata=OF_TRAINING)


class AnyChannel(CustomerFeatures):
    """The same, of any text."""

    label: str = pa.Field(metadata=OF_TRAINING)


class PersonalChannel(CustomerFeatures):
    """The same, of what nobody may see."""

    label: str = pa.Field(isin=CHANNELS, metadata={**OF_TRAINING, "personal": True})


class Spend(CustomerFeatures):
    """How much."""

    label: float = pa.Field(metadata=OF_TRAINING)


class SpendKnownBefore(CustomerFeatures):
    """How much, as if it were known on the day of a prediction; and what nobody makes then."""

    label: float
    bought: pl.Int64 = pa.Field(metadata={"environments": ["training", "serving"]})


class Answers(pa.DataFrameModel):
    """Who and when."""

    customer_id: str
    as_of: UtcTime
    model_version: str
    feature_version: str


class ChannelAnswers(Answers):
    """Which channel."""

    prediction: str
    probability: float
    probability_web: float


class MisspeltAnswers(ChannelAnswers):
    """A class that there is not."""

    probability_wbe: float


class SpendAnswers(Answers):
    """How much."""

    prediction: float


class WholeSpendAnswers(Answers):
    """How much, without cents."""

    prediction: pl.Int64


BOOSTED = Learner(numeric=("age",))
next_channel = replace(
    repeat_purchase,
    name="next_channel",
    task="multiclass",
    contract=NextChannel,
    learner=BOOSTED,
    predictions=ChannelAnswers,
    promotion=Promotion(max_loss_ratio=0.9),
)
spend = replace(
    repeat_purchase,
    name="spend",
    task="regression",
    contract=Spend,
    learner=BOOSTED,
    predictions=SpendAnswers,
    promotion=Promotion(),
)


def test_models_that_fit_their_task_are_let_through() -> None:
    assert [[*task_problems(model, ())] for model in (repeat_purchase, next_channel, spend)] == [[], [], []]


def test_what_no_row_to_predict_has_is_of_training_only() -> None:
    model = replace(spend, contract=SpendKnownBefore)

    label, bought = task_problems(model, ())

    assert label.startswith("label 'label' of SpendKnownBefore is not there on the day of a prediction")
    assert label.endswith('write metadata={"environments": ["training"]}')
    assert bought.startswith("column 'bought' of SpendKnownBefore is not there")
    assert [*task_problems(replace(model, learner=None), ())] == []  # it makes the training set only


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (
            replace(spend, contract=NextChannel),
            "'label' is String in NextChannel, and must be a number: how much it was. Is task='multiclass'",
        ),
        (replace(next_channel, contract=Spend), "'label' is Float64 in Spend, and must be a text or a whole number"),
        (replace(next_channel, contract=PersonalChannel), "label 'label' is personal"),
        (replace(next_channel, contract=AnyChannel), "list the classes of 'label' in AnyChannel by isin=[…]"),
        (
            replace(next_channel, predictions=MisspeltAnswers),
            "'probability_wbe' is none of the classes of 'label' (app, shop, web)",
        ),
        (
            replace(spend, predictions=WholeSpendAnswers),
            "'prediction' is Int64 in WholeSpendAnswers, and must be a float",
        ),
        (
            replace(spend, predictions=ChannelAnswers),
            "'probability' of ChannelAnswers is nothing that a regression model answers",
        ),
        (
            replace(spend, learner=replace(BOOSTED, algorithm="logistic_regression")),
            "does not do regression: write gradient_boosting or linear_regression",
        ),
        (replace(next_channel, learner=replace(BOOSTED, algorithm="linear_regression")), "does not do multiclass"),
        (
            replace(spend, promotion=Promotion(min_roc_auc=0.6)),
            "promotion.min_roc_auc says nothing of a regression model; write max_loss_ratio",
        ),
        (
            replace(repeat_purchase, promotion=Promotion(max_loss_ratio=1.0)),
            "says nothing of a binary model; write min_roc_auc and max_log_loss_ratio",
        ),
        (
            replace(spend, learner=replace(BOOSTED, estimator="sklearn.linear_model.Ridge", rounds=7)),
            "learner.rounds concerns a built-in algorithm, and an estimator is declared",
        ),
        (
            replace(spend, learner=replace(BOOSTED, decide_above=0.7)),
            "learner.decide_above says nothing of a regression model, which makes no decision",
        ),
        (
            replace(spend, learner=replace(BOOSTED, parameters={"a": 1})),
            "learner.parameters concerns an estimator, and none is declared",
        ),
        (
            replace(spend, learner=replace(BOOSTED, numeric=("prediction",))),
            "learner takes 'prediction', which is what its answer is called",
        ),
    ],
)
def test_what_does_not_fit_is_named(model: Any, said: str) -> None:
    found = [*task_problems(model, ())]

    assert any(said in line for line in found), found


@pytest.mark.parametrize(
    ("search", "said"),
    [
        (Search(grid={"leaves": (7, 15)}, metric="roc_auc"), "search.metric='roc_auc' is none of rmse, mae"),
        (Search(grid={}), "names no value to try"),
        (Search(grid={"leaves": ()}), "names no value to try"),
        (Search(grid={"leaves": (1,)}), "search.grid: leaves=1 is not a number of 2 or more"),
        (Search(grid={"leafs": (7, 15)}), "'leafs' is nothing to search; there are scaling, missing, keep, algorithm"),
        (Search(grid={"algorithm": ("logistic_regression",)}), "algorithm='logistic_regression' does not do this task"),
        (Search(grid={"leaves": tuple(range(2, 203))}), "has 201 combinations, more than 200; each is a fit"),
        (Search(grid={"leaves": 7}), "search.grid is not values by name"),
        (Search(grid="leaves"), "search.grid is not values by name"),  # type: ignore[arg-type]
    ],
)
def test_a_search_that_cannot_be_is_named(search: Search, said: str) -> None:
    found = [*task_problems(replace(spend, learner=replace(BOOSTED, search=search)), ())]

    assert any(said in line for line in found), found


def test_a_bad_field_is_left_to_those_who_name_it() -> None:
    assert [*task_problems(replace(spend, task="guess"), ("task",))] == []  # type: ignore[arg-type]


def test_another_task_is_another_learner_and_the_same_training_set() -> None:
    other = replace(repeat_purchase, task="multiclass")

    assert learner_version(other) != learner_version(repeat_purchase)
    assert model_version(CATALOG, other) == model_version(CATALOG, repeat_purchase)
    assert learner_version(repeat_purchase) == learner_version(replace(repeat_purchase, task="binary"))
