"""Reads exported tags with the libraries that own the formats, in an environment of their own, and prints what differs, as JSON.

Takes a folder with `iceberg/`, and `expected/<table>@<tag>.parquet`: what a project reads.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import duckdb_extension_avro  # type: ignore[import-not-found]
import duckdb_extension_iceberg  # type: ignore[import-not-found]
import polars as pl
from pyiceberg.table import StaticTable  # type: ignore[import-not-found]

ROOT = Path(sys.argv[1])


def duck() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for module in (duckdb_extension_avro, duckdb_extension_iceberg):
        (path,) = Path(module.__file__).parent.rglob("*.duckdb_extension")
        connection.execute(f"load '{path}'")
    return connection


def read(table: str, tag: str) -> Iterator[tuple[str, pl.DataFrame]]:
    folder = ROOT / "iceberg" / table
    newest = max((folder / "metadata").glob("v*.metadata.json"), key=lambda path: int(path.name[1:-14]))
    opened = StaticTable.from_metadata(f"{newest}")
    snapshot = opened.snapshot_by_name(tag).snapshot_id
    yield "pyiceberg", pl.DataFrame(opened.scan(snapshot_id=snapshot).to_arrow())
    for reader in ("native", "pyiceberg"):
        yield f"polars, {reader}", pl.scan_iceberg(opened, snapshot_id=snapshot, reader_override=reader).collect()
        yield (
            f"polars, {reader}, by path",
            pl.scan_iceberg(f"{newest}", snapshot_id=snapshot, reader_override=reader).collect(),
        )
    query = f"select * from iceberg_scan('{newest}', snapshot_from_id={snapshot})"
    rows = pl.DataFrame(duck().execute(query).to_arrow_table())
    zoned = [name for name, dtype in rows.schema.items() if isinstance(dtype, pl.Datetime) and dtype.time_zone]
    yield (
        "duckdb",
        rows.with_columns(pl.col(zoned).dt.convert_time_zone("UTC")),
    )  # it calls the zone as its session does


def differs(found: pl.DataFrame, expected: pl.DataFrame) -> str | None:
    if found.columns != expected.columns:
        return f"columns {found.columns}"
    if found.schema != expected.schema:
        return (
            f"types {[(n, str(t), str(found.schema[n])) for n, t in expected.schema.items() if found.schema[n] != t]}"
        )
    key = expected.columns[0]
    return None if found.sort(key).equals(expected.sort(key)) else f"rows {found.sort(key).rows()}"


wrong = {}
seen = []
for path in sorted((ROOT / "expected").glob("*.parquet")):
    table, _, tag = path.stem.partition("@")
    expected = pl.read_parquet(path)
    for reader, found in read(table, tag):
        seen.append(reader)
        if (what := differs(found, expected)) is not None:
            wrong[f"{path.stem}, {reader}"] = what
print(json.dumps({"wrong": wrong, "readers": sorted(set(seen)), "compared": len(seen)}))  # noqa: T201
