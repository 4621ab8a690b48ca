"""Code versions: digests of what decides a table, and of nothing else.

White space and comments in SQL, docstrings, descriptions, owners and freshness do not count; a window, a lookback, a
tolerance, a type or a rule does.
"""

import re
from collections.abc import Sequence
from dataclasses import fields
from functools import cache
from typing import Any

import sqlglot
from sqlglot import exp

from mlpipe_assets.catalog.declarations import Catalog, FeatureView, Model, Source
from mlpipe_assets.errors import SqlError
from mlpipe_assets.rules import contract_digest, digest, function_digest

_WORDING = {"owners", "fresh_within", "contract", "sql", "inputs", "view"}
_AFTER_TRAINING_SET = {"learner", "predictions", "promotion", "slices"}
_TOO_VOLATILE = (
    *(
        "current_date",
        "current_timestamp",
        "current_time",
        "get_current_timestamp",
        "get_current_time",
        "transaction_timestamp",
    ),
    *(
        "now",
        "today",
        "localtime",
        "localtimestamp",
        "random",
        "uuid",
        "gen_random_uuid",
        "uuidv4",
        "uuidv7",
        "nextval",
    ),
)
_NOT_PORTABLE = ("asof", "qualify", "generate_series", "unnest", "list_value", "read_parquet", "read_csv")


@cache
def source_version(source: Source) -> str:
    """Code version of a source's interim table."""
    return _declaration(source, [contract_digest(source.contract)])


@cache
def view_version(catalog: Catalog, view: FeatureView) -> str:
    """Feature version: SQL, contract, declaration and the versions of the tables it reads."""
    upstream = [source_version(catalog.source(name)) for name in view.inputs]
    return _declaration(view, [contract_digest(view.contract), sql_digest(catalog.read_sql(view.sql)), *upstream])


@cache
def model_version(catalog: Catalog, model: Model) -> str:
    """Code version of a training set."""
    upstream = [view_version(catalog, model.view), *(source_version(catalog.source(n)) for n in model.inputs)]
    return _declaration(model, [contract_digest(model.contract), sql_digest(catalog.read_sql(model.sql)), *upstream])


@cache
def learner_version(model: Model) -> str:
    """Code version of a fitted model: how it is fitted, whatever the training set."""
    return digest([model.name, repr(model.learner)])[:16]


@cache
def sql_digest(sql: str) -> str:
    """Digest of a SQL text as its parser understands it.

    Raises: SqlError when it does not parse.
    """
    return digest(parsed(sql).sql(dialect="duckdb", comments=False, normalize=True))


def lint_sql(sql: str, name: str, tables: Sequence[str]) -> list[str]:
    """What the house rules forbid in a SQL file: the clock, chance, words only one engine knows, and other tables.

    Rows of a table that was not handed over, a file say, would escape the windows, and every proof over them.
    """
    tree = parsed(sql)
    known = {*tables, *(cte.alias for cte in tree.find_all(exp.CTE))}
    strange = sorted(
        {table.sql(dialect="duckdb") for table in tree.find_all(exp.Table) if table.name not in known or table.db}
    )
    text = tree.sql(dialect="duckdb", comments=False, normalize=True).lower()
    words = set(re.findall(r"\w+", text))
    problems = [
        f"{name}: calls {word}; time comes from the partition or a parameter" for word in _TOO_VOLATILE if word in words
    ]
    problems += [f"{name}: reads {table}, which is not among its inputs ({', '.join(tables)})" for table in strange]
    return problems + [
        f"{name}: uses {word}, which not every engine reads alike" for word in _NOT_PORTABLE if word in words
    ]


@cache
def parsed(sql: str) -> exp.Expr:
    """A SQL text as its parser understands it, to read and not to change.

    Raises: SqlError when it does not parse.
    """
    try:
        return sqlglot.parse_one(sql, dialect="duckdb")
    except sqlglot.errors.SqlglotError as error:
        raise SqlError(f"The SQL does not parse: {str(error).splitlines()[0][:300]}") from error


def _declaration(item: Source | FeatureView | Model, parts: list[str]) -> str:
    values: dict[str, Any] = {}
    for declared in fields(item):
        value = getattr(item, declared.name)
        if declared.name not in _WORDING | _AFTER_TRAINING_SET:
            values[declared.name] = function_digest(value) if callable(value) else repr(value)
    return digest([values, *parts])[:16]
