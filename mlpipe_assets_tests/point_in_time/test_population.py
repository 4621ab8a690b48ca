"""Views that look at the whole population: built whole, and proved by cutting whole days."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlpipe_assets.engines import duckdb_engine as engine_module
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.partitions import days_between
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.lake_copies import copy_lake
from mlpipe_assets_tests.planted import SPEND_SQL, day, planted_catalog, planted_lake, spend
from mlpipe_assets_tests.point_in_time.test_proof import LEAKS, ORDERS, RANKED, SNAPSHOTS, edited

RANKS = replace(spend, scope="population")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Orders and customers, as clean tables."""
    root = tmp_path_factory.mktemp("shop")
    return planted_lake(root / "data", planted_catalog(root / "sql"), ORDERS, SNAPSHOTS)


def rows_of(lake: Lake, one: date) -> pl.DataFrame:
    """A partition of the view."""
    return pl.read_parquet(lake.state("features", "spend").files([one]), hive_partitioning=False)


@pytest.mark.parametrize("rows_a_pass", [1, 1_000_000])
def test_a_rank_is_the_same_by_day_and_by_range_whatever_the_size_of_a_pass(
    rows_a_pass: int, shop: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = planted_catalog(tmp_path / "sql", spend_sql=RANKED.format(SPEND_SQL), view=RANKS)
    ranged, daily = (copy_lake(shop, tmp_path / name) for name in ("ranged", "daily"))
    days = days_between(day(14), day(20))
    monkeypatch.setattr(engine_module, "_ROWS_A_PASS", rows_a_pass)

    _, proof = build_features(ranged, DuckDBEngine(), catalog, RANKS, days)
    for one in days:
        build_features(daily, DuckDBEngine(), catalog, RANKS, [one])

    assert proof.passed, proof.description
    assert ranged.days("features", "spend") == daily.days("features", "spend") == days
    for one in days:
        assert_frame_equal(rows_of(ranged, one), rows_of(daily, one))
    assert sorted(rows_of(ranged, day(14))["age"].unique()) == [0, 100]


@pytest.mark.parametrize("days", [1, 6])
@pytest.mark.parametrize("leak", ["a window to the wrong side", "no lower bound", "the newest snapshot"])
def test_a_leak_of_a_whole_population_is_found(leak: str, days: int, shop: Lake, tmp_path: Path) -> None:
    catalog = planted_catalog(tmp_path / "sql", spend_sql=LEAKS[leak], view=RANKS)
    lake = copy_lake(shop, tmp_path / "data")

    outcomes, proof = build_features(lake, DuckDBEngine(), catalog, RANKS, days_between(day(16 - days), day(15)))

    if days > 1 or leak == "a window to the wrong side":  # of one day, its build saw nothing else
        assert not proof.passed
        assert {str(o.refused)[:9] for o in outcomes} == {"spend.sql"}
    assert proof.metadata["rows_compared"]


def test_a_value_that_the_order_of_rows_decides_is_found_in_a_population_too(tmp_path: Path) -> None:
    chance = edited(SPEND_SQL, "cast(max(k.age) as bigint)", "cast(first(o.record_number) as bigint)")
    catalog = planted_catalog(tmp_path / "sql", spend_sql=chance, view=RANKS)
    orders = [(f"o{n}", "ann", day(5), f"{n}.00", "web") for n in range(1, 9)]
    lake = planted_lake(tmp_path / "data", catalog, orders, SNAPSHOTS)

    _, proof = build_features(lake, DuckDBEngine(), catalog, RANKS, [day(5)])

    assert "depends on the order of rows" in str(proof.description)
