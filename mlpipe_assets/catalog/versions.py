"""Code versions: digests of what decides a table, and of nothing else.

White space and comments in SQL, docstrings, descriptions, owners and freshness do not count; a window, a lookback, a
tolerance, a type or a rule does.
"""

from collections.abc import Sequence
from dataclasses import fields
from functools import cache
from typing import Any

import sqlglot
from sqlglot import exp

from mlpipe_assets.catalog.columns import statements_of, why_unparsed
from mlpipe_assets.catalog.declarations import Catalog, Entity, FeatureView, Model, Source
from mlpipe_assets.catalog.feeds import Files
from mlpipe_assets.catalog.joined_views import views_joined
from mlpipe_assets.catalog.learners import differing
from mlpipe_assets.engines.engine import DIALECT
from mlpipe_assets.errors import ExecutorError, SqlError
from mlpipe_assets.rules import columns, contract_digest, digest, function_digest

_WORDING = {
    *(
        "owners",
        "tags",
        "show_rows",
        "fresh_within",
        "contract",
        "sql",
        "inputs",
        "view",
        "source",
        "aggregates",
        "attributes",
    ),
}
_READING = {"ttl"}  # decides which rows are found, not what they hold
_AFTER_TRAINING_SET = {"task", "learner", "predictions", "promotion", "slices", "suspect_above"}
_AS_BEFORE = (
    ("scope", "entity"),
    ("location", None),
    ("joins", ()),
    ("features", ()),
    ("spine", ""),
    ("spine_at", "day_end"),
    ("moments", False),
    ("rows_of", ""),
    ("lines", None),
)  # fields that came later, as nobody has declared them
_PLACING = 1  # goes up when the code reads a time in another way than before
_FRACTION = 2  # the same for formats with a fraction of a second of any length


@cache
def source_version(source: Source) -> str:
    """Code version of a source's interim table."""
    return _declaration(source, [contract_digest(source.contract), *_of_fractions(source)])


def expect_version(source: Source, version: str) -> None:
    """Make sure that a source is declared here as it is where its work comes from.

    Raises: ExecutorError when it is not.
    """
    if source_version(source) != version:
        raise ExecutorError(
            f"An executor has another declaration of {source.name} than the process that runs the pipeline: it loaded the project's code "
            "before that was changed, or has another copy of it. Start the executors again."
        )


@cache
def placement_version(source: Source) -> str:
    """Version of what places a source's rows in time: another one means that each event has to be given its day again."""
    if source.event_time is None:
        return digest([_PLACING])
    dtype = next(column.dtype for column in columns(source.contract) if column.name == source.event_time)
    reading = [source.event_time, repr(dtype), source.time_zone, source.time_formats, source.nulls]
    prepared = source.prepare and function_digest(source.prepare)
    return digest([_PLACING, reading, prepared, source.ahead_within.total_seconds(), *_of_fractions(source)])


def _of_fractions(source: Source) -> list[str]:
    """What else decides the times of a source whose formats hold `.%f`; nothing for others, so that they stay as they are."""
    return [f"fractions {_FRACTION}"] if any(".%f" in one for one in source.time_formats or ()) else []


@cache
def view_version(catalog: Catalog, view: FeatureView) -> str:
    """Feature version: SQL, contract, declaration and the versions of the tables it reads."""
    upstream = [source_version(catalog.source(name)) for name in view.inputs]
    upstream += [view_version(catalog, other) for other in views_joined(catalog, view)]
    return _declaration(
        view, [contract_digest(view.contract), sql_digest(catalog.view_sql(view), view.sql_name), *upstream]
    )


@cache
def model_version(catalog: Catalog, model: Model) -> str:
    """Code version of a training set."""
    upstream = [view_version(catalog, model.view), *(source_version(catalog.source(n)) for n in model.inputs)]
    return _declaration(
        model, [contract_digest(model.contract), sql_digest(catalog.read_sql(model.sql), model.sql), *upstream]
    )


@cache
def learner_version(model: Model) -> str:
    """Code version of a fitted model: how it is fitted, whatever the training set."""
    parts = [model.name, repr(model.learner)]
    if model.task != "binary":
        parts.append(model.task)
    if model.learner is not None:  # what is not declared is left out, so that models of before keep their version
        parts += [f"{name}={_spell_field(value)}" for name, value in differing(model.learner).items()]
    return digest(parts)[:16]


def _spell_field(value: object) -> str:
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    return function_digest(value) if callable(value) else repr(value)


@cache
def sql_digest(sql: str, name: str = "") -> str:
    """Digest of a SQL text as its parser understands it.

    Raises: SqlError when it does not parse, with file and line.
    """
    return digest(parsed(sql, name).sql(dialect=DIALECT, comments=False, normalize=True))


@cache
def parsed(sql: str, name: str = "") -> exp.Expr:
    """A SQL text as its parser understands it, to read and not to change.

    Raises: SqlError when it does not parse, with file and line.
    """
    try:
        return _first(statements_of(sql))
    except sqlglot.errors.SqlglotError as error:
        line, words = why_unparsed(error)
        raise SqlError(f"{name or 'The SQL'}:{line}: does not parse: {words}") from error


def _first(statements: Sequence[exp.Expr | None]) -> exp.Expr:
    if not statements or statements[0] is None:
        raise sqlglot.errors.ParseError("there is no statement in it")
    return statements[0]


def _declaration(item: Source | FeatureView | Model, parts: list[str]) -> str:
    values = _values(item)
    feed = values.get("feed")
    if type(feed) is Files:  # as when these were fields of the source itself: no table is built again
        values = {name: value for name, value in values.items() if name != "feed"} | _values(feed)
    if isinstance(item, FeatureView) and item.is_as_known:
        values["late"] = "as_known"
    elif isinstance(item, FeatureView):  # as before there was another way
        values = {name: value for name, value in values.items() if name not in ("late", "settle")}
    spelled = {
        name: function_digest(value) if callable(value) else _spelled(value)
        for name, value in values.items()
        if name not in _WORDING | _READING | _AFTER_TRAINING_SET and (name, value) not in _AS_BEFORE
    }
    return digest([spelled, *parts])[:16]


def _spelled(value: object) -> str:
    if isinstance(value, Entity) and len(value.join_keys) == 1:  # as before there were several: no table is built again
        return f"Entity(name={value.name!r}, join_key={value.join_keys[0]!r})"
    return repr(value)


def _values(item: Source | FeatureView | Model | Files) -> dict[str, Any]:
    return {declared.name: getattr(item, declared.name) for declared in fields(item)}
