"""What a declaration points at: the columns of a contract, and a SQL file that parses."""

from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import sqlglot
from sqlglot.tokenizer_core import TokenType

from mlpipe_assets.catalog.places import place_of, spell_place
from mlpipe_assets.engines.engine import DIALECT


@cache
def columns_of(contract: type[Any]) -> tuple[dict[str, pl.DataType], str]:
    """Names and types of a contract's columns; or none, and why the contract cannot be read."""
    try:
        schema = contract.to_schema()
        return {name: column.dtype.type for name, column in schema.columns.items()}, ""
    except Exception as error:  # noqa: BLE001 (pandera raises what it likes on a class it cannot read)
        words = (str(error).strip().splitlines() or ["no message"])[0][:300]
        return {}, f"the contract {contract.__name__} ({place_of(contract)}) cannot be read: {words}"


def sql_problems(folder: Path, path: str) -> list[str]:
    """Why a SQL file cannot be run: it is not there, no text, or does not parse."""
    file = folder / path
    if not file.is_file():
        return [f"there is no SQL file {file}"]
    try:
        return list(_unparsed(file, read_sql_file(file)))
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        return [f"the SQL file is not UTF-8, {spell_place(str(file), line)}: save it as UTF-8"]
    except OSError as error:
        return [f"the SQL file {file} cannot be read: {error.strerror}"]


def read_sql_file(path: Path) -> str:
    """The text of a SQL file, without the byte order mark that some editors put in front, and without semicolons at the end.

    What runs a select sets it into a statement of its own, where a semicolon would end it too early.
    """
    text = path.read_text(encoding="utf-8-sig")
    last = text.rstrip().rpartition("\n")[2]
    if "--" not in last and not last.endswith(
        (";", "*/")
    ):  # nothing to take away; to cut it into tokens takes 20 ms a file
        return text
    try:
        tokens = sqlglot.tokenize(text, dialect=DIALECT)
    except sqlglot.errors.SqlglotError:  # said by the parser, with its line
        return text
    end = len(tokens)
    while end and tokens[end - 1].token_type == TokenType.SEMICOLON:
        end -= 1
    return text[: tokens[end].start] if end < len(tokens) else text


@cache
def statements_of(sql: str) -> tuple[sqlglot.exp.Expr | None, ...]:
    """The statements of a SQL text as their parser understands them, to read and not to change.

    Raises: SqlglotError when it does not parse; RecursionError when it nests too deeply.
    """
    return tuple(sqlglot.parse(sql, dialect=DIALECT))


def why_unparsed(error: Exception) -> tuple[int, str]:
    """Where a SQL text stops to make sense, as a line, and why, in the words of people rather than of the parser."""
    first = (getattr(error, "errors", None) or [{}])[0]
    words, at = first.get("description") or str(error).splitlines()[0], first.get("highlight")
    if at and words.startswith("Required keyword"):
        words = f"something is missing after {at!r}"
    elif at and words.startswith("Invalid expression"):
        words = f"{at!r} is not expected there"
    return int(first.get("line") or 1), words.partition(" but got ")[0][:200]


@cache
def _unparsed(file: Path, sql: str) -> tuple[str, ...]:
    try:
        statements = [tree for tree in statements_of(sql) if not isinstance(tree, sqlglot.exp.Semicolon | None)]
    except sqlglot.errors.SqlglotError as error:
        line, words = why_unparsed(error)
        return (f"the SQL does not parse, {spell_place(str(file), line)}: {words}",)
    except RecursionError:
        return (f"the SQL nests too deeply to be read, {spell_place(str(file), 1)}",)
    if len(statements) == 1 and isinstance(statements[0], sqlglot.exp.Query):
        return ()
    return (
        f"the SQL file {file} must hold one select, and holds {len(statements)} statements of other kinds or number",
    )
