"""The warehouse on a real PostgreSQL: partitions replaced whole, compared before they are seen, and nothing of others touched."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import psycopg2
import pytest
from polars.testing import assert_frame_equal

from mlpipe_assets.contracts.orders import Orders
from mlpipe_assets.warehouse.columns import UnfitError, columns_of
from mlpipe_assets.warehouse.postgres import UnequalError, Warehouse, WarehouseError
from mlpipe_assets.warehouse.tables import Part, WarehouseTable
from mlpipe_assets_tests.frames import JAN_5, JAN_6
from mlpipe_assets_tests.servers import postgres_server

pytestmark = pytest.mark.long
SCHEMA = pl.Schema({"id": pl.String(), "amount": pl.Decimal(18, 2), "date": pl.Date()})


@pytest.fixture(scope="module")
def server_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres_server(tmp_path_factory.mktemp("postgres")) as address:
        yield address


@pytest.fixture
def address(server_address: str, tmp_path: Path) -> str:
    """A database of one test."""
    name = "".join(letter for letter in tmp_path.name.lower() if letter.isalnum())[-40:]
    with closing(psycopg2.connect(server_address)) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"create database {name}")
    return server_address.removesuffix("/postgres") + f"/{name}"


@pytest.fixture
def warehouse(address: str) -> Warehouse:
    return Warehouse(address, "ours")


def ask(address: str, text: str) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(address)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(text)
        return list(cursor.fetchall()) if cursor.description else []


def part(day: date, *amounts: str, digest: str = "") -> Part:
    rows = pl.DataFrame(
        {
            "id": [f"{day:%d}-{n}" for n in range(len(amounts))],
            "amount": [Decimal(amount) for amount in amounts],
            "date": [day] * len(amounts),
        },
        schema=SCHEMA,
    )
    return Part(where={"date": day}, digest=digest or " ".join(amounts), read=lambda: rows)


def sales(*parts: Part) -> WarehouseTable:
    found = columns_of(SCHEMA, None, required=("date", "id"))
    return WarehouseTable(
        schema="stg", name="sales", comment="What was sold.", columns=found, key=("date", "id"), parts=parts
    )


def test_a_table_is_made_with_types_key_and_words(warehouse: Warehouse, address: str) -> None:
    found = warehouse.publish(sales(part(JAN_5, "1.50", "2.00"), part(JAN_6, "3.00")))

    assert (found.parts, found.rows) == (2, 3)
    assert ask(address, "select sum(amount), count(*) from stg.sales") == [(Decimal("6.50"), 3)]
    assert ask(address, "select obj_description('stg.sales'::regclass)") == [("What was sold.",)]
    assert ask(
        address,
        "select column_name, data_type, numeric_scale, is_nullable from information_schema.columns "
        "where table_name = 'sales' order by ordinal_position",
    ) == [("id", "text", None, "NO"), ("amount", "numeric", 2, "YES"), ("date", "date", None, "NO")]
    assert ask(address, "select pg_get_constraintdef(oid) from pg_constraint where conrelid = 'stg.sales'::regclass and contype = 'p'") == [
        ("PRIMARY KEY (date, id)",)
    ]  # fmt: skip


def test_what_is_there_already_is_not_sent_again(warehouse: Warehouse, address: str) -> None:
    table = sales(part(JAN_5, "1.50"), part(JAN_6, "3.00"))
    warehouse.publish(table)
    before = ask(address, "select xmin::text, id from stg.sales order by id")

    assert warehouse.find_behind([table]) == []
    assert warehouse.publish(table).parts == 0
    assert ask(address, "select xmin::text, id from stg.sales order by id") == before


def test_a_day_that_changed_is_replaced_and_no_other_is_touched(warehouse: Warehouse, address: str) -> None:
    warehouse.publish(sales(part(JAN_5, "1.50"), part(JAN_6, "3.00")))
    before = ask(address, "select xmin::text from stg.sales where date = '2026-01-06'")

    table = sales(part(JAN_5, "9.00", "1.00"), part(JAN_6, "3.00"))
    [behind] = warehouse.find_behind([table])
    warehouse.publish(table)

    assert [one.name for one in behind.parts] == ["2026-01-05"]
    assert ask(address, "select date::text, sum(amount) from stg.sales group by 1 order by 1") == [
        ("2026-01-05", Decimal("10.00")),
        ("2026-01-06", Decimal("3.00")),
    ]
    assert ask(address, "select xmin::text from stg.sales where date = '2026-01-06'") == before


def test_a_day_that_the_lake_has_no_more_is_taken_away(warehouse: Warehouse, address: str) -> None:
    warehouse.publish(sales(part(JAN_5, "1.50"), part(JAN_6, "3.00")))

    found = warehouse.publish(sales(part(JAN_6, "3.00")))

    assert found.gone == 1
    assert ask(address, "select distinct date from stg.sales") == [(JAN_6,)]
    assert ask(address, "select partition, row_count from meta.published_partitions") == [("2026-01-06", 1)]


def test_other_columns_make_another_table_with_all_its_days(warehouse: Warehouse, address: str) -> None:
    warehouse.publish(sales(part(JAN_5, "1.50"), part(JAN_6, "3.00")))
    wider = pl.Schema({**SCHEMA, "note": pl.String()})

    def widened(one: Part) -> Part:
        return replace(one, read=lambda: one.read().with_columns(note=pl.lit("n")))

    parts = [widened(part(JAN_5, "1.50")), widened(part(JAN_6, "3.00"))]
    table = replace(sales(*parts), columns=columns_of(wider, None, required=("date", "id")))
    found = warehouse.publish(table)

    assert found.parts == 2
    assert ask(address, "select count(*), min(note) from stg.sales") == [(2, "n")]


def test_other_words_are_put_down_without_a_row_being_sent(warehouse: Warehouse, address: str) -> None:
    table = sales(part(JAN_5, "1.50"))
    warehouse.publish(table)

    found = warehouse.publish(replace(table, comment="What was sold, in euros."))

    assert found.parts == 0
    assert ask(address, "select obj_description('stg.sales'::regclass)") == [("What was sold, in euros.",)]


def test_a_table_that_others_hang_on_is_not_made_anew_behind_their_back(warehouse: Warehouse, address: str) -> None:
    warehouse.publish(sales(part(JAN_5, "1.50")))
    ask(address, "create view public.total as select sum(amount) as total from stg.sales")
    anew = replace(sales(part(JAN_5, "1.50")), key=())

    with pytest.raises(WarehouseError, match=r"others hang on it \(view total depends on table stg.sales\)"):
        warehouse.publish(anew)

    assert ask(address, "select total from public.total") == [(Decimal("1.50"),)]


def test_rows_that_do_not_arrive_are_found_and_nothing_changes(warehouse: Warehouse, address: str) -> None:
    warehouse.publish(sales(part(JAN_5, "1.50")))
    ask(
        address,
        "create function public.lose() returns trigger language plpgsql as 'begin if new.amount = 7 then return null; end if; return new; "
        "end'; create trigger lose before insert on stg.sales for each row execute function public.lose()",
    )

    with pytest.raises(UnequalError, match=r"stg.sales .*\(2 rows in the lake, 1 there, "):
        warehouse.publish(sales(part(JAN_5, "7.00", "2.00")))

    assert ask(address, "select amount from stg.sales") == [(Decimal("1.50"),)]
    assert ask(address, "select digest from meta.published_partitions") == [("1.50",)]


def test_values_that_are_changed_on_their_way_are_found(warehouse: Warehouse, address: str) -> None:
    warehouse.publish(sales())
    ask(
        address,
        "create function public.cut() returns trigger language plpgsql as 'begin new.amount = trunc(new.amount); return new; end'; "
        "create trigger cut before insert on stg.sales for each row execute function public.cut()",
    )

    with pytest.raises(UnequalError, match=r"sum of amount: 1.50 in the lake, 1.00 there"):
        warehouse.publish(sales(part(JAN_5, "1.50")))


def test_a_table_of_somebody_else_is_never_touched(warehouse: Warehouse, address: str) -> None:
    ask(address, "create schema stg; create table stg.sales (precious text); insert into stg.sales values ('mine')")

    with pytest.raises(WarehouseError, match=r"stg\.sales is there already and was not published by mlpipe"):
        warehouse.publish(sales(part(JAN_5, "1.50")))

    assert ask(address, "select precious from stg.sales") == [("mine",)]


def test_another_data_folder_is_refused_until_it_takes_over(warehouse: Warehouse, address: str) -> None:
    table = sales(part(JAN_5, "1.50"))
    warehouse.publish(table)
    other = Warehouse(address, "theirs")

    with pytest.raises(WarehouseError, match="1 table is published by another data folder"):
        other.find_behind([table])
    with pytest.raises(WarehouseError, match="1 table is published by another data folder"):
        other.publish(sales(part(JAN_5, "8.00")))
    other.take_over()

    assert other.publish(sales(part(JAN_5, "8.00"))).parts == 1
    with pytest.raises(WarehouseError, match="by another data folder"):
        warehouse.find_behind([table])


def test_a_role_that_reads_may_read_every_table_and_write_none(address: str) -> None:
    ask(address, "drop role if exists analyst; create role analyst login password 'pw'")
    Warehouse(address, "ours").publish(sales(part(JAN_5, "1.50")))
    reading = Warehouse(f"{address}?reader=analyst", "ours")

    assert [one.otherwise for one in reading.find_behind([sales(part(JAN_5, "1.50"))])] == [True]
    reading.publish(sales(part(JAN_5, "1.50")))

    theirs = address.replace(address.partition("//")[2].partition("@")[0], "analyst:pw")
    assert ask(theirs, "select amount from stg.sales") == [(Decimal("1.50"),)]
    assert ask(theirs, "select row_count from meta.published_partitions") == [(1,)]
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ask(theirs, "delete from stg.sales")


def test_every_value_comes_back_as_it_was(warehouse: Warehouse, address: str) -> None:
    rows = pl.DataFrame(
        {
            "text": ["", None, "ünï \t \\N \"q\" ','\r\n", "NULL"],
            "i": [-(2**63), 2**63 - 1, 0, None],
            "u": [2**64 - 1, 0, None, 1],
            "x": [1e-300, -0.1, float("inf"), None],
            "money": [Decimal("99999999999999.99"), Decimal("-0.01"), None, Decimal(0)],
            "yes": [True, False, None, True],
            "at": [datetime(1900, 1, 1, tzinfo=UTC), None, datetime(2261, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), None],
            "day": [date(1, 1, 1), date(9999, 12, 31), None, date(2026, 1, 5)],
        },
        schema={
            "text": pl.String, "i": pl.Int64, "u": pl.UInt64, "x": pl.Float64, "money": pl.Decimal(16, 2), "yes": pl.Boolean,
            "at": pl.Datetime("us", "UTC"), "day": pl.Date,
        },
    )  # fmt: skip
    whole = Part(where={}, digest="1", read=lambda: rows)
    table = WarehouseTable(
        schema="meta", name="kinds", comment="", columns=columns_of(rows.schema, None, required=()), key=(), parts=[whole], parted_by=()
    )  # fmt: skip

    warehouse.publish(table)

    found = pl.DataFrame(
        ask(address, "select * from meta.kinds"), schema=rows.columns, orient="row", infer_schema_length=None
    )
    assert_frame_equal(found.with_columns(pl.col("at").cast(pl.Datetime("us", "UTC"))).cast(rows.schema), rows)


def test_a_text_that_cannot_be_held_leaves_the_table_as_it_was(warehouse: Warehouse, address: str) -> None:
    warehouse.publish(sales(part(JAN_5, "1.50")))
    bad = replace(part(JAN_5, "2.00"), read=lambda: part(JAN_5, "2.00").read().with_columns(id=pl.lit("a\0")))

    with pytest.raises(UnfitError, match="column 'id': 1 text has a character of code 0"):
        warehouse.publish(sales(bad))

    assert ask(address, "select amount from stg.sales") == [(Decimal("1.50"),)]


def test_a_server_that_is_not_there_is_told_without_user_and_password(address: str) -> None:
    gone = address.replace(address.rpartition(":")[2].partition("/")[0], "1")

    with pytest.raises(WarehouseError, match="Is MLPIPE_POSTGRES_URL right, and the server up") as caught:
        Warehouse(gone, "ours").find_behind([])

    assert "s3cret" not in f"{caught.value}"
    assert "keeper" not in f"{caught.value}"


_PUBLISHES = """
import sys
from mlpipe_assets.warehouse.postgres import Warehouse
from mlpipe_assets_tests.frames import JAN_5
from mlpipe_assets_tests.warehouse.test_postgres import part, sales
Warehouse(sys.argv[1], "ours").publish(sales(part(JAN_5, "5.00", "6.00")))
"""


def test_a_publisher_killed_between_delete_and_commit_leaves_the_old_rows(warehouse: Warehouse, address: str) -> None:
    warehouse.publish(sales(part(JAN_5, "1.50")))
    ask(
        address,
        "create function public.wait() returns trigger language plpgsql as 'begin perform pg_sleep(30); return new; end'; "
        "create trigger wait before insert on stg.sales for each row execute function public.wait()",
    )
    with subprocess.Popen([sys.executable, "-c", _PUBLISHES, address], start_new_session=True) as process:
        deadline = time.monotonic() + 60
        while not ask(address, "select 1 from pg_stat_activity where wait_event = 'PgSleep'"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert ask(address, "select amount from stg.sales") == [(Decimal("1.50"),)]
    ask(address, "select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'")
    ask(address, "drop trigger wait on stg.sales")

    warehouse.publish(sales(part(JAN_5, "5.00", "6.00")))

    assert ask(address, "select amount from stg.sales order by 1") == [(Decimal("5.00"),), (Decimal("6.00"),)]


def test_the_columns_of_orders_are_those_of_their_contract(warehouse: Warehouse, address: str) -> None:
    schema = {name: column.dtype.type for name, column in Orders.to_schema().columns.items()}
    table = WarehouseTable(
        schema="stg", name="orders", comment="", columns=columns_of(schema, Orders, required=()), key=("order_id",), parts=()
    )  # fmt: skip

    warehouse.publish(table)

    [(words,)] = ask(address, "select col_description('stg.orders'::regclass, 7)")
    assert words == "Order total, tax included. In EUR."
