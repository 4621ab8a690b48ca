"""What a stage asks of a SQL engine. How keys are cut into parts, literals spelled and errors named is the engine's business."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Protocol, Self

import polars as pl

Slice = Sequence[Path] | pl.DataFrame
"""Part of a table as a select reads it: Parquet files, each with the day of its `date=` folder as the column `date`, or rows."""


@dataclass(frozen=True, kw_only=True)
class OnlyKeys:
    """Some values of a key: of the tables that have the column, only their rows take part."""

    column: str
    keys: Sequence[object]


class DayRows(Protocol):
    """Rows of a select, kept aside until each day is asked for; a context that removes them in the end."""

    def day(self, day: date, order: Sequence[str]) -> pl.DataFrame | None:
        """All rows of a day, in order of `order`; None when there are none."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class Engine(Protocol):
    """Runs one select over named slices of tables. Times are UTC; memory is bounded, whatever the slices hold.

    A select can read the slices it is given, and nothing else.
    """

    def select(
        self, sql: str, tables: Mapping[str, Slice], params: Mapping[str, Any], only: OnlyKeys | None = None
    ) -> pl.DataFrame:
        """The rows of a select, in its own order.

        Args:
            sql: One select.
            tables: Slices by the names the select uses.
            params: Values it binds; others are ignored.
            only: Rows of the tables that take part; None takes all.

        Raises: SqlError with the engine's own words, without values of the data.
        """
        ...

    def select_by_day(
        self, sql: str, tables: Mapping[str, Slice], params: Mapping[str, Any], *, rows: int, key: str, days: int
    ) -> DayRows:
        """The rows of a select with an `as_of` column, by day; D+1 00:00 belongs to day D.

        The engine may run the select in parts, each with some of the keys: a key is wholly in one of them.

        Args:
            sql: One select.
            tables: Slices by the names the select uses.
            params: Values it binds; others are ignored.
            rows: Rows of the slices, to choose the number of parts by.
            key: Column to cut by; tables without it are whole in each part.
            days: Days in the range.

        Raises: SqlError with the engine's own words, without values of the data.
        """
        ...

    def decode(self, paths: Sequence[Path], names: Sequence[str]) -> pl.DataFrame | None:
        """Events of files with fields of their JSON payload as text columns `field_0`, `field_1` and so on.

        None where the engine's JSON reader refuses a payload, or would read it in another way than it was written.
        """
        ...
