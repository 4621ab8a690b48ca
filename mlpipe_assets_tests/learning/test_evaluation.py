"""A model next to its baselines, and the card that says so."""

from dataclasses import replace
from typing import Any, cast

import polars as pl
import pytest

from mlpipe_assets.learning.card import limits, metrics_table, pictures, render_card
from mlpipe_assets.learning.evaluation import Evaluation, evaluate
from mlpipe_assets.learning.fitting import fit
from mlpipe_assets.learning.metrics import Metrics
from mlpipe_assets_tests.learning.rows import BOOSTED, training_rows

SPLITS = {"train": training_rows(), "validation": training_rows(80, seed=2), "test": training_rows(120, seed=3)}
MODEL = fit(BOOSTED, SPLITS["train"], SPLITS["validation"], "label")
SLICES = {name: SPLITS[name].select(pl.col("region").fill_null("un|known")) for name in ("validation", "test")}
FOUND = evaluate(MODEL, BOOSTED, SPLITS, "label", SLICES)
FACTS: dict[str, Any] = {
    "model": "returning",
    "version": "v1",
    "as_of": "2026-01-09",
    "what": "Who comes back.",
    "owners": ["team:ml"],
    "label": "label",
    "horizon_days": 28,
    "learner": {
        "decide_above": 0.5,
        "numeric": ["spend"],
        "categorical": [],
        "missing": "native",
        "scaling": "none",
        "keep": None,
        "algorithm": "gradient_boosting",
        "seed": 7,
    },
    "prepared": ["spend"],
    "left_out": ["noise"],
    "rounds": 5,
    "splits": {"train": {"first_day": "a", "last_day": "b", "days": 2, "rows": 1200, "positives": 3}},
    "limits": ["Rank by it."],
    "versions": {"features": "abc"},
}


def with_test(evaluation: Evaluation, metrics: Metrics, **changes: object) -> Evaluation:
    return replace(evaluation, model={**evaluation.model, "test": metrics}, **changes)  # type: ignore[arg-type]


def test_the_prevalence_baseline_answers_the_share_of_positives_in_train() -> None:
    share = SPLITS["train"]["label"].mean()

    assert set(FOUND.baseline_answers["prevalence"]["test"]) == {share}
    assert cast("Metrics", FOUND.baselines["prevalence"]["test"]).roc_auc == 0.5
    assert MODEL.label == {"prevalence": share}


def test_the_recency_baseline_looks_at_its_column_alone() -> None:
    blind = {name: frame.with_columns(noise=pl.lit(1), region=pl.lit("x")) for name, frame in SPLITS.items()}

    again = evaluate(fit(BOOSTED, blind["train"], blind["validation"], "label"), BOOSTED, blind, "label", {})

    assert again.baselines["recency"] == FOUND.baselines["recency"]
    assert (cast("Metrics", FOUND.baselines["recency"]["test"]).roc_auc or 0) > 0.7


def test_without_a_recency_column_or_a_value_in_it_there_is_no_such_baseline() -> None:
    none = evaluate(MODEL, replace(BOOSTED, recency=None), SPLITS, "label", {})
    empty = {name: frame.with_columns(spend=pl.lit(None, dtype=pl.Float64)) for name, frame in SPLITS.items()}
    blind = evaluate(fit(BOOSTED, empty["train"], empty["validation"], "label"), BOOSTED, empty, "label", {})

    assert set(none.baselines) == set(blind.baselines) == {"prevalence"}


def test_slices_are_of_the_rows_of_their_split() -> None:
    rows = {value: metrics.rows for value, metrics in FOUND.slices["test"]["region"].items()}

    assert rows == dict(SLICES["test"]["region"].value_counts().sort("region").rows())


def test_the_card_has_tables_pictures_and_what_to_do_and_the_same_bytes_again() -> None:
    def card() -> str:
        svgs = pictures(FOUND, {name: SPLITS[name]["label"] for name in ("validation", "test")})
        return render_card(FACTS, FOUND, svgs)

    text = card()

    assert text == card()
    assert text.startswith("# returning v1\n\nWho comes back.\n")
    assert text.count("](data:image/svg+xml;base64,") == 2
    assert "| train | a to b (2) | 1,200 | 3 |" in text
    assert "| un\\|known |" in text
    assert "- Left out, without a value in train: noise" in text
    assert "- Rank by it." in text
    assert 'mlpipe rollback returning --reason "…"' in text
    assert metrics_table(FOUND) in text


def test_limits_follow_from_the_numbers() -> None:
    sound = Metrics(rows=500, positives=250, prevalence=0.5, roc_auc=0.8, calibration_error=0.01)
    calm = replace(
        FOUND,
        model={"validation": sound, "test": sound},
        baselines={"recency": {"test": replace(sound, roc_auc=0.7)}},
        slices={"test": {"region": {"north": sound}}},
    )

    assert limits(calm) == ["Nothing stands out in the numbers of validation and test."]
    assert limits(with_test(calm, replace(sound, calibration_error=0.2, roc_auc=0.6, prevalence=0.3))) == [
        "Probabilities are off by 0.200 on average on test: rank by them, and do not read them as frequencies.",
        "On test the recency baseline ranks better (ROC AUC 0.700 against 0.600).",
        "The share of positives moved from 0.500 in validation to 0.300 in test.",
    ]
    few = {"north": replace(sound, rows=99), "south": replace(sound, calibration_error=0.3)}
    assert limits(replace(calm, slices={"test": {"region": few}})) == [
        "Too few rows to judge by region: north (99).",
        "Probabilities are off by region: south (0.300).",
    ]


def test_numbers_that_cannot_be_told_are_shown_as_such() -> None:
    one_class = with_test(FOUND, Metrics(rows=3, positives=3, prevalence=1.0))

    rows = [line.split(" | ")[:2] for line in metrics_table(one_class).splitlines() if line.startswith("| test")]
    assert [value for _, value in rows] == ["3", "1.0000", "-", "-", "-", "-", "-"]
    assert cast("Metrics", one_class.model["test"]).prevalence == pytest.approx(1.0)
