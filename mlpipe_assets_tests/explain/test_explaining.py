"""From one prediction back to the lines of the files, without a personal value on the way."""

import shutil
from pathlib import Path

import pytest
from rich.console import Console

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.commands.trace import _tree
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.errors import MissingPartitionError
from mlpipe_assets.explain.explaining import Explanation, explain
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.stages.predictions.asset import build_predictions
from mlpipe_assets.store import keys
from mlpipe_assets.store.copies.known_files import NOTE
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.champions import crowned_lake
from mlpipe_assets_tests.frames import build_training_set
from mlpipe_assets_tests.lineage.history import MODEL, ask, bring, drop, lived, run_as
from mlpipe_assets_tests.planted import bring_in, day, drop_orders, returning, spend


def test_a_prediction_leads_back_to_champion_features_rows_and_lines(tmp_path: Path) -> None:
    catalog, lake, used = crowned_lake(tmp_path)
    build_predictions(lake, catalog, catalog.models[0], [day(6)])

    found = explain(lake, catalog, catalog.models[0], ["ann"], day(6))

    assert found.prediction["model_version"] == found.model["version"] == used.version
    assert found.features["orders_3d"] == 3
    assert not found.features_changed
    assert not found.features_gone
    assert found.rows_gone == {}
    rows = found.rows["interim/orders"]
    assert [(r["date"], r["file"], r["record"]) for r in rows] == [
        ("2026-01-06", "raw/orders/orders_2026-06-30.csv", 7),
        ("2026-01-05", "raw/orders/orders_2026-06-30.csv", 6),
        ("2026-01-04", "raw/orders/orders_2026-06-30.csv", 5),
    ]
    assert [r["file"] for r in found.rows["interim/customers"]] == ["raw/customers/customers_2026-01-01.csv"]
    assert "email" not in found.rows["interim/customers"][0]


@pytest.mark.parametrize("number", [5, 6])  # of days before the newest nothing is predicted again
def test_features_built_again_since_are_said_to_be_other_values(tmp_path: Path, number: int) -> None:
    catalog, lake, _ = crowned_lake(tmp_path)
    build_predictions(lake, catalog, catalog.models[0], [day(5), day(6)])
    drop_orders(lake, "orders_2026-07-01.csv", [("late", "ann", day(number), "1.00", "web")])
    bring_in(lake, catalog)
    build_features(lake, DuckDBEngine(), catalog, spend, [day(number)])

    found = explain(lake, catalog, catalog.models[0], ["ann"], day(number))

    assert found.features_changed
    assert found.features["orders_3d"] == 4


def test_features_that_are_not_there_any_more_are_said_to_be_gone_not_built_again(tmp_path: Path) -> None:
    catalog, lake, _ = crowned_lake(tmp_path)
    build_predictions(lake, catalog, catalog.models[0], [day(6)])
    lake.path("features", "spend", day(6)).unlink()

    found = explain(lake, catalog, catalog.models[0], ["ann"], day(6))

    assert (found.features_gone, found.features_changed, found.features) == (True, False, {})
    text = shown(found)
    assert "(the partition of 2026-01-06 is not there any more)" in text
    assert "built again" not in text


def test_days_of_the_window_that_are_not_there_any_more_are_named(tmp_path: Path) -> None:
    catalog, lake, _ = crowned_lake(tmp_path)
    build_predictions(lake, catalog, catalog.models[0], [day(6)])
    lake.path("interim", "orders", day(4)).unlink()
    lake.path("interim", "orders", day(5)).unlink()
    lake.path("interim", "customers", day(1)).unlink()

    found = explain(lake, catalog, catalog.models[0], ["ann"], day(6))

    assert found.rows_gone == {
        "interim/orders": "2026-01-04 to 2026-01-05 not there any more",
        "interim/customers": "2026-01-01 not there any more",
    }
    text = shown(found)
    assert "interim/orders: 1 row in the window (2026-01-04 to 2026-01-05 not there any more)" in text


def shown(found: Explanation) -> str:
    """The tree as the command line prints it."""
    console = Console(width=300)
    with console.capture() as captured:
        console.print(_tree(returning, ["ann"], found), soft_wrap=True)
    return captured.get()


