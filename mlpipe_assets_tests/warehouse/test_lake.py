"""The lake in the warehouse: published after a run, what changed and nothing else, with the face that `mlpipe sql` shows."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg2
import pytest

from mlpipe_assets.automation.catch_up import Summary, catch_up
from mlpipe_assets.automation.pending import pending
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.cli import main
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.errors import MlpipeError
from mlpipe_assets.flow import tables_of
from mlpipe_assets.pipeline import build_graph
from mlpipe_assets.publish.warehouse import query
from mlpipe_assets.settings import read_settings
from mlpipe_assets.status import partitions
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.warehouse.tables import warehouse_tables
from mlpipe_assets_tests.planted import drop_orders, one_a_day, planted_catalog, planted_lake
from mlpipe_assets_tests.servers import postgres_server

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres_server(tmp_path_factory.mktemp("postgres")) as found:
        yield found


@pytest.fixture
def shop(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Lake, Catalog]:
    """A lake with orders of three days, and an empty warehouse for it."""
    with closing(psycopg2.connect(address)) as connection, connection, connection.cursor() as cursor:
        for schema in ("meta", "raw", "stg", "feats", "monitoring", "training", "models", "validation", "predictions"):
            cursor.execute(f"drop schema if exists {schema} cascade")
    monkeypatch.setenv("MLPIPE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("MLPIPE_POSTGRES_URL", address)
    catalog = planted_catalog(tmp_path / "sql")
    return planted_lake(tmp_path / "data", catalog, one_a_day(1, 3, ("ann", "bob"))), catalog


def run(lake: Lake, catalog: Catalog, folder: Path) -> Summary:
    with dg.DagsterInstance.ephemeral(tempdir=str(folder)) as instance:
        return catch_up(lake, catalog, lambda: (build_graph(catalog, read_settings()), instance), lambda _: True)


def ask(address: str, text: str) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(address)) as connection, connection.cursor() as cursor:
        cursor.execute(text)
        return list(cursor.fetchall())


def test_every_table_that_sql_shows_is_in_the_warehouse_with_its_rows_and_columns(
    shop: tuple[Lake, Catalog], address: str, tmp_path: Path
) -> None:
    lake, catalog = shop

    summary = run(lake, catalog, tmp_path)

    assert summary.errors == []
    engine = DuckDBEngine()
    shown = query(lake, engine, catalog, "select schema_name || '.' || table_name from duckdb_tables() union all "
                  "select schema_name || '.' || view_name from duckdb_views() where not internal")[1]  # fmt: skip
    schemas = {table.schema for table in tables_of(catalog) if table.schema}
    names = {name for (name,) in shown if f"{name}".partition(".")[0] in schemas | {"raw", "meta", "monitoring"}}
    published = {table.full_name for table in warehouse_tables(lake, catalog)}
    by_source = {f"raw.{source.name}" for source in catalog.sources}  # the rows of raw.raw_events, once more
    assert {"raw.raw_events", "stg.orders", "feats.spend"} <= names - by_source <= published
    for table in warehouse_tables(lake, catalog):
        if not table.parts:
            continue
        there = ask(address, f"select count(*) from {table.full_name}")
        here = query(lake, engine, catalog, f"select count(*) from {table.full_name}")[1]
        assert there == here, table.full_name
        columns = query(lake, engine, catalog, f"select * from {table.full_name} limit 0")[0]
        of = f"where table_schema = '{table.schema}' and table_name = '{table.name}' order by ordinal_position"
        assert [name for (name,) in ask(address, f"select column_name from information_schema.columns {of}")] == columns


def test_a_run_publishes_what_it_built_and_the_next_one_nothing(
    shop: tuple[Lake, Catalog], address: str, tmp_path: Path
) -> None:
    lake, catalog = shop
    run(lake, catalog, tmp_path)
    before = dict(ask(address, "select table_name || ' ' || partition, published_at from meta.published_partitions"))
    assert [work.table for work in pending(lake, catalog, lambda _: True) if work.days] == []
    assert "warehouse/postgres" in {p.table for p in partitions(lake, catalog)}

    drop_orders(lake, "orders_2026-07-01.csv", [("ann2", "ann", one_a_day(2, 2)[0][2], "99.00", "web")])
    summary = run(lake, catalog, tmp_path)

    after = dict(ask(address, "select table_name || ' ' || partition, published_at from meta.published_partitions"))
    changed = {name for name, moment in after.items() if before.get(name) != moment}
    assert summary.errors == []
    assert "stg.orders 2026-01-02" in changed
    assert "stg.orders 2026-01-01" not in changed
    assert ask(address, "select amount::text from stg.orders where order_id = 'ann2'") == [("99.00",)]


def test_a_warehouse_that_is_down_does_not_keep_the_lake_from_being_built(
    shop: tuple[Lake, Catalog], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, catalog = shop
    monkeypatch.setenv("MLPIPE_POSTGRES_URL", "postgresql://keeper:s3cret@127.0.0.1:1/postgres")

    summary = run(lake, catalog, tmp_path)

    assert lake.days("features", "spend")
    [error] = summary.errors
    assert error.startswith("warehouse/postgres: postgresql://127.0.0.1:1/postgres does not do what was asked")
    assert "s3cret" not in error


def test_a_prototype_publishes_nothing(shop: tuple[Lake, Catalog], tmp_path: Path, address: str) -> None:
    _, catalog = shop
    other = planted_lake(tmp_path / "prototype", catalog, one_a_day(1, 1))

    run(other, catalog, tmp_path)

    assert ask(address, "select to_regclass('meta.published_tables')") == [(None,)]


def test_mlpipe_publish_says_what_is_behind_publishes_it_and_refuses_what_is_no_table(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(psycopg2.connect(address)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            "drop schema if exists meta cascade; drop schema if exists stg cascade; drop schema if exists raw cascade"
        )
    monkeypatch.setenv("MLPIPE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("MLPIPE_POSTGRES_URL", address)
    from mlpipe_assets.catalog.contents import CATALOG

    planted_lake(tmp_path / "data", CATALOG, one_a_day(1, 3))

    assert main(["publish", "stg.orders", "--dry-run", "--json"]) == 0
    assert not (tmp_path / "data" / "meta" / "warehouse.json").exists()  # a look leaves nothing
    assert '"table": "stg.orders", "partitions": 3' in capsys.readouterr().out
    assert main(["publish", "stg.orders", "raw.raw_events"]) == 0
    assert "stg.orders" in capsys.readouterr().out
    assert main(["publish", "stg.orders", "--json"]) == 0
    assert capsys.readouterr().out == "[]\n"
    assert main(["publish", "--dry-run", "--take-over"]) == 2
    assert "leave one of them away" in capsys.readouterr().err
    assert main(["publish", "stg.order"]) == 2
    assert "No table is called 'stg.order'. There are: raw.raw_events" in capsys.readouterr().err
    monkeypatch.setenv("MLPIPE_POSTGRES_URL", "")
    assert main(["publish"]) == 2
    assert "There is no warehouse to publish to. Set MLPIPE_POSTGRES_URL" in capsys.readouterr().err


def test_an_address_that_is_none_is_refused_without_being_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLPIPE_POSTGRES_URL", "mysql://keeper:s3cret@host/db")

    with pytest.raises(MlpipeError, match="MLPIPE_POSTGRES_URL is no address of a PostgreSQL") as caught:
        read_settings()

    assert "s3cret" not in f"{caught.value}"
