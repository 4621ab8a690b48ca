"""One statement of a person over named tables, if it reads: DuckDB's own parser decides that."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import duckdb
import polars as pl

from mlpipe_assets.engines.duckdb_binding import spell_type
from mlpipe_assets.engines.duckdb_connection import connect, shut_in, statements_of
from mlpipe_assets.engines.duckdb_files import quoted, quoted_name, select_files
from mlpipe_assets.engines.duckdb_words import ERRORS, refused_statement
from mlpipe_assets.engines.engine import NamedTable
from mlpipe_assets.engines.refused import Reason, Refusal, RefusedSqlError

_Answer = TypeVar("_Answer")
_WRITING_NODES = re.compile(r'"type":"(INSERT|UPDATE|DELETE|MERGE_INTO|MERGE)_QUERY_NODE"')


def ask(
    memory_limit: str,
    sql: str,
    tables: Sequence[NamedTable],
    answer: Callable[[duckdb.DuckDBPyConnection, duckdb.Statement], _Answer],
) -> _Answer:
    """What `answer` makes of the statement; see `Engine`.

    Raises: RefusedSqlError.
    """
    there = [table for table in tables if table.files]
    with connect(memory_limit) as connection:
        try:
            _show(connection, tables)
            return answer(connection, _only_reading(connection, sql))
        except ERRORS as error:
            raise refused_statement(error, sql, (table.name for table in there)) from None


def _show(connection: duckdb.DuckDBPyConnection, tables: Sequence[NamedTable]) -> None:
    """Make a view of each table, and shut the connection in with their files."""
    for schema in dict.fromkeys(schema for table in tables for schema in table.schemas):
        connection.execute(f"create schema if not exists {quoted_name(schema)}")
    keywords = connection.execute("select keyword_name from duckdb_keywords() where keyword_category = 'reserved'")
    reserved = {row[0] for row in keywords.fetchall()}
    files: list[Path] = []
    for table in tables:
        if table.files:
            files += table.files
            rows = _rows_of(connection, table, reserved)
            for schema in table.schemas:
                connection.execute(f"create view {quoted_name(schema)}.{quoted_name(table.name)} as {rows}")
    shut_in(connection, files)


def _rows_of(connection: duckdb.DuckDBPyConnection, table: NamedTable, reserved: set[str]) -> str:
    """The select of a table."""
    more = f"split_part(parse_filename(filename), '.', 1) as {quoted_name(table.stem)}" if table.stem else ""
    rows = select_files(table.files, dated=table.dated, more=more)
    if table.day:
        rows = f"select *, {quoted_name(table.day)} as date from ({rows})"
    if table.joined:
        further = [name for name in table.joined.rows.columns if name not in table.joined.by]
        own = f"select columns(lambda name: name not in ({', '.join(map(quoted, further))})) from ({rows})"
        by = ", ".join(map(quoted_name, table.joined.by))
        rows = f"select * from ({own}) left join ({_select_rows(table.joined.rows)}) using ({by})"
    if table.plain:
        names = [row[0] for row in connection.execute(f"describe {rows}").fetchall()]
        renamed = ", ".join(f'"{name}" as {name}_name' for name in names if name in reserved)
        return f"select * rename ({renamed}) from ({rows})" if renamed else rows
    return rows


def _select_rows(frame: pl.DataFrame) -> str:
    """A select of a few rows as they are written here, for no file has them."""
    named = ", ".join(
        f"cast(column{n} as {spell_type(dtype)}) as {quoted_name(name)}"
        for n, (name, dtype) in enumerate(frame.schema.items())
    )
    rows = [["null" if value is None else quoted(value) for value in row] for row in frame.rows()]
    nothing = "" if rows else " where false"
    values = ", ".join(f"({', '.join(row)})" for row in rows or [["null"] * frame.width])
    return f"select {named} from (values {values}) as written ({', '.join(f'column{n}' for n in range(frame.width))}){nothing}"


def _only_reading(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    """The one statement of a text, if it reads: neither comments nor nesting hide a write.

    Raises: RefusedSqlError otherwise.
    """
    statements = statements_of(connection, sql)
    if not statements:
        raise _refused(Reason.EMPTY, "The query is empty")
    if len(statements) > 1:
        raise _refused(Reason.SEVERAL, f"There are {len(statements)} statements")
    [statement] = statements
    kind = statement.type
    if kind == duckdb.StatementType.MULTI:  # pivot: its values are looked up first. It cannot hold another statement
        return statement
    explained = kind == duckdb.StatementType.EXPLAIN
    tree = _tree(connection, _explained(sql) if explained else sql)
    if tree is None:
        verb = "explain something that writes" if explained else kind.name.lower().replace("_", " ")
        raise _refused(Reason.WRITES, f"This is a statement to {verb}")
    if written := _WRITING_NODES.search(tree):
        raise _refused(Reason.WRITES, f"This query holds a part that would {written[1].lower().replace('_', ' ')}")
    return statement


def _refused(reason: Reason, words: str) -> RefusedSqlError:
    return RefusedSqlError(f"{words}.", Refusal(reason=reason, words=words, said=words))


def _tree(connection: duckdb.DuckDBPyConnection, sql: str) -> str | None:
    """The parse tree of one select, as JSON text; None for anything else."""
    [(tree,)] = connection.execute("select cast(json_serialize_sql($1) as varchar)", [sql]).fetchall()
    parsed = json.loads(tree)
    return None if parsed["error"] or len(parsed["statements"]) != 1 else str(tree)


def _explained(sql: str) -> str:
    """What an `explain [analyze] [(options)]` explains."""
    words = [start for start, kind in duckdb.tokenize(sql) if kind != duckdb.token_type.comment]
    text = sql.encode()
    parts = [text[start:].decode(errors="replace") for start in words]
    rest = parts[1:]
    if rest and rest[0].lower().startswith("analyze"):
        rest = rest[1:]
    if rest and re.match(r"\(\s*(analyze|format|costs|verbose)\b", rest[0], re.IGNORECASE):
        closing = next((number for number, part in enumerate(rest) if part.startswith(")")), len(rest))
        rest = rest[closing + 1 :]
    return rest[0] if rest else ""
