"""What a declaration points at: the columns of a contract, and a SQL file that parses."""

from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import sqlglot

from mlpipe_assets.catalog.places import place_of, spell_place


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
        return list(_unparsed(file, file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        return [f"the SQL file {file} cannot be read: {error}"]


@cache
def _unparsed(file: Path, sql: str) -> tuple[str, ...]:
    try:
        statements = [tree for tree in sqlglot.parse(sql, dialect="duckdb") if tree is not None]
    except sqlglot.errors.ParseError as error:
        first = (error.errors or [{}])[0]
        words = first.get("description") or str(error).splitlines()[0][:200]
        return (f"the SQL does not parse, {spell_place(str(file), int(first.get('line') or 1))}: {words}",)
    except sqlglot.errors.SqlglotError as error:
        return (f"the SQL does not parse, {spell_place(str(file), 1)}: {str(error).splitlines()[0][:200]}",)
    if len(statements) == 1 and isinstance(statements[0], sqlglot.exp.Query):
        return ()
    return (
        f"the SQL file {file} must hold one select, and holds {len(statements)} statements of other kinds or number",
    )
