"""DuckDB as the engine: in this process, within a memory limit, through disk where that is not enough."""

import json
import logging
import math
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import polars as pl

from mlpipe_assets.engines.duckdb_answers import answer_frame, answer_rows
from mlpipe_assets.engines.duckdb_binding import bind, spell_type
from mlpipe_assets.engines.duckdb_connection import connect, shut_in, statements_of
from mlpipe_assets.engines.duckdb_files import files_literal, quoted, quoted_name, select_files
from mlpipe_assets.engines.duckdb_statements import ask
from mlpipe_assets.engines.duckdb_words import ERRORS, refused, unless_stopped
from mlpipe_assets.engines.engine import Bound, Columns, NamedTable, OnlyKeys, Slice
from mlpipe_assets.engines.read_back import DayFrames, read_rows
from mlpipe_assets.engines.refused import Reason, Refusal, RefusedSqlError

_log = logging.getLogger("mlpipe")
_ROWS_A_PASS = 1_000_000  # input rows one pass may hold: with their windows about 400 MB of DuckDB's memory
_DAYS_A_PASS = 45  # a pass over fewer days groups its input once and keeps far less
_MOST_PARTS = 4096
LAST_ORDER = re.compile(r"\border\s+by\s+(?:(?!\b(?:limit|offset|fetch)\b)[\w.,\s])+\Z", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class _Only:
    """A condition on the tables that have all of some columns: for parts of the keys, and for samples."""

    columns: frozenset[str]
    condition: str

    @classmethod
    def of(cls, only: OnlyKeys | None) -> "tuple[_Only, ...]":
        """The condition of some entities; none where all take part."""
        return (cls(columns=frozenset(only.rows.columns), condition=_is_one_of(only.rows)),) if only else ()


class Bucket(NamedTuple):
    """One part of the keys of a select by day.

    Attributes:
        rows: The select in brackets, with the column `_day`.
        tables: Slices by the names the select uses.
        params: Values it binds.
        keys: Columns to cut by.
        number: Which part, from 0.
        parts: How many there are.
        only: Rows of the tables that take part; None takes all.
    """

    rows: str
    tables: Mapping[str, Slice]
    params: Mapping[str, Any]
    keys: tuple[str, ...]
    number: int
    parts: int
    only: OnlyKeys | None = None


@dataclass(frozen=True, kw_only=True)
class DuckDBEngine:
    """DuckDB over Parquet files. Everything is UTC; what does not fit in memory goes through disk.

    Results come back through Parquet too: rows are written by all threads as they are found, and neither engine has to
    hold a copy for the other.

    Attributes:
        memory_limit: As DuckDB spells it, such as `1GB`.
    """

    memory_limit: str = "1GB"

    @property
    def name(self) -> str:
        """What people call it."""
        return "DuckDB"

    def bind(self, sql: str, tables: Mapping[str, Columns], params: Mapping[str, Any]) -> Bound | None:
        """What a select would give over tables of these columns; see `Engine`."""
        return bind(sql, tables, params)

    def spell_type(self, dtype: pl.DataType) -> str | None:
        """What a SQL text calls the type of a column; see `Engine`."""
        return spell_type(dtype)

    def answer_rows(self, sql: str, tables: Sequence[NamedTable]) -> tuple[list[str], list[tuple[object, ...]]]:
        """Names and rows of one statement that reads; see `Engine`."""
        return ask(self.memory_limit, sql, tables, answer_rows)

    def answer_frame(self, sql: str, tables: Sequence[NamedTable]) -> pl.DataFrame:
        """The same as a frame; see `Engine`."""
        return ask(self.memory_limit, sql, tables, answer_frame)

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
        with connect(self.memory_limit) as connection, tempfile.TemporaryDirectory(prefix="mlpipe-events-") as folder:
            target = Path(folder) / "events.parquet"
            try:
                connection.execute(f"copy ({query}) to {quoted(target)} (format parquet, compression uncompressed)")
            except ERRORS as error:
                unless_stopped(error)
                _log.debug("DuckDB's JSON reader refused %s", paths)
                return None
            return pl.read_parquet(target, hive_partitioning=False, memory_map=False, glob=False)

    def select(
        self, sql: str, tables: Mapping[str, Slice], params: Mapping[str, Any], only: OnlyKeys | None = None
    ) -> pl.DataFrame:
        """The rows of a select, in its own order; see `Engine`.

        Raises: RefusedSqlError with DuckDB's own words.
        """
        with tempfile.TemporaryDirectory(prefix="mlpipe-select-") as folder:
            target = Path(folder) / "rows.parquet"
            try:
                self._copy(f"({sql}\n)", target, "format parquet", tables, params, _Only.of(only))
            except duckdb.OutOfMemoryException:
                raise RefusedSqlError(
                    f"The query does not fit in MLPIPE_MEMORY_LIMIT={self.memory_limit}. Raise it."
                ) from None
            return read_rows(target)

    def select_by_day(
        self,
        sql: str,
        tables: Mapping[str, Slice],
        params: Mapping[str, Any],
        *,
        rows: int,
        keys: Sequence[str],
        days: int,
        moments: bool = False,
        only: OnlyKeys | None = None,
    ) -> DayFrames:
        """The rows of a select by day, one pass over the range for each part of the keys; see `Engine`.

        Parts bound the memory, not the meaning. When one does not fit, twice as many are tried.

        Raises: RefusedSqlError with DuckDB's own words.
        """
        parts = self._parts(rows, days) if keys else 1
        unordered = LAST_ORDER.sub("", sql.rstrip().rstrip(";"))  # days are sorted when they are read back
        day = "as_of" if moments else "as_of - interval 1 microsecond"
        by_day = f"(select *, cast({day} as date) as _day from ({unordered}\n))"
        while True:
            frames = self._new_frames()
            try:
                self._fill(frames, [Bucket(by_day, tables, params, tuple(keys), n, parts, only) for n in range(parts)])
            except duckdb.OutOfMemoryException:
                frames.close()
                if parts >= _MOST_PARTS or not keys:
                    raise RefusedSqlError(
                        f"The query does not fit in MLPIPE_MEMORY_LIMIT={self.memory_limit}, even in {parts:,} parts. Raise it."
                    ) from None
                parts *= 2
            except BaseException:
                frames.close()
                raise
            else:
                return frames

    def copy_bucket(self, bucket: Bucket, target: Path) -> None:
        """Write the rows of one part of the keys to `target`, in a folder for each day.

        Raises: duckdb.OutOfMemoryException; RefusedSqlError.
        """
        condition = f"hash({', '.join(map(quoted_name, bucket.keys))}) % {bucket.parts} = {bucket.number}"
        cut = (_Only(columns=frozenset(bucket.keys), condition=condition),) if bucket.parts > 1 else ()
        how = "format parquet, compression lz4, partition_by (_day)"
        self._copy(bucket.rows, target, how, bucket.tables, bucket.params, (*cut, *_Only.of(bucket.only)))

    def _parts(self, rows: int, days: int) -> int:
        """Parts of the keys that are likely to fit."""
        return max(1, math.ceil(rows / _ROWS_A_PASS * min(1.0, days / _DAYS_A_PASS)))

    def _new_frames(self) -> DayFrames:
        return DayFrames()

    def _fill(self, frames: DayFrames, buckets: Sequence[Bucket]) -> None:
        """Run all parts. Raises: as `copy_bucket`."""
        for bucket in buckets:
            self.copy_bucket(bucket, frames.folder(bucket.number))

    def _copy(
        self,
        rows: str,
        target: Path,
        how: str,
        tables: Mapping[str, Slice],
        params: Mapping[str, Any],
        only: Sequence[_Only],
    ) -> None:
        """Write the rows of a select to `target`; it can read the tables it was given and no other file.

        Raises: duckdb.OutOfMemoryException, which the caller answers; RefusedSqlError for all else that DuckDB refuses.
        """
        try:
            with (
                connect(self.memory_limit) as connection,
                tempfile.TemporaryDirectory(prefix="mlpipe-tables-") as folder,
            ):
                files: list[Path] = []
                for name, table in tables.items():
                    files += _register(connection, name, table, Path(folder), only)
                shut_in(connection, files, writable=target.parent)
                statements = statements_of(connection, f"copy {rows} to {quoted(target)} ({how})")
                if len(statements) != 1:
                    raise _several(len(statements))
                statement = statements[0]
                # A comment may name parameters that the statement itself does not bind.
                bound = {name: params[name] for name in statement.named_parameters if name in params}
                connection.execute(statement, bound or None)
        except duckdb.OutOfMemoryException:
            raise
        except ERRORS as error:
            raise refused(error, rows) from None


def alone(memory_limit: str) -> DuckDBEngine:
    """The engine of this process; what engines of clusters are once they are sent to an executor."""
    return DuckDBEngine(memory_limit=memory_limit)


def _several(number: int) -> RefusedSqlError:
    words = f"There are {number} statements"
    return RefusedSqlError(f"{words}, not one select.", Refusal(reason=Reason.SEVERAL, words=words, said=words))


def _is_one_of(rows: pl.DataFrame) -> str:
    """A condition for the rows of some entities; one without any takes none."""
    names = ", ".join(map(quoted_name, rows.columns))
    values = [", ".join(f"{v}" if isinstance(v, int) else quoted(v) for v in row) for row in rows.rows()]
    if rows.width == 1:
        return f"{names} in ({', '.join(values)})" if values else "false"
    return f"({names}) in ({', '.join(f'({row})' for row in values)})" if values else "false"


def _register(
    connection: duckdb.DuckDBPyConnection, name: str, table: Slice, folder: Path, only: Sequence[_Only]
) -> Sequence[Path]:
    """A view of that name over files or a frame; files bring the day of their `date=` folder as the column `date`."""
    if isinstance(table, pl.DataFrame):
        files: Sequence[Path] = [folder / f"{len([*folder.iterdir()])}.parquet"]
        table.write_parquet(files[0], compression="lz4")
    else:
        files = table
    rows = select_files(files, dated=not isinstance(table, pl.DataFrame))
    restriction = ""
    if only:
        columns = {row[0] for row in connection.execute(f"describe {rows}").fetchall()}
        conditions = [one.condition for one in only if one.columns <= columns]
        restriction = f" where {' and '.join(conditions)}" if conditions else ""
    connection.execute(f"create temp view {quoted_name(name)} as select * from ({rows}){restriction}")
    return files
