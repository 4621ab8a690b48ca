"""DuckDB as the engine: in this process, within a memory limit, through disk where that is not enough."""

import json
import logging
import math
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Self

import duckdb
import polars as pl

from mlpipe_assets.engines.duckdb_files import files_literal, quoted, select_files, shut_in
from mlpipe_assets.engines.engine import OnlyKeys, Slice
from mlpipe_assets.errors import SqlError
from mlpipe_assets.quoting import without_values

_log = logging.getLogger("mlpipe")
_ROWS_A_PASS = 1_000_000  # input rows one pass may hold: with their windows about 400 MB of DuckDB's memory
_DAYS_A_PASS = 45  # a pass over fewer days groups its input once and keeps far less
_MOST_PARTS = 4096
# No extension is fetched, and no variable of this program can be named as a table.
_ALONE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}
_OF_VALUES = (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException)
_LAST_ORDER = re.compile(r"\border\s+by\s+[\w.,\s]+\Z", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class _Only:
    """A condition on the tables that have a column: for parts of the keys, and for samples."""

    column: str
    condition: str


@dataclass(frozen=True, kw_only=True)
class DuckDBEngine:
    """DuckDB over Parquet files. Everything is UTC; what does not fit in memory goes through disk.

    Results come back through Parquet too: rows are written by all threads as they are found, and neither engine has to
    hold a copy for the other.

    Attributes:
        memory_limit: As DuckDB spells it, such as `1GB`.
    """

    memory_limit: str = "1GB"

    @contextmanager
    def connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection of its own, with its spill folder, both gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="mlpipe-duckdb-", ignore_cleanup_errors=True) as spill:
            config = {"memory_limit": self.memory_limit, "temp_directory": spill, **_ALONE}
            connection = duckdb.connect(config=config)
            try:
                connection.execute("set TimeZone = 'UTC'")
                connection.execute("set preserve_insertion_order = false")
                connection.execute("set enable_progress_bar_print = false")  # into what a command answers
                yield connection
            finally:
                connection.close()

    def decode(self, paths: Sequence[Path], names: Sequence[str]) -> pl.DataFrame | None:
        """Events of files with fields of their payload as text columns `field_0` and so on; None where DuckDB refuses one.

        Two names that differ in case only are one to DuckDB, so they are refused too.
        """
        if len({name.lower() for name in names}) < len(names):
            return None
        shape = quoted(json.dumps(dict.fromkeys(names, "VARCHAR"), ensure_ascii=False))
        fields = ", ".join(f"struct_extract(fields, {quoted(name)}) as field_{i}" for i, name in enumerate(names))
        query = (
            f"select * exclude (fields), {fields} from (select event_date, known_at, delivery, record_number, source_file, "
            f"payload, from_json(payload, {shape}) as fields from read_parquet({files_literal(paths)}, hive_partitioning = false))"
        )
        with self.connect() as connection, tempfile.TemporaryDirectory(prefix="mlpipe-events-") as folder:
            target = Path(folder) / "events.parquet"
            try:
                connection.execute(f"copy ({query}) to {quoted(target)} (format parquet, compression uncompressed)")
            except duckdb.Error:
                _log.debug("DuckDB's JSON reader refused %s", paths)
                return None
            return pl.read_parquet(target, hive_partitioning=False, memory_map=False, glob=False)

    def select(
        self, sql: str, tables: Mapping[str, Slice], params: Mapping[str, Any], only: OnlyKeys | None = None
    ) -> pl.DataFrame:
        """The rows of a select, in its own order; see `Engine`.

        Raises: SqlError with DuckDB's own words.
        """
        chosen = _Only(column=only.column, condition=_is_one_of(only.column, only.keys)) if only else None
        with tempfile.TemporaryDirectory(prefix="mlpipe-select-") as folder:
            target = Path(folder) / "rows.parquet"
            try:
                self._copy(f"({sql}\n)", target, "format parquet", tables, params, chosen)
            except duckdb.OutOfMemoryException as error:
                raise SqlError(
                    f"The query does not fit in MLPIPE_MEMORY_LIMIT={self.memory_limit}. Raise it."
                ) from error
            return _utc(pl.read_parquet(target, hive_partitioning=False, memory_map=False, glob=False))

    def select_by_day(
        self, sql: str, tables: Mapping[str, Slice], params: Mapping[str, Any], *, rows: int, key: str, days: int
    ) -> "DayFrames":
        """The rows of a select by day, one pass over the range for each part of the keys; see `Engine`.

        Parts bound the memory, not the meaning. When one does not fit, twice as many are tried.

        Raises: SqlError with DuckDB's own words.
        """
        parts = max(1, math.ceil(rows / _ROWS_A_PASS * min(1.0, days / _DAYS_A_PASS)))
        unordered = _LAST_ORDER.sub("", sql.rstrip().rstrip(";"))  # days are sorted when they are read back
        by_day = f"(select *, cast(as_of - interval 1 microsecond as date) as _day from ({unordered}\n))"
        while True:
            frames = DayFrames()
            try:
                for part in range(parts):
                    only = _Only(column=key, condition=f'hash("{key}") % {parts} = {part}') if parts > 1 else None
                    how = "format parquet, compression lz4, partition_by (_day)"
                    self._copy(by_day, frames.folder(part), how, tables, params, only)
            except duckdb.OutOfMemoryException as error:
                frames.close()
                if parts >= _MOST_PARTS:
                    raise SqlError(
                        f"The query does not fit in MLPIPE_MEMORY_LIMIT={self.memory_limit}, even in {parts:,} parts. Raise it."
                    ) from error
                parts *= 2
            except BaseException:
                frames.close()
                raise
            else:
                return frames

    def _copy(
        self,
        rows: str,
        target: Path,
        how: str,
        tables: Mapping[str, Slice],
        params: Mapping[str, Any],
        only: _Only | None,
    ) -> None:
        """Write the rows of a select to `target`; it can read the tables it was given and no other file.

        Raises: duckdb.OutOfMemoryException, which the caller answers; SqlError for all else that DuckDB refuses.
        """
        try:
            with self.connect() as connection, tempfile.TemporaryDirectory(prefix="mlpipe-tables-") as folder:
                files: list[Path] = []
                for name, table in tables.items():
                    files += _register(connection, name, table, Path(folder), only)
                shut_in(connection, files, writable=target.parent)
                # A comment may name parameters that the statement itself does not bind.
                statement = connection.extract_statements(f"copy {rows} to {quoted(target)} ({how})")[0]
                bound = {name: params[name] for name in statement.named_parameters if name in params}
                connection.execute(statement, bound or None)
        except duckdb.OutOfMemoryException:
            raise
        except _OF_VALUES as error:  # without its cause, which quotes a value and would be kept in Dagster's database
            words = without_values(str(error).strip())[:600]
            raise SqlError(f"The SQL engine refused the query: {words}") from None
        except duckdb.Error as error:
            raise SqlError(_explain(str(error).strip())) from error


