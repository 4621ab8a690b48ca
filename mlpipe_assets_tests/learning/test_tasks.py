"""What holds of numbers and of several classes as it does of yes and no: fitting, storing, comparing, golden answers."""

import hashlib
from dataclasses import replace
from typing import Any, cast

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from sklearn.metrics import root_mean_squared_error

from mlpipe_assets.catalog.learners import Learner, Promotion
from mlpipe_assets.learning.baselines import find_better_baselines
from mlpipe_assets.learning.card import limits, metrics_table, pictures
from mlpipe_assets.learning.comparison import compare
from mlpipe_assets.learning.errors import LearningError
from mlpipe_assets.learning.evaluation import evaluate
from mlpipe_assets.learning.fitting import fit, predict
from mlpipe_assets.learning.golden import golden_version
from mlpipe_assets.learning.number_metrics import NumberMetrics
from mlpipe_assets.learning.promotion import decide, lost_to
from mlpipe_assets.learning.store import dump_model, load_model
from mlpipe_assets.learning.tasks.multiclass import MULTICLASS
from mlpipe_assets.learning.tasks.regression import REGRESSION
from mlpipe_assets.learning.tasks.task import Difference, Task
from mlpipe_assets_tests.learning.rows import (
    BOOSTED,
    LOGISTIC,
    NUMBERS,
    RIDGE,
    training_rows,
    with_classes,
    with_numbers,
)

ROWS = {"train": training_rows(), "validation": training_rows(80, seed=2), "test": training_rows(120, seed=3)}
SPLITS = {
    REGRESSION.name: {name: with_numbers(frame) for name, frame in ROWS.items()},
    MULTICLASS.name: {name: with_classes(frame) for name, frame in ROWS.items()},
}
KINDS = [
    pytest.param(REGRESSION, NUMBERS, id="boosted numbers"),
    pytest.param(REGRESSION, RIDGE, id="ridge"),
    pytest.param(REGRESSION, replace(RIDGE, keep=2), id="selecting numbers"),
    pytest.param(MULTICLASS, BOOSTED, id="boosted classes"),
    pytest.param(MULTICLASS, LOGISTIC, id="softmax"),
]


def fitted(task: Task, learner: Learner, **changes: pl.DataFrame) -> Any:
    splits = {**SPLITS[task.name], **changes}
    return fit(learner, splits["train"], splits["validation"], "label", task)


@pytest.mark.parametrize(("task", "learner"), KINDS)
def test_the_same_rows_give_the_same_bytes_in_any_order_and_come_back_as_they_were(
    task: Task, learner: Learner
) -> None:
    model = fitted(task, learner)
    shuffled = SPLITS[task.name]["train"].sample(fraction=1, shuffle=True, seed=4)
    content = dump_model(model)

    again = load_model(content, digest=hashlib.sha256(content).hexdigest(), name="model.skops")

    assert dump_model(fitted(task, learner, train=shuffled)) == content
    rows = SPLITS[task.name]["test"].select(model.features)
    assert predict(again, rows).equals(predict(model, rows))
    assert predict(again, rows[:0]).len() == 0
    assert (again.task, dict(again.label)) == (task.name, dict(model.label))


@pytest.mark.parametrize(("task", "learner"), KINDS)
def test_a_model_beats_baselines_that_look_at_nothing(task: Task, learner: Learner) -> None:
    splits = SPLITS[task.name]
    model = fitted(task, learner)
    slices = {"test": splits["test"].select(pl.col("region").fill_null("?"))}

    found = evaluate(model, learner, splits, "label", slices)

    on_test = {name: baseline["test"] for name, baseline in found.baselines.items() if name != "recency"}
    assert task.missed(Promotion(max_loss_ratio=0.5), found.model["test"], on_test) == []
    missed = task.missed(Promotion(max_loss_ratio=0.0001), found.model["test"], on_test)
    assert len(missed) == 1
    assert "0.0001 times the" in missed[0]
    plain = replace(found, baselines={name: found.baselines[name] for name in on_test})
    assert find_better_baselines(plain, splits["test"]["label"], splits["test"]["customer_id"], seed=1) is None
    assert {value: m.rows for value, m in found.slices["test"]["region"].items()} == dict(
        slices["test"]["region"].value_counts().rows()
    )
    assert all(
        svg.startswith("<svg") for svg in pictures(found, {n: splits[n]["label"] for n in found.answers}).values()
    )
    assert limits(found)
    assert f"| test, {task.called[task.loss]} |" in metrics_table(found)


