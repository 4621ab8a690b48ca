"""Views whose rows count as they were known: a past day never changes, and is what serving saw."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import pandera.polars as pa
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from polars.testing import assert_frame_equal

from mlpipe_assets.catalog.aggregates import Aggregate
from mlpipe_assets.catalog.declarations import Catalog, Entity, FeatureView
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.catalog.versions import view_version
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.partitions import days_between
from mlpipe_assets.point_in_time.known_by import begun_with, known_until
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.stages.features.plan import feature_work
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import build, drop, order, orders_csv, take
from mlpipe_assets_tests.planted import day
from mlpipe_assets_tests.point_in_time.test_known_then import known_by_then
from mlpipe_assets_tests.stages.test_histories import HISTORY, NEAR, Drop, catch_up, fresh_lake, play


class Spent(pa.DataFrameModel):
    """What a customer spent. Grain: customer_id."""

    customer_id: str = pa.Field(unique=True)
    as_of: Annotated[pl.Datetime, "us", "UTC"]
    orders_3d: pl.Int64
    spent_3d: Annotated[pl.Decimal, 38, 2]
    last_order: pl.Int64

    class Config:
        strict = True


spent = FeatureView(
    name="spent",
    entity=Entity(name="customer", join_keys=("customer_id",)),
    source="orders",
    aggregates=(
        Aggregate("count", name="orders", days=(3,)),
        Aggregate("sum", "amount", name="spent", days=(3,)),
        Aggregate("days_since_last", name="last_order"),
    ),
    contract=Spent,
)


def catalog_of(view: FeatureView, source: object = orders) -> Catalog:
    """One source and one view."""
    return Catalog(sources=(source,), feature_views=(view,), sql_dir=Path())  # type: ignore[arg-type]


def build_view(lake: Lake, catalog: Catalog, days: list[date]) -> None:
    """Build days of the view; what cannot be built is left out."""
    view = catalog.feature_views[0]
    with lake.writing("features", view.name):
        build_features(lake, DuckDBEngine(), catalog, view, days)


def rows_of(lake: Lake, on: date) -> pl.DataFrame:
    return lake.read("features", "spent", on) if lake.has("features", "spent", on) else pl.DataFrame()


def test_a_correction_changes_the_days_after_it_was_known_and_none_before(lake: Lake) -> None:
    catalog = catalog_of(spent)
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1", amount="10.00"), order("o2", amount="5.00")))
    drop(lake, "orders_2026-01-06.csv", orders_csv(order("o3", "2026-01-06T10:00:00Z", amount="1.00")))
    take(lake)
    build(lake, [day(5), day(6)])
    build_view(lake, catalog, [day(5), day(6)])
    before = [rows_of(lake, day(5)), rows_of(lake, day(6))]
    corrected = orders_csv(order("o1", amount="70.00"), order("o4", "2026-01-07T10:00:00Z", amount="1.00"))
    drop(lake, "orders_2026-01-07.csv", corrected)
    take(lake)
    build(lake, [day(5), day(7)])

    work = feature_work(lake, catalog, spent, lambda _: True)
    build_view(lake, catalog, [day(5), day(6), day(7)])

    assert work.days == (day(7),)
    for on, was in zip((day(5), day(6)), before, strict=True):
        assert_frame_equal(rows_of(lake, on), was)
    assert [rows_of(lake, day(n))["spent_3d"].item() for n in (5, 6, 7)] == [Decimal(15), Decimal(16), Decimal(77)]


def test_a_file_written_over_later_leaves_the_days_before_it_was_written_as_they_were(lake: Lake) -> None:
    catalog = catalog_of(spent)
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1", amount="10.00")))
    drop(lake, "orders_2026-01-06.csv", orders_csv(order("o2", "2026-01-06T10:00:00Z", amount="1.00")))
    take(lake)
    build(lake, [day(5), day(6)])
    build_view(lake, catalog, [day(5), day(6)])
    before = rows_of(lake, day(5))
    corrected = orders_csv(order("o1", amount="70.00"))
    drop(lake, "orders_2026-01-05.csv", corrected, modified=datetime(2026, 1, 7, 3, tzinfo=UTC))
    drop(lake, "orders_2026-01-07.csv", orders_csv(order("o3", "2026-01-07T10:00:00Z", amount="1.00")))
    take(lake)
    build(lake, [day(5), day(7)])

    work = feature_work(lake, catalog, spent, lambda _: True)
    build_view(lake, catalog, [day(5), day(6), day(7)])

    assert work.days == (day(6), day(7))  # written three hours after the end of the 6th, within the time to settle
    assert_frame_equal(rows_of(lake, day(5)), before)
    assert [rows_of(lake, day(n))["spent_3d"].item() for n in (6, 7)] == [Decimal(71), Decimal(72)]


def test_files_that_were_there_when_a_source_began_count_on_their_own_days(lake: Lake) -> None:
    catalog = catalog_of(spent)
    drop(lake, "history.csv", orders_csv(order("o1"), order("o2", "2026-01-06T10:00:00Z")))
    take(lake)
    build(lake, [day(5), day(6)])

    build_view(lake, catalog, [day(5), day(6)])

    assert [rows_of(lake, day(n))["orders_3d"].item() for n in (5, 6)] == [1, 2]


def test_how_late_rows_count_is_part_of_the_version_and_the_time_to_settle_too() -> None:
    correct = replace(spent, late="correct")
    versions = {
        view_version(catalog_of(view), view)
        for view in (spent, replace(spent, late="as_known"), correct, replace(correct, settle=timedelta(0)))
    }

    assert len(versions) == 2
    assert view_version(catalog_of(spent), spent) != view_version(
        catalog_of(replace(spent, settle=timedelta(0))), replace(spent, settle=timedelta(0))
    )


@pytest.mark.long
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(history=HISTORY)
def test_a_day_as_known_is_that_of_a_lake_with_the_files_known_by_then(history: list[Drop]) -> None:
    correct = replace(spent, late="correct")
    days = days_between(day(5), day(9))
    with fresh_lake() as lake:
        play(lake, NEAR, history, None)
        catch_up(lake, NEAR)
        build_view(lake, catalog_of(spent, NEAR), days)
        history_known = Ledger.load(lake, NEAR.name)
        for on in days:
            if not lake.has("features", "spent", on):
                continue
            with fresh_lake() as then:
                begun = begun_with(history_known) or known_until(spent, on)
                known_by_then(then, NEAR, history, max(begun, known_until(spent, on)))
                if history_known.deliveries and lake.has("interim", NEAR.name, on):
                    build_view(then, catalog_of(correct, NEAR), [on])
                was = rows_of(then, on)
                now = rows_of(lake, on)
                assert now.rows() == was.rows()
