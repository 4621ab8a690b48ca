"""Golden rows: the same choice everywhere, and answers that moved by name."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlpipe_assets.learning.errors import LearningError
from mlpipe_assets.learning.golden import choose_golden_rows, golden_version, moved_answers
from mlpipe_assets.transforms.splits import feature_days
from mlpipe_assets_tests.learning.rows import training_rows

JAN_2 = datetime(2026, 1, 2, tzinfo=UTC)
GOLDEN = pl.DataFrame({"customer_id": ["a", "b", "c", "d"], "as_of": [JAN_2] * 4, "probability": [0.1, 0.2, 0.3, 0.4]})


def test_the_choice_depends_on_keys_and_days_alone() -> None:
    rows = training_rows(400, days=5)
    chosen = choose_golden_rows(rows, ["customer_id"], ("spend", "noise"), most=30)

    again = choose_golden_rows(
        rows.sample(fraction=1, shuffle=True, seed=4).with_columns(~pl.col("label")),
        ["customer_id"],
        ("spend", "noise"),
        most=30,
    )

    assert_frame_equal(again, chosen)
    assert chosen.columns == ["customer_id", "as_of", "spend", "noise"]
    assert chosen.height == 30
    assert feature_days(chosen) == [date(2026, 1, 1) + timedelta(days=i) for i in (0, 2, 4)]
    assert golden_version(again) == golden_version(chosen)


def test_chosen_customers_are_pinned() -> None:
    keys = pl.DataFrame({"customer_id": [f"c{i}" for i in range(50)], "as_of": [JAN_2] * 50, "spend": [1.0] * 50})

    chosen = choose_golden_rows(keys, ["customer_id"], ("spend",), most=3)

    assert chosen["customer_id"].to_list() == ["c18", "c36", "c4"]  # the smallest SHA-256


def test_answers_are_not_part_of_the_version_but_values_are() -> None:
    assert golden_version(GOLDEN.with_columns(probability=0.9)) == golden_version(GOLDEN)
    assert golden_version(GOLDEN.with_columns(customer_id=pl.lit("z"))) != golden_version(GOLDEN)


def test_moved_and_missing_answers_are_named_furthest_first() -> None:
    answers = pl.DataFrame(
        {"customer_id": ["a", "b", "d"], "as_of": [JAN_2] * 3, "probability": [0.1 + 5e-7, 0.2 + 2e-6, 0.6]}
    )

    moved = moved_answers(GOLDEN, answers, within=1e-6)

    expected = pl.DataFrame(
        {
            "customer_id": ["c", "d", "b"],
            "as_of": [JAN_2] * 3,
            "expected": [0.3, 0.4, 0.2],
            "answered": [None, 0.6, 0.2 + 2e-6],
            "moved": [None, 0.2, 2e-6],
        }
    )
    assert_frame_equal(moved, expected)


def test_an_answer_that_is_no_number_has_moved() -> None:
    answers = GOLDEN.with_columns(probability=pl.Series([0.1, float("nan"), 0.3, 0.4]))

    assert moved_answers(GOLDEN, answers, within=1.0)["customer_id"].to_list() == ["b"]


def test_the_same_answers_have_not_moved_and_twice_the_same_row_is_an_error() -> None:
    assert moved_answers(GOLDEN, GOLDEN, within=0.0).is_empty()
    with pytest.raises(LearningError, match="name a golden row twice"):
        moved_answers(GOLDEN, pl.concat([GOLDEN, GOLDEN]), within=1.0)