def test_baselines_of_numbers_are_mean_and_median_of_train_and_a_line_through_the_recency_column() -> None:
    splits = SPLITS["regression"]
    found = evaluate(fitted(REGRESSION, NUMBERS), NUMBERS, splits, "label", {})

    train, test = splits["train"]["label"], splits["test"]["label"]
    rmse = {name: cast("NumberMetrics", one["test"]).rmse for name, one in found.baselines.items()}
    assert rmse["mean"] == pytest.approx(root_mean_squared_error(test, [train.mean()] * test.len()))
    assert rmse["median"] == pytest.approx(root_mean_squared_error(test, [train.median()] * test.len()))
    assert (rmse["recency"] or 0) < 0.5 * (rmse["mean"] or 0)


def test_classes_keep_their_order_and_whole_numbers_are_classes_too() -> None:
    rows = ROWS["train"].with_columns(label=pl.int_range(pl.len()) % 12)

    model = fit(LOGISTIC, rows, rows[:0], "label", MULTICLASS)

    assert model.label["classes"] == [f"{n}" for n in range(12)]
    answers = predict(model, rows.select(model.features))
    made = MULTICLASS.predictions(answers, LOGISTIC, {"prediction": pl.Int64(), "probability_3": pl.Float64()})
    assert made.schema == {"prediction": pl.Int64, "probability": pl.Float64, "probability_3": pl.Float64}
    assert made["prediction"].is_between(0, 11).all()


def test_a_class_that_only_validation_has_is_not_looked_at_while_boosting() -> None:
    validation = SPLITS["multiclass"]["validation"]
    stranger = validation.with_columns(label=pl.when(pl.col("noise") == 1).then(pl.lit("new")).otherwise("label"))
    known = validation.filter((pl.col("noise") != 1) | pl.col("noise").is_null())

    with_stranger = fitted(MULTICLASS, BOOSTED, validation=stranger)

    assert dump_model(with_stranger) == dump_model(fitted(MULTICLASS, BOOSTED, validation=known))


@pytest.mark.parametrize(
    ("task", "label", "problem"),
    [
        (REGRESSION, pl.lit(float("nan")), "label is NaN or infinite on 200 of 200 rows"),
        (REGRESSION, pl.lit(1.5), "label is the same on all of them"),
        (MULTICLASS, pl.lit("a"), "label is the same on all of them"),
        (MULTICLASS, pl.lit(None, dtype=pl.String), "train: 200 of 200 rows have no label"),
    ],
)
def test_labels_nothing_can_be_learnt_from_are_refused(task: Task, label: pl.Expr, problem: str) -> None:
    with pytest.raises(LearningError, match=problem):
        fitted(task, NUMBERS, train=ROWS["train"].with_columns(label=label))


def test_a_binary_label_of_other_numbers_is_refused() -> None:
    with pytest.raises(LearningError, match="label holds 2, and a binary label is 0 or 1"):
        fit(BOOSTED, ROWS["train"].with_columns(label=pl.lit(2)), ROWS["validation"], "label")


def test_the_interval_of_a_loss_is_that_of_resampled_keys_one_by_one() -> None:
    chance = np.random.default_rng(5)
    label = pl.Series(chance.normal(10, 3, 120))
    good, poor = (pl.Series(label.to_numpy() + chance.normal(0, s, 120)) for s in (1.0, 2.0))
    keys = pl.Series([f"c{i % 40}" for i in range(120)])

    found = compare(label, good, poor, keys, seed=3, replicates=20, task=REGRESSION)

    draws = np.random.default_rng(3)
    order = {key: i for i, key in enumerate(sorted(set(keys)))}
    differences = []
    for _ in range(20):
        drawn = np.bincount(draws.integers(0, 40, 40), minlength=40)
        weights = np.array([drawn[order[key]] for key in keys])
        ours, theirs = (root_mean_squared_error(label, one, sample_weight=weights) for one in (good, poor))
        differences.append(np.log(theirs / ours))
    assert found.value == pytest.approx(
        np.log(root_mean_squared_error(label, poor) / root_mean_squared_error(label, good))
    )
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(differences, [0.025, 0.975])))


