"""Selects bound by DuckDB over empty tables: it knows every column, function and type that it will not take."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import duckdb
import polars as pl

from mlpipe_assets.engines.duckdb_connection import ALONE, statements_of
from mlpipe_assets.engines.duckdb_files import quoted_name
from mlpipe_assets.engines.duckdb_words import ERRORS, refused
from mlpipe_assets.engines.engine import Bound, Columns
from mlpipe_assets.engines.refused import Reason, Refusal, RefusedSqlError

_UTC_TIME = pl.Datetime("us", "UTC")
_STORED_AS: dict[str, tuple[pl.DataType, ...]] = {  # DuckDB's types and those of the columns it reads them from
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


def spell_type(dtype: pl.DataType) -> str | None:
    """DuckDB's name of the type a column of Parquet has; None for types that tables do not hold."""
    if isinstance(dtype, pl.Decimal):
        return f"DECIMAL({dtype.precision},{dtype.scale})"
    if dtype in (pl.Categorical, pl.Enum):
        return "VARCHAR"
    return next((name for name, dtypes in _STORED_AS.items() if dtype in dtypes), None)


def bind(sql: str, tables: Mapping[str, Columns], params: Mapping[str, Any]) -> Bound | None:
    """What a select gives over tables of these columns; see `Engine`.

    Raises: RefusedSqlError.
    """
    declared = {name: _declare(columns) for name, columns in tables.items()}
    if not all(declared.values()):
        return None
    try:
        with _empty_database().cursor() as connection:
            connection.execute("set TimeZone = 'UTC'")
            for name, columns in declared.items():
                connection.execute(f"create temp table {quoted_name(name)} ({columns})")
            statements = statements_of(connection, f"describe {sql.rstrip().rstrip(';')}\n")
            if len(statements) != 1 or statements[0].type == duckdb.StatementType.MULTI:  # a pivot
                return None
            named = statements[0].named_parameters
            if strange := sorted(named - params.keys()):
                raise _unbound(sql, strange[0], params)
            rows = connection.execute(statements[0], {name: params[name] for name in named} or None).fetchall()
    except ERRORS as error:
        raise refused(error, sql) from None
    return tuple((row[0], _read_back(row[1])) for row in rows)


@cache
def _empty_database() -> duckdb.DuckDBPyConnection:
    """A database in memory that opens no file; kept, for a second one costs more than all that is asked of it."""
    return duckdb.connect(config={"threads": 1, "enable_external_access": "false", **ALONE})


def _unbound(sql: str, name: str, params: Mapping[str, Any]) -> RefusedSqlError:
    given = " and ".join(f"${known}" for known in params) or "none"
    line = sql[: sql.find(f"${name}")].count("\n") + 1
    words = f"binds ${name}, and is given {given}"
    found = Refusal(reason=Reason.NO_PARAMETER, words=words, said=words, line=line, name=name)
    return RefusedSqlError(f"The query {words} (line {line}).", found)


def _declare(columns: Columns) -> str | None:
    types = {name: spell_type(dtype) for name, dtype in columns.items()}
    if not all(types.values()):
        return None
    return ", ".join(f"{quoted_name(name)} {kind}" for name, kind in types.items())


def _read_back(kind: str) -> pl.DataType | None:
    """The type a column of DuckDB comes back in; None where that is not sure."""
    decimal = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", kind)
    if decimal:
        return pl.Decimal(int(decimal[1]), int(decimal[2]))
    return _READ_BACK.get(kind.strip('"'))