class DayFrames:
    """Result rows by day, on disk until they are asked for."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._root = Path(tempfile.mkdtemp(prefix="mlpipe-frames-"))

    def folder(self, part: int) -> Path:
        """Where the rows of one part go."""
        return self._root / f"{part}"

    def day(self, day: date, order: Sequence[str]) -> pl.DataFrame | None:
        """All rows of a day, in order of `order`; None when there are none."""
        parts = sorted(self._root.glob(f"*/_day={day}/*.parquet"))
        if not parts:
            return None
        frame = pl.read_parquet(parts, hive_partitioning=False, memory_map=False, glob=False)
        # One thread for one day: days are read side by side, and a sort of text by several threads takes twice the processor.
        return _utc(frame).sort(*order, multithreaded=False)

    def close(self) -> None:
        """Remove the files."""
        shutil.rmtree(self._root, ignore_errors=True)

    def __enter__(self) -> Self:
        """Use as a context to have the files removed."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the files."""
        self.close()


def _explain(words: str) -> str:
    """The engine's words, with the line in front; what is wrapped around a select stands on its first line."""
    found = re.search(r"LINE (\d+):", words)
    where = f"line {found[1]}" if found else "the query"
    return f"The SQL engine refused {where}: {words.partition('LINE ')[0].strip()[:600]}"


def _utc(frame: pl.DataFrame) -> pl.DataFrame:
    """Timestamps as UTC microseconds: the engine's naive times are UTC."""
    return frame.with_columns(
        pl.col(name).dt.cast_time_unit("us").dt.replace_time_zone("UTC")
        if dtype.time_zone is None
        else pl.col(name).dt.cast_time_unit("us").dt.convert_time_zone("UTC")
        for name, dtype in frame.schema.items()
        if isinstance(dtype, pl.Datetime)
    )


def _is_one_of(column: str, keys: Iterable[object]) -> str:
    return f'"{column}" in ({", ".join(f"{key}" if isinstance(key, int) else quoted(key) for key in keys)})'


def _register(
    connection: duckdb.DuckDBPyConnection, name: str, table: Slice, folder: Path, only: _Only | None
) -> Sequence[Path]:
    """A view of that name over files or a frame; files bring the day of their `date=` folder as the column `date`."""
    if isinstance(table, pl.DataFrame):
        files: Sequence[Path] = [folder / f"{name}.parquet"]
        table.write_parquet(files[0], compression="lz4")
    else:
        files = table
    rows = select_files(files, dated=not isinstance(table, pl.DataFrame))
    restriction = ""
    if only:
        columns = {row[0] for row in connection.execute(f"describe {rows}").fetchall()}
        restriction = f" where {only.condition}" if only.column in columns else ""
    connection.execute(f'create temp view "{name}" as select * from ({rows}){restriction}')
    return files
