"""Reports about names that collide or mean something to the engine, re-created with declarations of our own."""

from dataclasses import replace
from pathlib import Path

import pytest

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.resources.engine import Engine
from mlpipe_assets.resources.lake import Lake
from mlpipe_assets.resources.warehouse import query
from mlpipe_assets_tests.frames import JAN_5, build, drop, order, orders_csv, take


@pytest.mark.parametrize("name", ["OrderItems", "order", "select", "user_group"])
def test_a_name_in_mixed_case_or_of_the_language_can_be_asked_again_and_again(tmp_path: Path, name: str) -> None:
    lake = Lake(data_dir=str(tmp_path))
    source = replace(orders, name=name)
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1")), source=name)
    take(lake, source)
    build(lake, [JAN_5], source)
    catalog = Catalog(sources=(source,))

    for _ in range(2):
        assert query(lake, Engine(), catalog, f'select order_id from stg."{name}"')[1] == [("o1",)]


def test_a_table_is_found_whatever_the_case_it_is_asked_in(tmp_path: Path) -> None:
    lake = Lake(data_dir=str(tmp_path))
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1")))
    take(lake)
    build(lake, [JAN_5])
    catalog = Catalog(sources=(orders,))

    found = [query(lake, Engine(), catalog, f"select ORDER_ID from {name}")[1] for name in ("stg.orders", "STG.Orders")]

    assert found == [[("o1",)], [("o1",)]]
