"""The warehouse face of the lake: every table answers, and errors name the tables there are."""

from pathlib import Path

import pytest

from mlpipe_assets.errors import SqlError
from mlpipe_assets.partitions import days_between
from mlpipe_assets.resources.engine import Engine
from mlpipe_assets.resources.lake import Lake
from mlpipe_assets.resources.warehouse import query
from mlpipe_assets.stages.features import build_features
from mlpipe_assets.stages.processed import build_training_set
from mlpipe_assets_tests.planted import day, drop_orders, one_a_day, planted_catalog, planted_lake


def test_every_table_of_the_lake_answers(tmp_path: Path) -> None:
    catalog = planted_catalog(tmp_path / "sql")
    lake = planted_lake(tmp_path / "a lake", catalog, [*one_a_day(1, 9), ("bad", "ann", day(2), "-1", "web")])
    build_features(lake, Engine(), catalog, catalog.feature_views[0], days_between(day(1), day(9)))
    build_training_set(lake, Engine(), catalog, catalog.models[0], day(9))

    def ask(sql: str) -> list[tuple[object, ...]]:
        return query(lake, Engine(), catalog, sql)[1]

    assert ask("select source, count(*) from raw.raw_events group by source order by source") == [
        ("customers", 1),
        ("orders", 10),
    ]
    assert ask("select count(*), min(date), max(date) from stg.orders") == [(9, day(1), day(9))]
    assert ask("select count(*) from stg.customers") == [(1,)]
    assert ask("select date, orders_3d from feats.spend order by date limit 3") == [
        (day(1), 1),
        (day(2), 2),
        (day(3), 3),
    ]
    assert ask("select split, count(*) from training.returning group by split order by split") == [
        ("test", 1),
        ("train", 3),
        ("validation", 1),
    ]
    assert ask("select split from meta.dataset_splits order by split") == [("test",), ("train",), ("validation",)]
    assert ask("select view from meta.feature_registry") == [("spend",)]
    assert ask("select reasons from meta.quarantine") == [("amount: >= 0",)]


def test_events_of_a_delivery_that_was_never_counted_are_not_shown(tmp_path: Path) -> None:
    catalog = planted_catalog(tmp_path / "sql")
    lake = planted_lake(tmp_path / "data", catalog, one_a_day(1, 2))
    (next(iter((lake.root / "meta" / "deliveries" / "orders").glob("*.json")))).unlink()

    assert query(lake, Engine(), catalog, "select distinct source from raw.raw_events")[1] == [("customers",)]


def test_a_wrong_query_is_told_the_tables_there_are(tmp_path: Path) -> None:
    catalog = planted_catalog(tmp_path / "sql")
    lake = planted_lake(tmp_path / "data", catalog, one_a_day(1, 1))

    with pytest.raises(SqlError, match=r"Tables: raw\.raw_events, stg\.customers, stg\.orders"):
        query(lake, Engine(), catalog, "select * from orders_of_old")


def test_an_empty_lake_says_what_to_do_first(tmp_path: Path) -> None:
    catalog = planted_catalog(tmp_path / "sql")
    lake = Lake(data_dir=str(tmp_path / "none"))

    assert query(lake, Engine(), catalog, "select 1 as one") == (["one"], [(1,)])
    with pytest.raises(SqlError, match="none yet: run `mlpipe run` first"):
        query(lake, Engine(), catalog, "select * from stg.orders")
    drop_orders(lake, "orders_2026-01-01.csv", one_a_day(1, 1))
    with pytest.raises(SqlError, match="none yet"):
        query(lake, Engine(), catalog, "select * from stg.orders")
