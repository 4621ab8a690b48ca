"""Whether the `where` of an aggregate is a condition on the columns of one row."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import polars as pl
import sqlglot
from sqlglot import exp

from mlpipe_assets.catalog.columns import why_unparsed
from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.catalog.sql_words import spell_name
from mlpipe_assets.catalog.validation.binding import bind
from mlpipe_assets.engines.engine import DIALECT
from mlpipe_assets.rules import columns


def problems_of_condition(where: str, source: Source) -> Iterator[str]:
    """Why a condition is none on the columns of one row."""
    shown = f"where={where!r}"
    try:
        tree = sqlglot.parse_one(where, dialect=DIALECT)
    except (sqlglot.errors.SqlglotError, RecursionError) as error:
        yield f"{shown} does not parse: {why_unparsed(error)[1]}"
        return
    if tree.find(exp.Query, exp.AggFunc, exp.Window) or isinstance(tree, exp.Command | exp.Alias):
        yield f"{shown} may look at the columns of one row only, without a select, an aggregate or a window"
        return
    if tree.find(exp.Parameter, exp.Placeholder):
        yield f"{shown} binds a parameter; a condition is the same on every day"
        return
    if any(node.comments for node in tree.walk()) or "--" in where or "/*" in where:
        yield f"{shown} holds a comment, which would hide what comes after it"
        return
    tables = {source.name: {**{c.name: c.dtype for c in columns(source.contract)}, "date": pl.Date()}}
    sql = f"select {where} as holds from {spell_name(source.name)}"  # noqa: S608 (a part of the catalog, run over an empty table)
    found = bind(Path("where"), sql, tables, {"start": date(2026, 1, 1), "end": date(2026, 1, 1)})
    if found.problem:
        yield f"{shown}: {found.problem.partition(': ')[2]}"
    elif found.columns is not None and found.columns[0][1] not in (None, pl.Boolean()):
        yield f"{shown} is of {found.columns[0][1]}, not true or false"
    yield from (f"{shown} {line.partition(': ')[2]}" for line in _lint(sql, source.name))


def _lint(sql: str, table: str) -> list[str]:
    from mlpipe_assets.catalog.validation.sql_lint import lint_sql  # noqa: PLC0415 (it needs the catalog's versions, which need this)

    return lint_sql(sql, "where", (table,))
