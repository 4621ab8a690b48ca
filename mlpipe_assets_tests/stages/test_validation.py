"""Golden answers: the champion says today what it said when it was promoted, or it is named and kept from predicting."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.outcome import Outcome
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.stages.predictions.plan import list_objections
from mlpipe_assets.stages.validation.asset import ask_again, golden_asset
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.champions import crowned_lake, learning_catalog, learning_lake
from mlpipe_assets_tests.planted import SPEND_SQL, bring_in, day, drop_orders, failed_checks, materialize, spend


def _move_kept_answers(lake: Lake, by: float) -> None:
    """As if a library or the code answered differently now: the same rows, other answers on record."""
    path = lake.root / keys.version("returning", f"{day(5)}-1", "golden.parquet")
    facts = pl.read_parquet_metadata(path)
    rows = pl.read_parquet(path).with_columns(pl.col("probability") * (1 - by))
    rows.write_parquet(path, metadata={k: v for k, v in facts.items() if k != "ARROW:schema"})


def _ask_after_a_change(tmp_path: Path, change: str) -> tuple[Lake, Outcome]:
    """The golden answers of the sixth day, with the orders of the features of the fifth counted another way."""
    _, lake, _ = crowned_lake(tmp_path)
    changed = learning_catalog(tmp_path / "changed", spend_sql=SPEND_SQL.replace("count(*)", change))
    build_features(lake, DuckDBEngine(), changed, changed.feature_views[0], [day(5)])
    (outcome,) = ask_again(lake, changed, changed.models[0], [day(6)])
    return lake, outcome


def test_answers_that_stand_pass_and_are_written_beside_the_kept_ones(tmp_path: Path) -> None:
    catalog, lake, _ = crowned_lake(tmp_path)

    result = materialize(golden_asset(catalog, catalog.models[0]), lake, day(6))

    assert result.success
    rows = lake.read("validation", "returning_golden", day(6))
    assert rows["key"].to_list() == ["ann", "bob", "cyd"]
    assert rows["answered"].to_list() == rows["expected"].to_list()
    assert rows["from_features"].null_count() == 3  # the same features, so nothing to compare
    assert not rows["moved"].any()


def test_an_answer_that_moved_is_named_and_keeps_the_champion_from_predicting(tmp_path: Path) -> None:
    catalog, lake, _ = crowned_lake(tmp_path)
    _move_kept_answers(lake, 0.01)

    result = materialize(golden_asset(catalog, catalog.models[0]), lake, day(6))

    said = failed_checks(result)["answers_are_the_same"]
    assert not result.success
    assert "3 golden answers moved" in said
    assert "customer_id sha256 49915e0d7d4b as of 2026-01-06" in said
    assert lake.days("validation", "returning_golden") == []
    assert "failed for the champion" in list_objections(lake, catalog, catalog.models[0], [day(6)])[day(6)][0]


def test_a_move_within_what_is_declared_is_none(tmp_path: Path) -> None:
    catalog, lake, _ = crowned_lake(tmp_path)
    _move_kept_answers(lake, 1e-9)

    assert [o.refused for o in ask_again(lake, catalog, catalog.models[0], [day(6)])] == [None]


def test_feature_code_that_changes_a_golden_row_is_found_and_names_the_row(tmp_path: Path) -> None:
    _, outcome = _ask_after_a_change(tmp_path, "count(*) + 1")

    assert outcome.refused == "golden answers moved"
    assert "3 golden answers moved (customer_id sha256 49915e0d7d4b as of 2026-01-06" in outcome.breaches[0]


def test_feature_code_that_changes_no_golden_row_passes(tmp_path: Path) -> None:
    lake, outcome = _ask_after_a_change(tmp_path, "count(*) + 0")

    assert outcome.refused is None
    assert lake.read("validation", "returning_golden", day(6))["from_features"].null_count() == 0


def test_corrected_data_move_no_golden_answer(tmp_path: Path) -> None:
    catalog, lake, _ = crowned_lake(tmp_path)
    drop_orders(lake, "orders_2026-07-01.csv", [("late", "ann", day(5), "1.00", "web")])
    bring_in(lake, catalog)
    build_features(lake, DuckDBEngine(), catalog, spend, [day(5)])

    outcome = ask_again(lake, catalog, catalog.models[0], [day(6)])[0]

    assert outcome.refused is None
    assert outcome.facts["corrected_days"] == ["2026-01-05"]


def test_once_the_answers_stand_again_nothing_is_on_record_against_the_champion(tmp_path: Path) -> None:
    catalog, lake, _ = crowned_lake(tmp_path)
    _move_kept_answers(lake, 0.5)
    ask_again(lake, catalog, catalog.models[0], [day(5)])
    assert set(lake.state("validation", "returning_golden").refused) == {day(5)}
    _move_kept_answers(lake, -1.0)

    ask_again(lake, catalog, catalog.models[0], [day(6)])

    assert set(lake.state("validation", "returning_golden").refused) == set()


@pytest.mark.parametrize(("asked", "said"), [(4, "the champion is of 2026-01-05, after this day")])
def test_days_before_the_champion_are_left_alone(tmp_path: Path, asked: int, said: str) -> None:
    catalog, lake, _ = crowned_lake(tmp_path)

    assert [(o.day, o.missing) for o in ask_again(lake, catalog, catalog.models[0], [day(asked)])] == [
        (date(2026, 1, asked), said)
    ]


def test_without_a_champion_there_is_nothing_to_ask(tmp_path: Path) -> None:
    catalog, lake = learning_lake(tmp_path, 2)

    result = materialize(golden_asset(catalog, catalog.models[0]), lake, day(2))

    assert result.success
    assert failed_checks(result) == {}
    assert lake.days("validation", "returning_golden") == []
