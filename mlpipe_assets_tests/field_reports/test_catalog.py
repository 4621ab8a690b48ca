"""Reports about names that collide or mean something to the engine, re-created with declarations of our own."""

from dataclasses import replace
from pathlib import Path

import pytest

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.publish.warehouse import query
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import JAN_5, build, drop, order, orders_csv, take


def test_two_tables_whose_names_differ_in_case_only_are_refused() -> None:
    with pytest.raises(SettingsError, match="Orders"):
        Catalog(sources=(orders, replace(orders, name="Orders")))


@pytest.mark.parametrize(
    ("name", "why"), [("OrderItems", "must be of a-z"), ("order", "reserved word"), ("select", "reserved word")]
)
def test_a_name_in_mixed_case_or_of_the_language_is_refused_before_anything_is_built(name: str, why: str) -> None:
    with pytest.raises(SettingsError, match=f"'{name}': the name .*{why}"):
        Catalog(sources=(replace(orders, name=name),))


def test_a_table_is_found_whatever_the_case_it_is_asked_in(tmp_path: Path) -> None:
    lake = Lake(data_dir=str(tmp_path))
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1")))
    take(lake)
    build(lake, [JAN_5])
    catalog = Catalog(sources=(orders,))

    found = [
        query(lake, DuckDBEngine(), catalog, f"select ORDER_ID from {name}")[1] for name in ("stg.orders", "STG.Orders")
    ]

    assert found == [[("o1",)], [("o1",)]]
