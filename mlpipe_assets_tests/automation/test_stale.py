"""What sensors see of the lake: what is behind, and what cannot be built."""

from datetime import date
from pathlib import Path

from mlpipe_assets.automation.stale import look_for_stale_days
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.data_catalog.entries import describe
from mlpipe_assets.data_catalog.record import write_entries
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.partitions import days_between
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.planted import bring_in, day, drop_orders, one_a_day, planted_lake


def test_a_first_training_is_asked_for_once_the_history_fills_every_split_and_not_before(
    tmp_path: Path, catalog: Catalog
) -> None:
    lake = planted_lake(tmp_path / "data", catalog, one_a_day(1, 7))
    wished: dict[date, list[tuple[str, tuple[date, ...]]]] = {}
    for number in (6, 7):
        build_features(lake, DuckDBEngine(), catalog, catalog.feature_views[0], days_between(day(1), day(number)))
        stages = look_for_stale_days(lake, catalog).stages
        wished[day(number)] = [(w.table, w.days) for stage in stages for w in stage if w.job == "training_job"]

    assert wished == {day(6): [], day(7): [("processed/returning", (day(7),))]}


def test_days_that_cannot_be_built_are_named_with_the_reason(lake: Lake, catalog: Catalog) -> None:
    drop_orders(lake, "orders.csv", one_a_day(1, 3))
    bring_in(lake, catalog)

    stale = look_for_stale_days(lake, catalog)

    assert [wish.table for stage in stale.stages for wish in stage] == ["meta/catalog"]
    assert stale.blocked == (
        "features/spend 2026-01-01 to 2026-01-03: no snapshot of interim/customers at or before 2026-01-03",
    )


def test_the_data_catalog_is_asked_for_once_after_all_else_is_built(lake: Lake, catalog: Catalog) -> None:
    def asked() -> list[str]:
        return [wish.table for stage in look_for_stale_days(lake, catalog).stages for wish in stage]

    assert asked() == []  # of an empty lake there is nothing to say
    drop_orders(lake, "orders.csv", one_a_day(1, 3))
    bring_in(lake, catalog)
    assert asked() == ["meta/catalog"]

    write_entries(lake, describe(lake, catalog))

    assert asked() == []
    drop_orders(lake, "more.csv", one_a_day(4, 4))
    bring_in(lake, catalog)
    assert asked() == ["meta/catalog"]
