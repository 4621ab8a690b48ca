"""Fitting: on train alone, the same whatever the order, and clear about what cannot be learnt."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpipe_assets.catalog.learners import Learner
from mlpipe_assets.learning.errors import LearningError
from mlpipe_assets.learning.fitting import fit, predict
from mlpipe_assets.learning.store import dump_model
from mlpipe_assets_tests.learning.rows import BOOSTED, LOGISTIC, SCHEMA, training_rows

TRAIN, VALIDATION = training_rows(), training_rows(80, seed=2)
SELECTING = replace(LOGISTIC, keep=2)
IN_ANOTHER_PROCESS = """
import hashlib
from mlpipe_assets.learning.fitting import fit
from mlpipe_assets.learning.store import dump_model
from mlpipe_assets_tests.learning.rows import BOOSTED, training_rows
print(hashlib.sha256(dump_model(fit(BOOSTED, training_rows(), training_rows(80, seed=2), "label"))).hexdigest())
"""


def asked(frame: pl.DataFrame, learner: Learner = BOOSTED) -> pl.DataFrame:
    return frame.select(*learner.numeric, *learner.categorical)


@pytest.mark.parametrize("learner", [BOOSTED, LOGISTIC, SELECTING], ids=["boosted", "logistic", "selecting"])
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_same_rows_give_the_same_bytes_in_any_order(learner: Learner, seed: int) -> None:
    train, validation = (frame.sample(fraction=1, shuffle=True, seed=seed) for frame in (TRAIN, VALIDATION))

    assert dump_model(fit(learner, train, validation, "label")) == dump_model(fit(learner, TRAIN, VALIDATION, "label"))


def test_the_same_rows_give_the_same_bytes_in_another_process() -> None:
    here = hashlib.sha256(dump_model(fit(BOOSTED, TRAIN, VALIDATION, "label"))).hexdigest()

    command = [sys.executable, "-c", IN_ANOTHER_PROCESS]
    env = {**os.environ, "PYTHONHASHSEED": "12345", "OMP_NUM_THREADS": "2"}
    there = subprocess.run(command, capture_output=True, text=True, check=True, env=env)

    assert there.stdout.strip() == here


def test_another_seed_or_another_row_is_another_model() -> None:
    same = dump_model(fit(BOOSTED, TRAIN, VALIDATION, "label"))

    assert dump_model(fit(BOOSTED, TRAIN[1:], VALIDATION, "label")) != same
    assert dump_model(fit(replace(BOOSTED, seed=8), TRAIN, VALIDATION, "label")) != same


def test_preparation_is_fitted_on_train_alone() -> None:
    rows = {"customer_id": list("abcd"), "spend": [1.0, 2.0, 3.0, None], "noise": [1, 1, 2, 2]}
    train = pl.DataFrame({**rows, "region": ["n", "n", "s", None], "label": [False, True, True, False]})
    outlier = train.with_columns(spend=pl.lit(1e9), noise=pl.lit(10**6), region=pl.lit("planted"))

    model = fit(LOGISTIC, train, outlier, "label")

    numbers = model.pipeline["prepare"].named_transformers_["numeric"]
    np.testing.assert_allclose(numbers["scale"].mean_, [2.0, 1.5])
    np.testing.assert_allclose(numbers["fill"].statistics_, [0.0, 0.0])  # medians of the scaled columns
    assert model.prepared == (
        "spend",
        "noise",
        "missingindicator_spend",
        "region_n",
        "region_s",
        "region_None",
    )
    assert dump_model(model) == dump_model(fit(LOGISTIC, train, train, "label"))


def test_validation_only_says_when_boosting_stops() -> None:
    upside_down = VALIDATION.with_columns(~pl.col("label"))

    stopped = fit(BOOSTED, TRAIN, upside_down, "label")
    whole = fit(BOOSTED, TRAIN, VALIDATION, "label")

    assert stopped.rounds < whole.rounds
    np.testing.assert_allclose(
        stopped.pipeline["classify"]._baseline_prediction, whole.pipeline["classify"]._baseline_prediction
    )


def test_a_null_is_a_category_of_its_own_and_an_unknown_one_is_none() -> None:
    model = fit(LOGISTIC, TRAIN, VALIDATION, "label")
    rows = pl.DataFrame(
        {"spend": [10.0] * 3, "noise": [2] * 3, "region": [None, "unheard of", "north"]},
        schema={"spend": pl.Float64, "noise": pl.Int64, "region": pl.String},
    )

    prepared = model.pipeline["prepare"].transform(rows.with_columns(pl.col("noise").cast(pl.Float64)))

    names = [name for name in model.prepared if name.startswith("region")]
    assert names == ["region_north", "region_south", "region_west", "region_None"]
    assert prepared[:, -4:].tolist() == [[0, 0, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]]
    assert predict(model, rows).is_between(0, 1).all()


def test_without_validation_rows_boosting_runs_the_declared_number_of_rounds() -> None:
    model = fit(replace(BOOSTED, rounds_unwatched=7), TRAIN, VALIDATION[:0], "label")

    assert model.rounds == 7
    assert predict(model, asked(VALIDATION)).is_between(0, 1).all()


def test_selection_keeps_what_tells_the_label() -> None:
    assert "spend" in fit(SELECTING, TRAIN, VALIDATION, "label").prepared
    assert len(fit(SELECTING, TRAIN, VALIDATION, "label").prepared) == 2
    assert fit(replace(BOOSTED, keep=1), TRAIN, VALIDATION, "label").prepared == ("spend",)


@pytest.mark.parametrize("learner", [BOOSTED, LOGISTIC], ids=["boosted", "logistic"])
def test_a_column_without_a_value_in_train_is_left_out(learner: Learner) -> None:
    empty = TRAIN.with_columns(noise=pl.lit(None, dtype=pl.Int64), region=pl.lit(None, dtype=pl.String))
    model = fit(learner, empty, VALIDATION, "label")

    assert model.left_out == ("noise", "region")
    answers = predict(model, asked(VALIDATION))
    assert answers.equals(predict(model, asked(VALIDATION).with_columns(noise=pl.lit(99, dtype=pl.Int64))))


@pytest.mark.parametrize(
    ("learner", "train", "validation", "problem"),
    [
        (BOOSTED, TRAIN.filter("label"), VALIDATION, "label is the same on all of them"),
        (BOOSTED, TRAIN[:0], VALIDATION, "train has 0 rows"),
        (BOOSTED, TRAIN.drop("noise"), VALIDATION, "train has no column noise"),
        (BOOSTED, TRAIN, VALIDATION.with_columns(label=None), "validation: 80 of 80 rows have no label"),
        (BOOSTED, TRAIN.with_columns(spend=pl.lit(float("inf"))), VALIDATION, "spend: 200 of 200 values are infinite"),
        (replace(BOOSTED, numeric=("label",)), TRAIN, VALIDATION, "label is the label and a feature column"),
        (replace(LOGISTIC, missing="native"), TRAIN, VALIDATION, "declare missing='median'"),
        (replace(BOOSTED, numeric=(), categorical=()), TRAIN, VALIDATION, "names no feature column"),
        (BOOSTED, TRAIN.with_columns(spend=None, noise=None, region=None), VALIDATION, "no value in any feature"),
    ],
)
def test_a_training_set_nothing_can_be_learnt_from_is_refused(
    learner: Learner, train: pl.DataFrame, validation: pl.DataFrame, problem: str
) -> None:
    with pytest.raises(LearningError, match=problem):
        fit(learner, train, validation, "label")


@pytest.mark.parametrize("learner", [BOOSTED, LOGISTIC], ids=["boosted", "logistic"])
def test_few_rows_and_a_validation_of_one_class_still_give_a_model(learner: Learner) -> None:
    model = fit(learner, TRAIN[:6], VALIDATION.filter("label"), "label")

    assert predict(model, asked(VALIDATION)).is_between(0, 1).all()


def test_logistic_regression_needs_no_validation() -> None:
    assert fit(LOGISTIC, TRAIN, VALIDATION[:0], "label").rounds > 0


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (asked(TRAIN).with_columns(label=True), "label not among the model's columns"),
        (asked(TRAIN).drop("region"), "region missing"),
        (asked(TRAIN).with_columns(pl.col("noise").cast(pl.Float64)), "noise is Float64 and was Int64 in train"),
        (asked(TRAIN).with_columns(spend=pl.lit(float("-inf"))), "spend: 200 of 200 values are infinite"),
    ],
)
def test_rows_that_are_not_like_train_get_no_answer(rows: pl.DataFrame, problem: str) -> None:
    with pytest.raises(LearningError, match=problem):
        predict(fit(BOOSTED, TRAIN, VALIDATION, "label"), rows)


def test_no_rows_get_no_answers_and_the_order_of_columns_does_not_matter() -> None:
    model = fit(BOOSTED, TRAIN, VALIDATION, "label")
    given_rows = asked(VALIDATION)

    assert predict(model, given_rows[:0]).to_list() == []
    assert predict(model, given_rows.select("region", "noise", "spend")).equals(predict(model, given_rows))
    assert model.types == {name: str(SCHEMA[name]) if name != "spend" else "Float64" for name in model.features}
