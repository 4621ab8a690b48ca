"""What one feature alone tells of a label: copies in every dress are found, honest and accidental ones are not."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from mlpipe_assets.learning.tasks.multiclass import MULTICLASS
from mlpipe_assets.learning.tasks.regression import REGRESSION
from mlpipe_assets.learning.tasks.task import Task
from mlpipe_assets.training.giveaway import tell_label

RANDOM = np.random.default_rng(7)
WHO, DAYS = 60, 10
LABEL = RANDOM.random(WHO * DAYS) < 0.4  # flips from day to day
NOISE = RANDOM.normal(size=WHO * DAYS)
MOMENTS = [datetime(2026, 1, 2, tzinfo=UTC) + timedelta(days=n) for n in range(DAYS)]


def rows(feature: pl.Series, label: np.ndarray = LABEL) -> pl.DataFrame:
    """One row of each of sixty entities on ten days."""
    who = [f"w{i // DAYS}" for i in range(WHO * DAYS)]
    return pl.DataFrame({"who": who, "as_of": MOMENTS * WHO, "feature": feature, "label": label})


def power(feature: pl.Series, label: np.ndarray = LABEL) -> float | None:
    return tell_label(rows(feature, label), label="label", keys=["who"], features=["feature"]).get("feature")


COPIES = {
    "the label as a number": pl.Series(LABEL.astype(int)),
    "its opposite": pl.Series(~LABEL),
    "ten times the label and noise": pl.Series(10 * LABEL + NOISE.clip(-2, 2)),
    "yes and no": pl.Series(np.where(LABEL, "yes", "no")),
    "null where it is no": pl.Series([1.5 if yes else None for yes in LABEL]),
    "a copy with one null": pl.Series([None, *LABEL[1:].tolist()]),
    "orders in the horizon": pl.Series(np.where(LABEL, RANDOM.integers(1, 5, WHO * DAYS), 0)),
    "a code that only a table explains": pl.Series(
        np.where(LABEL, RANDOM.choice([1, 4], WHO * DAYS), RANDOM.choice([0, 2], WHO * DAYS))
    ),
    "a time after the event": pl.Series([MOMENTS[0] if yes else MOMENTS[5] for yes in LABEL]),
}


@pytest.mark.parametrize("copy", COPIES)
def test_the_label_in_another_dress_tells_it_without_a_mistake(copy: str) -> None:
    assert power(COPIES[copy]) == pytest.approx(1.0)


def test_a_copy_with_one_mistake_in_a_hundred_is_nearly_perfect() -> None:
    wrong = RANDOM.random(WHO * DAYS) < 0.01

    assert 0.95 < (power(pl.Series(LABEL ^ wrong)) or 0) < 0.9999


HONEST = {
    "noise": pl.Series(NOISE),
    "a strong feature": pl.Series(LABEL + NOISE),
    "a constant": pl.Series([1] * (WHO * DAYS)),
    "nothing but nulls": pl.Series([None] * (WHO * DAYS), dtype=pl.Float64),
    "a name of its own for every row": pl.Series([f"n{i}" for i in range(WHO * DAYS)]),
    "a name of its own for every entity": pl.Series([f"n{i // DAYS}" for i in range(WHO * DAYS)]),
}


@pytest.mark.parametrize("honest", HONEST)
def test_an_honest_feature_is_below_the_line(honest: str) -> None:
    assert (power(HONEST[honest]) or 0) < 0.95


def test_a_label_that_an_entity_keeps_is_one_piece_of_evidence_however_many_days() -> None:
    kept = np.repeat(np.arange(WHO) < 5, DAYS)  # five entities with yes on all their days

    assert power(pl.Series(kept), kept) is None


@pytest.mark.parametrize("label", [np.zeros(WHO * DAYS, dtype=bool), np.arange(WHO * DAYS)])
def test_a_label_of_one_class_or_of_many_says_nothing(label: np.ndarray) -> None:
    assert power(pl.Series(NOISE), label) is None


AMOUNTS = RANDOM.gamma(2.0, 10.0, WHO * DAYS)
SPENT = np.where(RANDOM.random(WHO * DAYS) < 0.5, AMOUNTS, 0.0)  # half of them nothing
KINDS = np.array(["app", "shop", "web"])[RANDOM.integers(0, 3, WHO * DAYS)]


def power_of(task: Task, feature: pl.Series, label: np.ndarray) -> float:
    return tell_label(rows(feature, label), label="label", keys=["who"], features=["feature"], task=task)["feature"]


@pytest.mark.parametrize(
    ("feature", "least", "most"),
    [
        (pl.Series(SPENT * 1.19), 0.9999, 1.0),
        (pl.Series(-np.sqrt(SPENT)), 0.9999, 1.0),
        (pl.Series([f"{value:.0f}" for value in SPENT // 5]), 0.7, 0.9999),
        (pl.Series([None if value == 0 else 1 for value in SPENT]), 0.7, 0.95),
        (pl.Series(SPENT + 10 * NOISE), 0.3, 0.95),
        (pl.Series(NOISE), 0.0, 0.15),
        (pl.Series([1] * (WHO * DAYS)), 0.0, 0.15),
        (pl.Series([f"n{i}" for i in range(WHO * DAYS)]), 0.0, 0.0),
    ],
    ids=["with tax", "a root", "a text of it", "whether it is 0", "a strong feature", "noise", "a constant", "names"],
)
def test_a_number_is_told_by_rank_correlation(feature: pl.Series, least: float, most: float) -> None:
    assert least <= power_of(REGRESSION, feature, SPENT) <= most + 1e-9


def test_a_class_is_told_where_one_class_is() -> None:
    assert power_of(MULTICLASS, pl.Series(KINDS), KINDS) == pytest.approx(1.0)
    assert power_of(MULTICLASS, pl.Series(KINDS == "app"), KINDS) == pytest.approx(1.0)
    assert power_of(MULTICLASS, pl.Series(NOISE), KINDS) < 0.65
