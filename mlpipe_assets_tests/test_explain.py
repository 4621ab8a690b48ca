"""From one prediction back to the lines of the files, without a personal value on the way."""

from datetime import date
from pathlib import Path

import pytest
from rich.console import Console

from mlpipe_assets.commands.trace import _tree
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.errors import MissingPartitionError
from mlpipe_assets.explain import Explanation, explain
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.stages.predictions.asset import build_predictions
from mlpipe_assets_tests.champions import crowned_lake
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


def test_features_built_again_since_are_said_to_be_other_values(tmp_path: Path) -> None:
    catalog, lake, _ = crowned_lake(tmp_path)
    build_predictions(lake, catalog, catalog.models[0], [day(6)])
    drop_orders(lake, "orders_2026-07-01.csv", [("late", "ann", day(6), "1.00", "web")])
    bring_in(lake, catalog)
    build_features(lake, DuckDBEngine(), catalog, spend, [day(6)])

    found = explain(lake, catalog, catalog.models[0], ["ann"], day(6))

    assert found.features_changed
    assert found.features["orders_3d"] == 4


def test_features_that_are_not_there_any_more_are_said_to_be_gone_not_built_again(tmp_path: Path) -> None:
    catalog, lake, _ = crowned_lake(tmp_path)
    build_predictions(lake, catalog, catalog.models[0], [day(6)])
    lake.path("features", "spend", day(6)).unlink()

    found = explain(lake, catalog, catalog.models[0], ["ann"], day(6))

    assert (found.features_gone, found.features_changed, found.features) == (True, False, {})
    text = shown(found, day(6))
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
    text = shown(found, day(6))
    assert "interim/orders: 1 row in the window (2026-01-04 to 2026-01-05 not there any more)" in text


def shown(found: Explanation, on: date) -> str:
    """The tree as the command line prints it."""
    console = Console(width=300)
    with console.capture() as captured:
        console.print(_tree(returning, ["ann"], f"{on}", found), soft_wrap=True)
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
