"""What a SQL file makes of the columns that its contracts promise: names and types, or why it cannot be run.

The engine itself binds the select, over empty tables; what may be meant by a name that is not there is said here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import polars as pl

from mlpipe_assets.catalog.nearest import or_nearest
from mlpipe_assets.catalog.places import spell_place
from mlpipe_assets.engines.refused import Reason, Refusal, RefusedSqlError
from mlpipe_assets.engines.registry import open_engine

Tables = Mapping[str, Mapping[str, pl.DataType]]
_LONGEST = 300


@dataclass(frozen=True, kw_only=True)
class Bound:
    """The columns a select gives, in order, with their types where they are sure; or why it cannot be run.

    Neither of the two where only the data can tell, as with a pivot over whatever values there are.
    """

    columns: tuple[tuple[str, pl.DataType | None], ...] | None = None
    problem: str = ""


def bind(file: Path, sql: str, tables: Tables, params: Mapping[str, date | int]) -> Bound:
    """What a select gives over tables of these columns.

    Args:
        file: Where the SQL is from.
        sql: One select.
        tables: Columns of each table it may read.
        params: A value of each parameter it may bind.
    """
    shapes = tuple((name, tuple(columns.items())) for name, columns in tables.items())
    return _bind(file, sql, shapes, tuple(params.items()))


def spell_type(dtype: pl.DataType) -> str | None:
    """What SQL calls the type a column of Parquet has; None for types that tables do not hold."""
    return open_engine().spell_type(dtype)


@cache
def _bind(
    file: Path,
    sql: str,
    shapes: tuple[tuple[str, tuple[tuple[str, pl.DataType], ...]], ...],
    params: tuple[tuple[str, date | int], ...],
) -> Bound:
    tables = {name: dict(columns) for name, columns in shapes}
    try:
        return Bound(columns=open_engine().bind(sql, tables, dict(params)))
    except RefusedSqlError as error:
        return Bound(problem=_explain(file, error.refusal, tables))


def _explain(file: Path, refusal: Refusal, tables: Tables) -> str:
    """The engine's words in one line, with file and line, and the name that may be meant."""
    place = spell_place(str(file), refusal.line or 1)
    if refusal.reason is Reason.LEAVES and refusal.name:
        return f'{place}: opens "{refusal.name}" itself; declare it as a source and read that'
    return f"{place}: {refusal.words[:_LONGEST]}{_meant(refusal, tables)}"


def _meant(refusal: Refusal, tables: Tables) -> str:
    """The column or table that may be meant by one that is not there."""
    if refusal.reason is Reason.NO_COLUMN:
        return or_nearest(refusal.name, sorted({name for columns in tables.values() for name in columns}))
    if refusal.reason is Reason.NO_TABLE:
        return or_nearest(refusal.name, tables) or f". Its tables are {', '.join(sorted(tables))}"
    return ""
