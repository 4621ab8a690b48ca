"""What a SQL file makes of the columns that its contracts promise: names and types, or why it cannot be run.

The engine itself binds the select, over empty tables: it knows every column, function and type that it will not take.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from functools import cache
from pathlib import Path

import duckdb
import polars as pl

from mlpipe_assets.catalog.places import spell_place

Tables = Mapping[str, Mapping[str, pl.DataType]]
_UTC_TIME = pl.Datetime("us", "UTC")
_LONGEST = 300
_STORED_AS: dict[str, tuple[pl.DataType, ...]] = {  # the engine's types and those of the columns it reads them from
    "BOOLEAN": (pl.Boolean(),),
    "TINYINT": (pl.Int8(),),
    "SMALLINT": (pl.Int16(),),
    "INTEGER": (pl.Int32(),),
    "BIGINT": (pl.Int64(),),
    "UTINYINT": (pl.UInt8(),),
    "USMALLINT": (pl.UInt16(),),
    "UINTEGER": (pl.UInt32(),),
    "UBIGINT": (pl.UInt64(),),
    "FLOAT": (pl.Float32(),),
    "DOUBLE": (pl.Float64(),),
    "VARCHAR": (pl.String(),),
    "DATE": (pl.Date(),),
    "TIME": (pl.Time(),),
    "BLOB": (pl.Binary(),),
    "TIMESTAMP WITH TIME ZONE": (_UTC_TIME, pl.Datetime("ms", "UTC"), pl.Datetime("ns", "UTC")),
    "TIMESTAMP": (pl.Datetime("us"), pl.Datetime("ms")),
    "TIMESTAMP_NS": (pl.Datetime("ns"),),
}
_READ_BACK: dict[str, pl.DataType] = {  # results come back through Parquet, and times as UTC
    **{name: dtypes[0] for name, dtypes in _STORED_AS.items()},
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), _UTC_TIME),
    **dict.fromkeys(("HUGEINT", "UHUGEINT"), pl.Float64()),
    "NULL": pl.Int32(),
}


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
    created = [(name, _declare(columns)) for name, columns in tables.items()]
    if any(columns is None for _, columns in created):
        return Bound()
    shapes = tuple((name, columns or "") for name, columns in created)
    return _bind(file, sql, shapes, tuple(params.items()))


def sql_type(dtype: pl.DataType) -> str | None:
    """The engine's name of the type a column of Parquet has; None for types that tables do not hold."""
    if isinstance(dtype, pl.Decimal):
        return f"DECIMAL({dtype.precision},{dtype.scale})"
    if dtype in (pl.Categorical, pl.Enum):
        return "VARCHAR"
    return next((name for name, dtypes in _STORED_AS.items() if dtype in dtypes), None)


def _declare(columns: Mapping[str, pl.DataType]) -> str | None:
    types = {name: sql_type(dtype) for name, dtype in columns.items()}
    if not all(types.values()):
        return None
    return ", ".join(f"{_quoted(name)} {kind}" for name, kind in types.items())


@cache
def _bind(
    file: Path, sql: str, tables: tuple[tuple[str, str], ...], params: tuple[tuple[str, date | int], ...]
) -> Bound:
    with _empty_database().cursor() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for name, columns in tables:
            connection.execute(f"create temp table {_quoted(name)} ({columns})")
        try:
            statements = connection.extract_statements(f"describe {sql.rstrip().rstrip(';')}\n")
            if len(statements) != 1 or statements[0].type == duckdb.StatementType.MULTI:  # a pivot
                return Bound()
            values = dict(params)
            if strange := sorted(statements[0].named_parameters - values.keys()):
                given = " and ".join(f"${name}" for name in values) or "none"
                line = sql[: sql.find(f"${strange[0]}")].count("\n") + 1
                return Bound(problem=f"{spell_place(str(file), line)}: binds ${strange[0]}, and is given {given}")
            bound = {name: values[name] for name in statements[0].named_parameters}
            rows = connection.execute(statements[0], bound or None).fetchall()
        except duckdb.Error as error:
            return Bound(problem=_explain(file, sql, str(error), {name: _names(columns) for name, columns in tables}))
    return Bound(columns=tuple((row[0], _read_back(row[1])) for row in rows))


@cache
def _empty_database() -> duckdb.DuckDBPyConnection:
    """A database in memory that opens no file; kept, for a second one costs more than all that is asked of it."""
    return duckdb.connect(
        config={
            "threads": 1,
            "enable_external_access": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",
        }
    )


def _read_back(kind: str) -> pl.DataType | None:
    """The type a column of the engine comes back in; None where that is not sure."""
    decimal = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", kind)
    if decimal:
        return pl.Decimal(int(decimal[1]), int(decimal[2]))
    return _READ_BACK.get(kind.strip('"'))


def _explain(file: Path, sql: str, said: str, tables: Mapping[str, Sequence[str]]) -> str:
    """The engine's words in one line, with file and line, and the name that may be meant."""
    if opened := re.search(r'Cannot access \w+ "([^"]+)"', said):
        line = sql[: max(0, sql.find(opened[1]))].count("\n") + 1
        return f'{spell_place(str(file), line)}: opens "{opened[1]}" itself; declare it as a source and read that'
    found = re.search(r"LINE (\d+):", said)
    kind, _, words = said.strip().splitlines()[0].partition(" Error: ")
    place = spell_place(str(file), int(found[1]) if found else 1)
    return f"{place}: {(words or kind).rstrip('!.')[:_LONGEST]}{_meant(said, tables)}"


def _meant(said: str, tables: Mapping[str, Sequence[str]]) -> str:
    """The column or table that may be meant by one that is not there."""
    column = re.search(r'(?:column named|Referenced column) "([^"]+)"', said)
    table = re.search(r"Table with name (\S+) does not", said)
    if column:
        near = get_close_matches(column[1], sorted({name for columns in tables.values() for name in columns}), n=1)
        return f". Is {near[0]!r} meant?" if near else ""
    if table:
        near = get_close_matches(table[1], [*tables], n=1)
        return f". Is {near[0]!r} meant?" if near else f". Its tables are {', '.join(sorted(tables))}"
    return ""


def _names(columns: str) -> list[str]:
    return re.findall(r'"([^"]+)" ', columns)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
