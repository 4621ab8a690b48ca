"""Reports about what test rows taught a model, re-created with a learner and rows of our own."""

from dataclasses import replace

import polars as pl
import pytest

from mlpipe_assets.catalog.learners import Learner
from mlpipe_assets.learning.fitting import fit, predict
from mlpipe_assets_tests.learning.rows import BOOSTED, LOGISTIC, training_rows

TRAIN, VALIDATION, ASKED = training_rows(), training_rows(80, seed=2), training_rows(60, seed=3)
SCALED = replace(LOGISTIC, scaling="standard", missing="median")
SELECTED = replace(LOGISTIC, keep=2)


def answers(learner: Learner, validation: pl.DataFrame) -> list[float]:
    """What a model fitted on train says of the rows asked."""
    fitted = fit(learner, TRAIN, validation, "label")
    return predict(fitted, ASKED.select(*learner.numeric, *learner.categorical)).to_list()


@pytest.mark.parametrize("learner", [SCALED, SELECTED], ids=["scaling and medians", "selection of features"])
def test_what_is_learnt_for_preparing_columns_comes_from_train_alone(learner: Learner) -> None:
    elsewhere = VALIDATION.with_columns(pl.col(name) * 1000 + 5 for name in learner.numeric)

    assert answers(learner, elsewhere) == answers(learner, VALIDATION)


def test_an_answer_does_not_depend_on_the_rows_it_is_asked_with() -> None:
    fitted = fit(BOOSTED, TRAIN, VALIDATION, "label")
    columns = [*BOOSTED.numeric, *BOOSTED.categorical]

    alone = [predict(fitted, ASKED[n : n + 1].select(columns))[0] for n in range(10)]

    assert alone == predict(fitted, ASKED.select(columns))[:10].to_list()


def test_a_row_that_stands_in_train_and_in_validation_changes_no_preparation() -> None:
    both = pl.concat([VALIDATION, TRAIN.head(20)])

    assert answers(SCALED, both) == answers(SCALED, VALIDATION)
