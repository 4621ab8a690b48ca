"""Which days are compared, and from when on a table is comparable."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl

from mlpipe_assets.catalog.declarations import Monitor
from mlpipe_assets.monitoring.table_days import TableDays, settled_from, windows_of
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.planted import day, one_a_day, planted_catalog, planted_lake


def test_the_previous_period_is_as_long_and_ends_where_the_current_window_begins() -> None:
    windows = windows_of(day(9), timedelta(days=3))
    assert (windows.current, windows.previous) == ([day(7), day(8), day(9)], [day(4), day(5), day(6)])


def test_features_settle_when_their_windows_are_full(tmp_path: Path) -> None:
    catalog = planted_catalog(tmp_path / "sql")
    lake = planted_lake(tmp_path / "data", catalog, one_a_day(3, 5))
    watched = {name: Monitor(table=name) for name in ("interim/orders", "features/spend", "predictions/returning")}
    settled = {name: settled_from(lake, catalog, monitor) for name, monitor in watched.items()}
    assert settled == {"interim/orders": None, "features/spend": day(5), "predictions/returning": day(5)}


def test_the_first_days_of_a_feature_view_are_no_baseline(tmp_path: Path) -> None:
    from mlpipe_assets.catalog.versions import view_version
    from mlpipe_assets.monitoring.monitored_table import MonitoredTable
    from mlpipe_assets_tests.planted import spend

    catalog = planted_catalog(tmp_path / "sql")
    monitor = Monitor(table="features/spend", baseline=timedelta(days=2))
    catalog = replace(catalog, monitors=(monitor,))
    lake = planted_lake(tmp_path / "data", catalog, one_a_day(1, 4))
    facts = {"code_version": view_version(catalog, spend)}
    for number in (1, 2, 3):
        frame = pl.DataFrame({"customer_id": ["ann"]})
        lake.commit(lake.stage(lake.path("features", "spend", day(number)), frame, facts))
    monitored = MonitoredTable(lake=lake, catalog=catalog, monitor=monitor)
    assert monitored.candidates == [day(3)]
    assert monitored.state(day(3)) == (
        "baseline not complete: 1 of 2 days (counted from 2026-01-03 on, when its windows are full)"
    )


def test_holes_are_spelled_out(tmp_path: Path) -> None:
    lake = Lake(data_dir=str(tmp_path))
    for number in (1, 4):
        lake.commit(lake.stage(lake.path("interim", "orders", day(number)), pl.DataFrame({"n": [1]}), {}))
    days = TableDays(lake=lake, stage="interim", name="orders")
    assert days.spell_missing([day(n) for n in range(1, 5)]) == "2 of 4 days missing: 2026-01-02 to 2026-01-03"
    assert days.spell_missing([day(1), day(4)]) == ""
