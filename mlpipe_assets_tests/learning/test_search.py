"""Hyper-parameters chosen on validation: in order, bounded, never by test, and on the card."""

from dataclasses import replace

import polars as pl
import pytest

from mlpipe_assets.catalog.learners import Learner, Search
from mlpipe_assets.learning.card import render_card
from mlpipe_assets.learning.errors import LearningError
from mlpipe_assets.learning.evaluation import evaluate
from mlpipe_assets.learning.fitting import fit, predict
from mlpipe_assets.learning.search import Fit, Searched, Tried, at_point, fit_best, points
from mlpipe_assets.learning.store import dump_model
from mlpipe_assets.learning.tasks.binary import BINARY
from mlpipe_assets.learning.tasks.regression import REGRESSION
from mlpipe_assets_tests.learning.rows import BOOSTED, RIDGE, training_rows, with_numbers
from mlpipe_assets_tests.learning.test_evaluation import FACTS

TRAIN, VALIDATION = with_numbers(training_rows()), with_numbers(training_rows(80, seed=2))


def searched(learner: Learner, validation: pl.DataFrame = VALIDATION) -> Fit:
    return fit_best(learner, TRAIN, validation, "label", REGRESSION)


def test_every_combination_is_tried_in_order_and_the_best_on_validation_is_taken() -> None:
    learner = replace(RIDGE, search=Search(grid={"keep": (1, 2), "scaling": ("none", "standard")}))

    found = searched(learner)

    assert found.search is not None
    assert [dict(one.point) for one in found.search.tried] == [
        {"keep": 1, "scaling": "none"},
        {"keep": 1, "scaling": "standard"},
        {"keep": 2, "scaling": "none"},
        {"keep": 2, "scaling": "standard"},
    ]
    values = [one.value or 0.0 for one in found.search.tried]
    assert found.search.metric == "rmse"
    assert found.search.chosen == values.index(min(values))
    assert found.learner.keep == 2
    assert dump_model(found.model) == dump_model(fit(found.learner, TRAIN, VALIDATION, "label", REGRESSION))
    answers = predict(found.model, VALIDATION.select(found.model.features))
    assert REGRESSION.measure(VALIDATION["label"], answers).to_dict()["rmse"] == min(values)


def test_of_equal_combinations_the_first_is_taken() -> None:
    found = searched(replace(RIDGE, search=Search(grid={"patience": (30, 10, 20)})))  # of no account to ridge

    assert found.search is not None
    assert found.search.chosen == 0
    assert found.learner.patience == 30


def test_a_metric_of_which_more_is_better_is_made_as_large_as_can_be() -> None:
    by_r2 = searched(replace(RIDGE, search=Search(grid={"keep": (1, 2)}, metric="r2")))

    assert by_r2.search is not None
    assert by_r2.search.chosen == 1
    assert (by_r2.search.tried[1].value or 0) > (by_r2.search.tried[0].value or 0)


def test_too_short_a_history_takes_the_first_combination_and_says_so() -> None:
    found = searched(replace(RIDGE, search=Search(grid={"keep": (2, 1)})), VALIDATION[:0])

    assert found.search == Searched(metric="rmse", tried=(Tried(point={"keep": 2}, value=None),), chosen=0)
    assert found.learner.keep == 2
    text = card(found.search)
    assert (
        "- Not searched, for there is no validation split to judge by: the first combination was taken, keep=2" in text
    )


def test_the_card_shows_every_combination_and_which_was_chosen() -> None:
    text = card(
        Searched(
            metric="rmse", tried=(Tried(point={"keep": 1}, value=2.5), Tried(point={"keep": 2}, value=2.25)), chosen=1
        )
    )

    assert "- Chosen of 2 combinations by rmse on validation; of equal ones the first" in text
    assert "| keep=1 | 2.5000 |\n| keep=2 (chosen) | 2.2500 |" in text


def card(search: Searched) -> str:
    splits = {"train": training_rows(), "validation": training_rows(80, seed=2), "test": training_rows(120, seed=3)}
    model = fit(BOOSTED, splits["train"], splits["validation"], "label")
    return render_card({**FACTS, "search": search.to_dict()}, evaluate(model, BOOSTED, splits, "label", {}), {})


def test_a_combination_that_cannot_be_fitted_is_named() -> None:
    learner = replace(
        BOOSTED, missing="median", search=Search(grid={"algorithm": ("logistic_regression",), "missing": ("native",)})
    )

    with pytest.raises(
        LearningError, match="With algorithm='logistic_regression', missing='native': logistic_regression does"
    ):
        fit_best(learner, training_rows(), training_rows(80), "label", BINARY)


def test_names_of_the_grid_are_fields_of_the_learner_or_parameters_of_its_estimator() -> None:
    brought = replace(RIDGE, estimator="sklearn.linear_model.Lasso", parameters={"alpha": 2.0, "tol": 0.1})

    changed = at_point(brought, {"alpha": 0.5, "keep": 2})

    assert (changed.keep, dict(changed.parameters)) == (2, {"alpha": 0.5, "tol": 0.1})
    assert changed.search is None
    assert list(points(RIDGE)) == [{}]
