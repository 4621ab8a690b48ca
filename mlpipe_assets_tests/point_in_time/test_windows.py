"""What a feature day may look at, and what is missing from it."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlpipe_assets.point_in_time.source_days import SourceDays
from mlpipe_assets.point_in_time.windows import Inputs
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import refuse
from mlpipe_assets_tests.planted import (
    ANN,
    START,
    bring_in,
    day,
    drop_orders,
    one_a_day,
    planted_catalog,
    planted_lake,
    spend,
)


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    """Orders of the 3rd to the 9th, snapshots of the 1st and the 6th, a window of three days."""
    catalog = planted_catalog(tmp_path / "sql")
    lake = planted_lake(
        tmp_path / "data", catalog, one_a_day(3, 9), {day(1): ANN, day(6): [("ann", 31, "north", START)]}
    )
    return Inputs(lake=lake, catalog=catalog, view=spend)


def test_a_range_reads_its_windows_and_nothing_later(inputs: Inputs) -> None:
    orders, customers = inputs.sources

    assert inputs.days_read(orders, day(6), day(7)) == [day(4), day(5), day(6), day(7)]
    assert inputs.days_read(customers, day(4), day(5)) == [day(1)]
    assert inputs.days_read(customers, day(4), day(7)) == [day(1), day(6)]
    assert inputs.days_read(customers, day(7), day(7)) == [day(6)]


def test_each_day_is_told_the_snapshot_in_force(inputs: Inputs) -> None:
    days = inputs.tables(day(5), day(7))["days"]

    expected = pl.DataFrame({"day": [day(5), day(6), day(7)], "customers_snapshot": [day(1), day(6), day(6)]})
    assert isinstance(days, pl.DataFrame)
    assert_frame_equal(days, expected)


@pytest.mark.parametrize(
    ("removed", "asked", "reason"),
    [
        (None, 5, None),
        (4, 6, "its window over interim/orders has holes: 2026-01-04 missing"),
        (4, 7, None),
        (None, 2, "interim/orders has no rows up to 2026-01-02"),
        (None, 11, "its window over interim/orders has holes: 2026-01-10 to 2026-01-11 missing"),
    ],
)
def test_a_hole_is_a_day_of_the_window_that_is_not_there(
    inputs: Inputs, removed: int | None, asked: int, reason: str | None
) -> None:
    if removed:
        inputs.lake.path("interim", "orders", day(removed)).unlink()

    assert inputs.find_obstacle(day(asked)) == reason


def test_missing_and_refused_days_are_told_apart(inputs: Inputs) -> None:
    inputs.lake.path("interim", "orders", day(4)).unlink()
    refuse(inputs.lake, "interim", "orders", day(5), problem="too many", inputs="abc")

    assert (
        inputs.find_obstacle(day(6))
        == "its window over interim/orders has holes: 2026-01-04 missing, 2026-01-05 refused"
    )


def test_the_digest_of_a_day_changes_with_its_window_and_with_nothing_else(inputs: Inputs, tmp_path: Path) -> None:
    before = {n: inputs.digest(day(n)) for n in range(3, 10)}
    drop_orders(inputs.lake, "orders_2026-07-01.csv", [("late", "bob", day(4), "1.00", "web")])
    bring_in(inputs.lake, inputs.catalog)

    fresh = Inputs(lake=inputs.lake, catalog=inputs.catalog, view=spend)
    assert [n for n in before if fresh.digest(day(n)) != before[n]] == [4, 5, 6]


def test_an_empty_lake_has_no_days(tmp_path: Path) -> None:
    inputs = Inputs(lake=Lake(data_dir=str(tmp_path)), catalog=planted_catalog(tmp_path / "sql"), view=spend)

    assert (inputs.first_day(), inputs.last_day()) == (None, None)
    assert inputs.find_obstacle(day(3)) == (
        "interim/orders has no rows up to 2026-01-03; no snapshot of interim/customers at or before 2026-01-03"
    )


def test_rows_before_the_first_partition_do_not_begin_the_source(tmp_path: Path) -> None:
    catalog = planted_catalog(tmp_path / "sql")
    lake = planted_lake(
        tmp_path / "data", catalog, [("old", "ann", date(2025, 12, 1), "1.00", "web"), *one_a_day(2, 3)]
    )

    orders = SourceDays(lake=lake, source=catalog.source("orders"))

    assert (orders.first, orders.find_holes(day(1), day(3))) == (day(2), [])
