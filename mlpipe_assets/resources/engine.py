"""The SQL engine: one select over named tables for a range of days, within a memory limit."""

import json
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

import dagster as dg
import duckdb
import polars as pl

from mlpipe_assets.errors import SqlError
from mlpipe_assets.quoting import without_values

Table = Sequence[Path] | pl.DataFrame
_ROWS_A_PASS = 1_000_000  # input rows one pass may hold: with their windows about 400 MB of DuckDB's memory
_DAYS_A_PASS = 45  # a pass over fewer days groups its input once and keeps far less
_MOST_BUCKETS = 4096
# No extension is fetched, and no variable of this program can be named as a table.
_ALONE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}
_OF_VALUES = (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException)
_LAST_ORDER = re.compile(r"\border\s+by\s+[\w.,\s]+\Z", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Only:
    """A condition on the tables that have a column: for buckets of join keys, and for samples."""

    column: str
    condition: str


class Engine(dg.ConfigurableResource):  # type: ignore[type-arg]
    """DuckDB over Parquet files. Everything is UTC; what does not fit in memory goes through disk.

    Results come back through Parquet too: rows are written by all threads as they are found, and neither engine has to
    hold a copy for the other.
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
                yield connection
            finally:
                connection.close()

    def decode(self, paths: Sequence[Path], names: Sequence[str]) -> pl.DataFrame:
        """Events with the named payload fields as text columns `field_0`, `field_1` and so on.

        Raises: duckdb.Error for payloads its JSON reader refuses.
        """
        shape = _quoted(json.dumps(dict.fromkeys(names, "VARCHAR"), ensure_ascii=False))
        fields = ", ".join(f"struct_extract(fields, {_quoted(name)}) as field_{i}" for i, name in enumerate(names))
        query = (
            f"select * exclude (fields), {fields} from (select event_date, known_at, delivery, record_number, source_file, "
            f"payload, from_json(payload, {shape}) as fields from read_parquet({files_literal(paths)}, hive_partitioning = false))"
        )
        with self.connect() as connection, tempfile.TemporaryDirectory(prefix="mlpipe-events-") as folder:
            target = Path(folder) / "events.parquet"
            connection.execute(f"copy ({query}) to {_quoted(target)} (format parquet, compression uncompressed)")
            return pl.read_parquet(target, hive_partitioning=False, memory_map=False, glob=False)

    def select(
        self, sql: str, tables: Mapping[str, Table], params: Mapping[str, Any], only: Only | None = None
    ) -> pl.DataFrame:
        """The rows of one select, over part of the tables where `only` says so, in the select's own order.

        Raises: SqlError with the engine's own words.
        """
        with tempfile.TemporaryDirectory(prefix="mlpipe-select-") as folder:
            target = Path(folder) / "rows.parquet"
            try:
                self._copy(f"({sql}\n)", target, "format parquet", tables, params, only)
            except duckdb.OutOfMemoryException as error:
                raise SqlError(
                    f"The query does not fit in MLPIPE_MEMORY_LIMIT={self.memory_limit}. Raise it."
                ) from error
            return _utc(pl.read_parquet(target, hive_partitioning=False, memory_map=False, glob=False))

    def select_by_day(
        self, sql: str, tables: Mapping[str, Table], params: Mapping[str, Any], *, rows: int, key: str, days: int
    ) -> "DayFrames":
        """The same select, its rows handed out by day of `as_of`; one pass over the range per bucket of join keys.

        Buckets bound the memory, not the meaning: a key is wholly in one of them. When one still does not fit, twice as
        many are tried.

        Args:
            sql: A select with an `as_of` column; D+1 00:00 belongs to day D.
            tables: Files or frames by name.
            params: Values the select binds.
            rows: Input rows, to choose the number of buckets by.
            key: Column to make buckets of.
            days: Days in the range.
        """
        buckets = max(1, math.ceil(rows / _ROWS_A_PASS * min(1.0, days / _DAYS_A_PASS)))
        unordered = _LAST_ORDER.sub("", sql.rstrip().rstrip(";"))  # days are sorted when they are read back
        by_day = f"(select *, cast(as_of - interval 1 microsecond as date) as _day from ({unordered}\n))"
        while True:
            frames = DayFrames()
            try:
                for bucket in range(buckets):
                    only = Only(column=key, condition=f'hash("{key}") % {buckets} = {bucket}') if buckets > 1 else None
                    how = "format parquet, compression lz4, partition_by (_day)"
                    self._copy(by_day, frames.folder(bucket), how, tables, params, only)
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
            else:
                return frames

    def _copy(
        self,
        rows: str,
        target: Path,
        how: str,
        tables: Mapping[str, Table],
        params: Mapping[str, Any],
        only: Only | None,
    ) -> None:
        """Write the rows of a select to `target`; it can read the tables it was given and no other file."""
        with self.connect() as connection, tempfile.TemporaryDirectory(prefix="mlpipe-tables-") as folder:
            files: list[Path] = []
            for name, table in tables.items():
                files += _register(connection, name, table, Path(folder), only)
            shut_in(connection, files, writable=target.parent)
            try:
                # A comment may name parameters that the statement itself does not bind.
                statement = connection.extract_statements(f"copy {rows} to {_quoted(target)} ({how})")[0]
                bound = {name: params[name] for name in statement.named_parameters if name in params}
                connection.execute(statement, bound or None)
            except duckdb.OutOfMemoryException:
                raise
            except (
                _OF_VALUES
            ) as error:  # without its cause, which quotes a value and would be kept in Dagster's database
                words = without_values(str(error).strip())[:600]
                raise SqlError(f"The SQL engine refused the query: {words}") from None
            except duckdb.Error as error:
                raise SqlError(_explain(str(error).strip())) from error


class DayFrames:
    """Result rows by day, on disk until they are asked for."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._root = Path(tempfile.mkdtemp(prefix="mlpipe-frames-"))

    def folder(self, bucket: int) -> Path:
        """Where the rows of one bucket go."""
        return self._root / f"{bucket}"

    def day(self, day: date, order: Sequence[str]) -> pl.DataFrame | None:
        """All rows of a day, in order of `order`; None when there are none."""
        parts = sorted(self._root.glob(f"*/_day={day}/*.parquet"))
        if not parts:
            return None
        frame = pl.read_parquet(parts, hive_partitioning=False, memory_map=False, glob=False)
        return _utc(frame).sort(*order)

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


def _register(
    connection: duckdb.DuckDBPyConnection, name: str, table: Table, folder: Path, only: Only | None
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


def shut_in(connection: duckdb.DuckDBPyConnection, files: Iterable[Path], writable: Path | None = None) -> None:
    """Let a connection open the given files and nothing else from now on; no statement can undo it.

    Args:
        connection: Its views are made already.
        files: Files it may read.
        writable: A folder it may write into.
    """
    names = [name for file in files for name in {str(file), _unglobbed(file)}]
    connection.execute(f"set allowed_paths = [{', '.join(map(_quoted, names))}]")
    if writable:
        connection.execute(f"set allowed_directories = [{_quoted(writable)}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def select_files(paths: Sequence[Path], *, dated: bool, more: str = "") -> str:
    """A select of all rows of some Parquet files.

    Args:
        paths: The files.
        dated: Add the day of their `date=` folder as the column `date`.
        more: Further columns, which may be made of `filename`.
    """
    hive = dated and not any("=" in part for part in paths[0].parts[:-2])  # DuckDB would make columns of those too
    files = f"{files_literal(paths)}, hive_partitioning = {hive}{', hive_types = {date: date}' if hive else ''}"
    named = [more] if more else []
    if dated and not hive:
        named.append("cast(regexp_extract(filename, 'date=([^/]*)/[^/]*$', 1) as date) as date")
    if not named:
        return f"select * from read_parquet({files})"
    return f"select * exclude (filename), {', '.join(named)} from read_parquet({files}, filename = true)"


def files_literal(paths: Sequence[Path]) -> str:
    """Files as a list in SQL: each names itself and no other, whatever its characters."""
    return f"[{', '.join(_quoted(_unglobbed(path)) for path in paths)}]"


def _unglobbed(path: Path) -> str:
    """A path that DuckDB, which reads every path as a pattern, takes as it is."""
    return re.sub(r"[*?[]", r"[\g<0>]", str(path))


def _quoted(text: object) -> str:
    return "'" + str(text).replace("'", "''") + "'"