@pytest.mark.parametrize(
    ("key", "number", "said"),
    [
        ("ann", 5, "nothing was predicted for 2026-01-05; there are 2026-01-06"),
        ("zoe", 6, "no prediction for customer_id 'zoe'; it holds 2"),
    ],
)
def test_what_was_not_predicted_is_said_with_what_was(tmp_path: Path, key: str, number: int, said: str) -> None:
    catalog, lake, _ = crowned_lake(tmp_path)
    build_predictions(lake, catalog, catalog.models[0], [day(6)])

    with pytest.raises(MissingPartitionError, match=said):
        explain(lake, catalog, catalog.models[0], [key], day(number))


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[Catalog, Lake]:
    """A history whose runs recorded their lineage."""
    return lived(tmp_path)


def test_lineage_says_what_the_version_learnt_from_and_which_files_are_behind(recorded: tuple[Catalog, Lake]) -> None:
    catalog, lake = recorded
    held = ask(catalog, lake).artifacts(table="processed/returning").filter(partition=f"{day(5)}")
    learnt_from = ask(catalog, lake).back(f"processed/returning@{day(5)}").filter(type="File").height

    found = explain(lake, catalog, catalog.models[0], ["ann"], day(6))

    assert (found.missing, found.features_changed) == ("", False)
    assert found.model["version"] == found.prediction["model_version"]
    assert (found.training_set["name"], found.training_set["digest"]) == (
        "processed/returning@2026-01-05",
        held["digest"].item(),
    )
    assert [(one["name"], one["is_held"]) for one in found.files] == [
        ("raw/customers/customers_2026-01-01.csv", True),
        ("raw/orders/orders_2026-01-04.csv", True),
        ("raw/orders/orders_2026-01-05.csv", True),
        ("raw/orders/orders_2026-01-06.csv", True),
    ]
    text = shown(found)
    assert f"processed/returning@2026-01-05, digest {held['digest'].item()[:12]}, from {learnt_from} files" in text
    assert "features/spend@2026-01-06, digest " in text


def test_what_was_built_again_since_is_not_shown_as_what_was_there(recorded: tuple[Catalog, Lake]) -> None:
    catalog, lake = recorded
    before = explain(lake, catalog, catalog.models[0], ["ann"], day(6))
    drop(lake, 6, amount="99.00", who=("ann",))
    later = run_as(lake, catalog, "later")
    bring(later, catalog, [day(6)])
    with later.writing("processed", MODEL):
        build_training_set(later, DuckDBEngine(), catalog, catalog.models[0], day(5))

    found = explain(lake, catalog, catalog.models[0], ["ann"], day(6))

    assert found.features_changed
    assert (found.feature_partition["digest"], found.feature_partition["is_held"]) == (
        before.feature_partition["digest"],
        False,
    )
    assert (found.training_set["digest"], found.training_set["is_held"]) == (before.training_set["digest"], False)
    assert found.training == []
    assert [one["name"] for one in found.files if not one["is_held"]] == ["raw/orders/orders_2026-01-06.csv"]
    assert "(replaced since)" in shown(found)


def test_without_its_lineage_a_lake_answers_from_what_it_holds(recorded: tuple[Catalog, Lake]) -> None:
    catalog, lake = recorded
    before = explain(lake, catalog, catalog.models[0], ["ann"], day(6))
    shutil.rmtree(lake.root / keys.LINEAGE)

    assert explain(lake, catalog, catalog.models[0], ["ann"], day(6)) == before


def test_a_lake_that_has_no_place_for_lineage_shows_rows_and_says_how_to_get_the_rest(
    recorded: tuple[Catalog, Lake],
) -> None:
    catalog, lake = recorded
    (lake.root.parent / NOTE).write_text("{}")  # what is beside the copy of a bucket

    found = explain(lake, catalog, catalog.models[0], ["ann"], day(6))

    assert found.missing.startswith(
        "Where it came from is not on record. A lake in a bucket keeps its lineage in PostgreSQL"
    )
    assert "Set MLPIPE_METADATA_URL" in shown(found)
    assert (found.model, found.training_set, found.files) == ({}, {}, [])
    assert [row["record"] for row in found.rows["interim/orders"]] == [2, 2, 2]
