"""What the rest of the package asks of a SQL engine. How keys are cut into parts, literals spelled and errors named is its business.

`mlpipe_assets_tests/engines/test_conformance.py` holds every engine to what is promised here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Protocol, Self

import polars as pl

DIALECT = "duckdb"
"""The dialect that SQL is written in, as sqlglot calls it; an engine that speaks another one translates."""

DAY_OF_A_FILE = "date=([^/]*)/[^/]*$"
"""The day that the folder of a file tells, as a regular expression that polars and engines read alike."""

Slice = Sequence[Path] | pl.DataFrame
"""Part of a table as a select reads it: rows, or Parquet files, each with the day of its `date=` folder as the column `date`.

There is a file at least: only rows can be empty, for these have names and types all the same.
"""

Columns = Mapping[str, pl.DataType]
Bound = tuple[tuple[str, pl.DataType | None], ...]
"""Names and types of what a select gives, in order; no type where only the data can tell it."""


@dataclass(frozen=True, kw_only=True)
class OnlyKeys:
    """Some entities: of the tables that have all the columns of these rows, only rows with such values take part."""

    rows: pl.DataFrame


@dataclass(frozen=True, kw_only=True)
class Joined:
    """Columns of a few rows, which a table has beside those of its files, and in place of those with the same names.

    Attributes:
        rows: One for each key.
        by: Columns of the key; a row of the table without such a row has nulls.
    """

    rows: pl.DataFrame
    by: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class NamedTable:
    """A table that a statement finds by `schema.name`, and the Parquet files it is made of; without files it is not there.

    Attributes:
        schemas: Each of them has it.
        name: Of the table.
        files: All with the same columns.
        dated: Whether the day of a file's `date=` folder is its column `date`.
        day: A column that is its `date` as well, where no folder tells the day.
        stem: A column for the name of the file up to its first dot; None for none.
        joined: Further columns; None for none.
        plain: Whether a column whose name SQL reserves gets `_name` behind it, so that nobody has to quote it.
    """

    schemas: tuple[str, ...]
    name: str
    files: Sequence[Path]
    dated: bool = True
    day: str | None = None
    stem: str | None = None
    joined: Joined | None = None
    plain: bool = False


class DayRows(Protocol):
    """Rows of a select, kept aside until each day is asked for; a context that removes them in the end."""

    def day(self, day: date, order: Sequence[str]) -> pl.DataFrame | None:
        """All rows of a day, in order of `order`; None when there are none."""
        ...

    def astray(self, first: date, last: date) -> list[str]:
        """Days of rows that lie outside two days, in order; `null` for rows of no day."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class Engine(Protocol):
    """Runs SQL over named tables, and reads nothing but these. Times are UTC; memory is bounded, whatever the tables hold.

    Whatever text it is given, it raises RefusedSqlError and nothing of its own.
    """

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    def select(
        self, sql: str, tables: Mapping[str, Slice], params: Mapping[str, Any], only: OnlyKeys | None = None
    ) -> pl.DataFrame:
        """The rows of a select, in its own order.

        Args:
            sql: One select.
            tables: Slices by the names the select uses.
            params: Values it binds; others are ignored.
            only: Rows of the tables that take part; None takes all.

        Raises: RefusedSqlError with the engine's own words, without values of the data.
        """
        ...

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
    ) -> DayRows:
        """The rows of a select with an `as_of` column, by day.

        The engine may run the select in parts, each with some of the entities: one is wholly in one of them.

        Args:
            sql: One select.
            tables: Slices by the names the select uses.
            params: Values it binds; others are ignored.
            rows: Rows of the slices, to choose the number of parts by.
            keys: Columns to cut by, together; tables that lack one are whole in each part. None: the select stays whole.
            days: Days in the range.
            moments: Whether `as_of` is a moment of its day; else it is the end of one, and D+1 00:00 belongs to day D.
            only: Rows of the tables that take part; None takes all.

        Raises: RefusedSqlError with the engine's own words, without values of the data.
        """
        ...

    def bind(self, sql: str, tables: Mapping[str, Columns], params: Mapping[str, Any]) -> Bound | None:
        """What `select` would give over tables of these columns, without a row of them; None where only the data can tell.

        Args:
            sql: One select.
            tables: Columns by the names the select uses.
            params: A value of each parameter it may bind.

        Raises: RefusedSqlError when it cannot be run, with the line.
        """
        ...

    def spell_type(self, dtype: pl.DataType) -> str | None:
        """What a SQL text calls the type of a column; None for types that tables do not hold."""
        ...

    def answer_rows(self, sql: str, tables: Sequence[NamedTable]) -> tuple[list[str], list[tuple[object, ...]]]:
        """Names and rows of one statement of a person, whatever it is, as long as it only reads; the engine decides what does.

        Raises: RefusedSqlError with all that the engine says, also values; of tables it suggests the given ones only.
        """
        ...

    def answer_frame(self, sql: str, tables: Sequence[NamedTable]) -> pl.DataFrame:
        """The same as a frame with the types of the statement, also without rows; a name that comes twice has a number.

        Raises: as `answer_rows`.
        """
        ...

    def decode(self, paths: Sequence[Path], names: Sequence[str]) -> pl.DataFrame | None:
        """Events of files with fields of their JSON payload as text columns `field_0`, `field_1` and so on.

        None where the engine's JSON reader refuses a payload, or would read it in another way than it was written.
        """
        ...
