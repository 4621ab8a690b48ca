"""The SQL engine: one select over named tables for a range of days, within a memory limit."""

import json
import math
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import polars as pl

from mlpipe_assets.errors import SqlError
from mlpipe_assets.partitions import days_between

Table = Sequence[Path] | pl.DataFrame
_ROWS_A_PASS = 1_000_000  # input rows a bucket of a range pass may hold: about 250 MB of DuckDB's memory
_ROWS_A_DAY_PASS = 4_000_000
_MOST_BUCKETS = 4096


@dataclass(frozen=True, kw_only=True)
class Only:
    """A condition on the tables that have a column: for buckets of join keys, and for samples."""

    column: str
    condition: str


class Engine(dg.ConfigurableResource):  # type: ignore[type-arg]
    """DuckDB over Parquet files. Everything is UTC; what does not fit in memory goes through disk."""

    memory_limit: str = "1GB"

    @contextmanager
    def connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection of its own, with its spill folder, both gone afterwards."""
        spill = tempfile.mkdtemp(prefix="mlpipe-duckdb-")
        connection = duckdb.connect(config={"memory_limit": self.memory_limit, "temp_directory": spill})
        try:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute("set preserve_insertion_order = false")
            yield connection
        finally:
            connection.close()
            shutil.rmtree(spill, ignore_errors=True)

    def decode(self, paths: Sequence[Path], names: Sequence[str]) -> pl.DataFrame:
        """Events with the named payload fields as text columns `field_0`, `field_1` …

        Raises: duckdb.Error for payloads its JSON reader refuses.
        """
        shape = "{" + ",".join(f"{json.dumps(name)}:\"VARCHAR\"" for name in names) + "}"
        with self.connect() as connection:
            query = (
                "select event_date, known_at, delivery, record_number, source_file, payload, "
                f"from_json(payload, '{shape.replace(chr(39), chr(39) * 2)}') as fields "
                f"from read_parquet({_literals(paths)}, hive_partitioning = false)"
            )
            frame = pl.DataFrame(connection.sql(query))
        fields = frame["fields"].struct.rename_fields([f"field_{i}" for i in range(len(names))])
        return frame.drop("fields").hstack(fields.struct.unnest())

    def select(
        self, sql: str, tables: Mapping[str, Table], params: Mapping[str, Any], only: "Only | None" = None
    ) -> pl.DataFrame:
        """The rows of one select, over part of the tables where `only` says so.

        Raises: SqlError with the engine's own words.
        """
        wanted = {name: value for name, value in params.items() if re.search(rf"\${name}\b", sql)}
        with self.connect() as connection, tempfile.TemporaryDirectory(prefix="mlpipe-tables-") as folder:
            for name, table in tables.items():
                _register(connection, name, table, Path(folder), only)
            if "start" in params and "end" in params:
                _register(connection, "days", _days(params["start"], params["end"]), Path(folder), None)
            try:
                return pl.DataFrame(connection.sql(sql, params=wanted or None))
            except duckdb.OutOfMemoryException:
                raise
            except duckdb.Error as error:
                raise SqlError(f"The SQL engine refused the query: {str(error).splitlines()[0][:500]}") from error

    def select_by_day(
        self,
        sql: str,
        tables: Mapping[str, Table],
        params: Mapping[str, Any],
        *,
        rows: int,
        key: str,
        days: int,
    ) -> "DayFrames":
        """The same select, its rows handed out by day of `as_of`; one pass over the range per bucket of join keys.

        Buckets bound the memory, not the meaning: a key is wholly in one of them. When one still does not fit, twice as
        many are tried.
        """
        buckets = max(1, math.ceil(rows / (_ROWS_A_PASS if days > 7 else _ROWS_A_DAY_PASS)))
        while True:
            frames = DayFrames()
            try:
                for bucket in range(buckets):
                    only = Only(column=key, condition=f'hash("{key}") % {buckets} = {bucket}') if buckets > 1 else None
                    frames.add(self.select(sql, tables, params, only))
                return frames
            except duckdb.OutOfMemoryException as error:
                frames.close()
                if buckets >= _MOST_BUCKETS:
                    raise SqlError(
                        f"The query does not fit in MLPIPE_MEMORY_LIMIT={self.memory_limit}, even in {buckets:,} parts. Raise it."
                    ) from error
                buckets *= 2
            except BaseException:
                frames.close()
                raise


class DayFrames:
    """Result rows by day, kept on disk once there is more than one bucket of them."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._folder = Path(tempfile.mkdtemp(prefix="mlpipe-frames-"))
        self._parts: dict[date, list[Path]] = {}
        self._count = 0
        self.schema: pl.Schema | None = None

    def add(self, frame: pl.DataFrame) -> None:
        """Take the rows of one bucket; as_of D+1 00:00 belongs to day D."""
        if "as_of" not in frame.columns:
            raise SqlError(f"The select has no as_of column; it has {', '.join(frame.columns)}.")
        frame = _utc(frame)
        self.schema = frame.schema
        self._count += 1
        if not frame.height:
            return
        for part in frame.partition_by("as_of", maintain_order=True):
            day = (part["as_of"][0] - timedelta(microseconds=1)).date()
            path = self._folder / f"{day}-{self._count}.arrow"
            part.write_ipc(path, compression="lz4")
            self._parts.setdefault(day, []).append(path)

    def day(self, day: date, order: Sequence[str]) -> pl.DataFrame:
        """All rows of a day, in order of `order`."""
        parts = self._parts.get(day, [])
        if not parts:
            return pl.DataFrame(schema=self.schema or {})
        return pl.concat([pl.read_ipc(path) for path in parts]).sort(*order)

    def close(self) -> None:
        """Remove what was kept."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> "DayFrames":
        """Use as a context to have the files removed."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove what was kept."""
        self.close()


def _utc(frame: pl.DataFrame) -> pl.DataFrame:
    """Timestamps as UTC microseconds: the engine's naive times are UTC."""
    return frame.with_columns(
        pl.col(name).dt.cast_time_unit("us").dt.replace_time_zone("UTC")
        if dtype.time_zone is None
        else pl.col(name).dt.cast_time_unit("us").dt.convert_time_zone("UTC")
        for name, dtype in frame.schema.items()
        if isinstance(dtype, pl.Datetime)
    )


def _days(start: date, end: date) -> pl.DataFrame:
    return pl.DataFrame({"day": days_between(start, end)}, schema={"day": pl.Date})


def _register(
    connection: duckdb.DuckDBPyConnection, name: str, table: Table, folder: Path, only: Only | None
) -> None:
    """A view of that name over files or a frame, with their `date=` folder as the column `date`."""
    if isinstance(table, pl.DataFrame):
        path = folder / f"{name}.parquet"
        table.write_parquet(path, compression="lz4")
        source = f"read_parquet({_literals([path])}, hive_partitioning = false)"
    else:
        source = (
            f"read_parquet({_literals(table)}, hive_partitioning = true, hive_types = {{'date': date}}, union_by_name = false)"
        )
    restriction = ""
    if only:
        columns = {row[0] for row in connection.sql(f"describe select * from {source}").fetchall()}
        restriction = f" where {only.condition}" if only.column in columns else ""
    connection.execute(f'create temp view "{name}" as select * from {source}{restriction}')


def _literals(paths: Sequence[Path]) -> str:
    quoted = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
    return f"[{quoted}]"
