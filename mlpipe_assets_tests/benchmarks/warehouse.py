"""Orders published to a real PostgreSQL that waits for its disk: all of their days, and then one that has changed."""

import io
import random
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import psycopg2

from mlpipe_assets.contracts.orders import Orders
from mlpipe_assets.rules import columns
from mlpipe_assets.warehouse.columns import columns_of, copy_text
from mlpipe_assets.warehouse.postgres import Warehouse
from mlpipe_assets.warehouse.tables import Part, WarehouseTable
from mlpipe_assets_tests.benchmarks.report import Line, Measured
from mlpipe_assets_tests.servers import postgres_server

_DAYS, _FIRST = 30, date(2026, 1, 1)
_MOST_SECONDS, _SIZE = 75.0, 5_000_000


def measure_warehouse(folder: Path, rows: int) -> Measured:
    """The table of orders with its key and comments, compared with what was sent, beside COPY of the same text into a bare table."""
    folder.mkdir(parents=True, exist_ok=True)
    with postgres_server(folder, durable=True) as address:
        table = _orders(rows)
        bare = _bare(address, table)
        warehouse = Warehouse(address, "benchmark")
        whole = _seconds(warehouse, table)
        changed = replace(table, parts=[replace(table.parts[0], digest="changed"), *table.parts[1:]])
        day = _seconds(warehouse, changed)
        nothing = _seconds(warehouse, changed)
    target = rows == _SIZE
    lines = (
        Line(
            name=f"{rows:,} orders of {_DAYS} days published to PostgreSQL, with key, and compared (yardstick: COPY of the same text)",
            ours=f"{whole:.1f} s",
            yardstick=f"{bare:.1f} s",
            ratio=f"{whole / bare:.2f}",
            target=f"≤ {_MOST_SECONDS:g} s" if target else "",
            met=whole <= _MOST_SECONDS if target else None,
        ),
        Line(name=f"- one day of them that has changed, {rows // _DAYS:,} rows", ours=f"{day:.1f} s"),
        Line(name="- nothing that has changed", ours=f"{nothing * 1e3:.0f} ms"),
    )
    numbers = {"whole": whole, "bare": bare, "day": day, "nothing": nothing}
    return Measured(lines=lines, numbers={"warehouse": {f"{rows}": numbers}})


def _orders(rows: int) -> WarehouseTable:
    schema = {**{column.name: column.dtype for column in columns(Orders)}, "date": pl.Date()}
    days = [_FIRST + timedelta(days=n) for n in range(_DAYS)]

    def part(number: int, day: date) -> Part:
        return Part(
            where={"date": day}, digest=f"{day}", read=lambda: _day(number, day, rows // _DAYS, pl.Schema(schema))
        )

    return WarehouseTable(
        schema="stg",
        name="orders",
        comment="Orders.",
        columns=columns_of(schema, Orders, required=("date",)),
        key=("date", "order_id"),
        parts=[part(number, day) for number, day in enumerate(days)],
    )


def _day(number: int, day: date, rows: int, schema: pl.Schema) -> pl.DataFrame:
    """Orders of a day, the same each time."""
    drawn = random.Random(number)
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    ids = [number * rows + n for n in range(rows)]
    drawn.shuffle(ids)
    frame = pl.DataFrame({"n": ids}).with_columns(order_id=pl.format("O{}", pl.col("n").cast(pl.String).str.zfill(9)))
    made = frame.select(
        "order_id",
        known_at=pl.lit(start + timedelta(days=1)),
        delivery=pl.lit("0" * 64),
        record_number=pl.int_range(1, pl.len() + 1),
        customer_id=pl.format("C{}", (pl.col("n") % 100_000).cast(pl.String).str.zfill(6)),
        order_ts=pl.lit(start) + pl.duration(seconds=pl.col("n") % 86_400),
        amount=(pl.col("n") % 50_000).cast(pl.Decimal(18, 2)) / 100,
        quantity=pl.col("n") % 9 + 1,
        product_id=pl.format("P{}", (pl.col("n") % 99_999).cast(pl.String).str.zfill(5)),
        channel=pl.lit("web"),
        region=pl.lit("north"),
        date=pl.lit(day),
    )
    return made.select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def _bare(address: str, table: WarehouseTable) -> float:
    """Seconds to COPY the same text into a table without a key, and to commit."""
    declared = ", ".join(f"{column.name} {column.type}" for column in table.columns)
    spent = 0.0
    with closing(psycopg2.connect(address)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(f"create table bare ({declared})")
        for text in _texts(table):
            began = time.perf_counter()
            cursor.copy_expert("copy bare from stdin with (format csv)", io.BytesIO(text))
            spent += time.perf_counter() - began
        began = time.perf_counter()
        connection.commit()
        return spent + time.perf_counter() - began


def _texts(table: WarehouseTable) -> Iterator[bytes]:
    for part in table.parts:
        yield copy_text(part.read())


def _seconds(warehouse: Warehouse, table: WarehouseTable) -> float:
    began = time.perf_counter()
    if warehouse.find_behind([table]):
        warehouse.publish(table)
    return time.perf_counter() - began