def test_who_loses_more_than_tolerance_and_chance_is_not_promoted() -> None:
    worse = Difference(rows=100, keys=50, value=-0.1, low=-0.2, high=-0.02, replicates=200)
    near = replace(worse, high=-0.009)

    lost = lost_to(Promotion(tolerance=0.01), worse, REGRESSION)

    assert lost is not None
    assert lost.startswith(
        "RMSE +10.52 % against the champion's on the same 100 rows (95 % interval +2.02 % to +22.14 %"
    )
    assert lost_to(Promotion(tolerance=0.01), near, REGRESSION) is None
    found = decide(
        missed=[],
        golden_problem=None,
        newer_champion=None,
        champion="v1",
        champion_outdated=None,
        lost=None,
        difference=near,
        task=MULTICLASS,
    )
    assert found.reason.startswith("does not lose to v1: log loss +10.52 % on the same 100 rows")


@pytest.mark.parametrize(("task", "learner"), KINDS)
def test_golden_answers_come_back_from_plain_columns_and_are_no_part_of_the_version(
    task: Task, learner: Learner
) -> None:
    model = fitted(task, learner)
    rows = SPLITS[task.name]["test"].select(model.features)
    answers = predict(model, rows)

    columns = task.to_columns(answers)

    assert task.from_columns(columns).equals(answers)
    assert all(task.is_answer(name) for name in columns.columns)
    assert not any(task.is_answer(name) for name in rows.columns)
    assert golden_version(pl.concat([rows, columns], how="horizontal"), task) == golden_version(rows, task)
    assert task.unsound(answers) is None
    assert task.moved(answers, answers).max() == 0.0


def test_a_number_moves_as_a_share_of_itself_where_it_is_large() -> None:
    moved = REGRESSION.moved(pl.Series([0.5, 2000.0]), pl.Series([0.6, 2001.0]))

    assert moved.to_list() == pytest.approx([0.1, 0.0005])


def probabilities(*rows: dict[str, float] | None) -> pl.Series:
    return pl.Series(rows, dtype=pl.Struct({"app": pl.Float64, "web": pl.Float64}))


def test_golden_answers_of_classes_show_the_class_that_moved_furthest() -> None:
    rows = pl.DataFrame(
        {
            "expected": probabilities({"app": 0.4, "web": 0.6}, {"app": 0.9, "web": 0.1}),
            "answered": probabilities({"app": 0.4, "web": 0.6}, {"app": 0.5, "web": 0.5}),
            "from_features": probabilities(None, {"app": 0.9, "web": 0.1}),
        }
    )

    shown = MULTICLASS.show_golden(rows)

    expected = {
        "expected": [0.6, 0.9],
        "answered": [0.6, 0.5],
        "from_features": [None, 0.9],
        "shown_class": ["web", "app"],
    }
    assert_frame_equal(shown, pl.DataFrame(expected))
    assert MULTICLASS.moved(rows["expected"], rows["from_features"]).to_list() == [None, 0.0]
    other = pl.Series([{"app": 0.4, "fax": 0.6}], dtype=pl.Struct({"app": pl.Float64, "fax": pl.Float64}))
    assert MULTICLASS.moved(rows["expected"][:1], other).to_list() == [0.6]


@pytest.mark.parametrize(
    ("task", "answers", "problem"),
    [
        (REGRESSION, pl.Series([1.0, float("inf")]), "are NaN or infinite"),
        (MULTICLASS, probabilities({"app": 1.5, "web": -0.5}), "are no probabilities"),
    ],
)
def test_answers_that_are_none_are_named(task: Task, answers: pl.Series, problem: str) -> None:
    assert problem in (task.unsound(answers) or "")
