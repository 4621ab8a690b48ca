"""What a statement answers: rows for people, a polars frame for programs."""

import re
from collections.abc import Sequence

import duckdb
import polars as pl

from mlpipe_assets.engines.arrow_stream import ArrowStream
from mlpipe_assets.engines.distinct_names import distinct_names
from mlpipe_assets.engines.duckdb_files import quoted_name

# Parts of a type that Python, or Arrow, cannot hold; quoted parts are names and values.
_TEXTLESS = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\b(?P<kind>INTERVAL|BLOB)(?=[\[,)]|$)""")
_NO_ARROW = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\b(?P<kind>UNION|BIT|BIGNUM)\b""")


def answer_rows(
    connection: duckdb.DuckDBPyConnection, statement: duckdb.Statement
) -> tuple[list[str], list[tuple[object, ...]]]:
    """Names and rows of a statement; intervals and bytes as DuckDB spells them, for Python has no months and no such text."""
    if statement.type != duckdb.StatementType.SELECT:
        result = connection.execute(statement)
        return [column[0] for column in result.description or []], result.fetchall()
    relation = connection.sql(statement)
    names = relation.columns
    return names, _cast(relation, [_as_text(f"{kind}") for kind in relation.types], names).fetchall()


def answer_frame(connection: duckdb.DuckDBPyConnection, statement: duckdb.Statement) -> pl.DataFrame:
    """Rows of a statement with the types of its columns, handed over as Arrow, also when there are none.

    A name that comes twice has a number the second time. What Arrow cannot hold is text, as DuckDB spells it; a sum of whole numbers is
    a whole number.
    """
    if statement.type != duckdb.StatementType.SELECT:
        names, rows = answer_rows(connection, statement)
        return pl.DataFrame(rows, schema=distinct_names(names), orient="row", infer_schema_length=None)
    relation = connection.sql(statement)
    kinds = [f"{kind}" for kind in relation.types]
    names = distinct_names(relation.columns)
    cast = _cast(relation, list(map(_for_arrow, kinds)), names)
    frame = pl.DataFrame(ArrowStream(cast.__arrow_c_stream__))
    sums = [name for name, kind in zip(names, kinds, strict=True) if kind == "HUGEINT"]
    return frame.with_columns(_whole(frame[name]) for name in sums)


def _cast(relation: duckdb.DuckDBPyRelation, kinds: Sequence[str], names: Sequence[str]) -> duckdb.DuckDBPyRelation:
    """The relation with columns of those types and names; as it is when it has them."""
    if kinds == [f"{kind}" for kind in relation.types] and names == relation.columns:
        return relation
    chosen = (
        f"cast(#{n} as {kind}) as {quoted_name(name)}"
        for n, (kind, name) in enumerate(zip(kinds, names, strict=True), 1)
    )
    return relation.project(", ".join(chosen))


def _as_text(kind: str) -> str:
    """A type with text where it holds intervals or bytes."""
    return _TEXTLESS.sub(lambda found: "VARCHAR" if found["kind"] else found[0], kind)


def _for_arrow(kind: str) -> str:
    """The same, and text for a type that holds what Arrow does not know."""
    return "VARCHAR" if any(found["kind"] for found in _NO_ARROW.finditer(kind)) else _as_text(kind)


def _whole(column: pl.Series) -> pl.Series:
    narrow = column.cast(pl.Int64, strict=False)
    return narrow if narrow.null_count() == column.null_count() else column.cast(pl.Int128)
