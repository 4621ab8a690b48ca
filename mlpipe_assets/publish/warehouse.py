"""The warehouse face of the lake: DuckDB views over its files, no copy; `mlpipe sql "show all tables"` lists them."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import duckdb
import polars as pl

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.engines.duckdb_files import quoted, select_files, shut_in
from mlpipe_assets.errors import LakeError, SqlError
from mlpipe_assets.flow import tables_of
from mlpipe_assets.partitions import START_DATE
from mlpipe_assets.publish.answers import answer_frame, answer_rows
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.records import Record, list_documents
from mlpipe_assets.training.model_files import REGISTRY
from mlpipe_assets.training.versions import versions

_ONLY_READS = (
    "mlpipe sql only reads: one select, from, with, values, table, pivot, describe, summarize, show, or explain of a select. "
    "For all rows in a file: mlpipe sql --json … > rows.json"
)
_Answer = TypeVar("_Answer")
_WRITING_NODES = re.compile(r'"type":"(INSERT|UPDATE|DELETE|MERGE_INTO|MERGE)_QUERY_NODE"')
_MEANT = re.compile(r"\nDid you mean [^\n]*")


@dataclass(frozen=True, kw_only=True)
class _Table:
    """One table of the lake and the files it is made of; none before its first partition.

    Attributes:
        schemas: Where it is found; the first is the one that messages name.
        listed: Whether errors name it; not where it is part of another.
        parts: Whether a partition is several files, told apart by the column `split`.
        decided: Of the registry of models: a select of what was decided about each version, by model and version.
        day: The column that is its `date`, where the day is no folder of the path.
    """

    schemas: tuple[str, ...]
    name: str
    files: Sequence[Path]
    dated: bool = True
    listed: bool = True
    day: str | None = None
    parts: bool = False
    decided: str | None = None


@contextmanager
def warehouse(lake: Lake, engine: DuckDBEngine, catalog: Catalog) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that knows every table of the lake that has rows, and can open no file but theirs."""
    with engine.connect() as connection:
        _connect(connection, list(_tables(lake, catalog)))
        yield connection


def query(lake: Lake, engine: DuckDBEngine, catalog: Catalog, sql: str) -> tuple[list[str], list[tuple[object, ...]]]:
    """Column names and rows of one statement over the views; it reads, whatever it says.

    Raises: SqlError with the engine's own words and the tables there are; for none or several statements, and for one that
        writes.
    """
    return _ask(lake, engine, catalog, sql, answer_rows)


def query_frame(lake: Lake, engine: DuckDBEngine, catalog: Catalog, sql: str) -> pl.DataFrame:
    """The same as a frame.

    Raises: as `query`.
    """
    return _ask(lake, engine, catalog, sql, answer_frame)


def _ask(
    lake: Lake,
    engine: DuckDBEngine,
    catalog: Catalog,
    sql: str,
    answer: Callable[[duckdb.DuckDBPyConnection, duckdb.Statement], _Answer],
) -> _Answer:
    tables = list(_tables(lake, catalog))
    with engine.connect() as connection:
        try:
            _connect(connection, tables)
            return answer(connection, _only_reading(connection, sql))
        except (
            duckdb.Error,
            UnicodeError,
            RuntimeError,
        ) as error:  # RuntimeError: what Python cannot hold, such as a year 294000
            raise SqlError(_explain(sql, tables, f"{error}".strip()[:800])) from error


def _connect(connection: duckdb.DuckDBPyConnection, tables: Sequence[_Table]) -> None:
    for schema in dict.fromkeys(schema for table in tables for schema in table.schemas):
        connection.execute(f"create schema {schema}")
    keywords = connection.execute("select keyword_name from duckdb_keywords() where keyword_category = 'reserved'")
    reserved = {row[0] for row in keywords.fetchall()}
    for table in tables:
        if table.files:
            rows = _rows_of(connection, table, reserved)
            for schema in table.schemas:
                connection.execute(f'create view {schema}."{table.name}" as {rows}')
    shut_in(connection, [file for table in tables for file in table.files])


def _rows_of(connection: duckdb.DuckDBPyConnection, table: _Table, reserved: set[str]) -> str:
    """The select of a table; of those we make for people, no column has a name that SQL reserves."""
    more = "parse_filename(filename, true) as split" if table.parts else ""
    rows = select_files(table.files, dated=table.dated, more=more)
    if table.day:
        rows = f"select *, {table.day} as date from ({rows})"
    if table.decided:
        own = f"select columns(lambda name: name not in ('status', 'reason')) from ({rows})"  # an older lake has them
        rows = f"select * from ({own}) left join ({table.decided}) using (model, version)"
    if table.schemas[0] in ("monitoring", "meta"):
        names = [row[0] for row in connection.execute(f"describe {rows}").fetchall()]
        renamed = ", ".join(f'"{name}" as {name}_name' for name in names if name in reserved)
        return f"select * rename ({renamed}) from ({rows})" if renamed else rows
    return rows


def _only_reading(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    """The one statement of a text, if it reads: DuckDB's own parser decides, so neither comments nor nesting hide a write.

    Raises: SqlError otherwise.
    """
    statements = connection.extract_statements(sql)
    if not statements:
        raise SqlError('The query is empty. Try: mlpipe sql "show all tables"')
    if len(statements) > 1:
        raise SqlError(f"There are {len(statements)} statements; mlpipe sql answers one. Ask them one by one.")
    [statement] = statements
    kind = statement.type
    if kind == duckdb.StatementType.MULTI:  # pivot: its values are looked up first. It cannot hold another statement
        return statement
    explained = kind == duckdb.StatementType.EXPLAIN
    tree = _tree(connection, _explained(sql) if explained else sql)
    if tree is None:
        verb = "explain something that writes" if explained else kind.name.lower().replace("_", " ")
        raise SqlError(f"This is a statement to {verb}; {_ONLY_READS}")
    if written := _WRITING_NODES.search(tree):
        raise SqlError(f"This query holds a part that would {written[1].lower().replace('_', ' ')}; {_ONLY_READS}")
    return statement


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


def _explain(sql: str, tables: Sequence[_Table], said: str) -> str:
    """An error of the engine in its own words, with what we know of the tables it is about."""
    there = ", ".join(sorted(f"{t.schemas[0]}.{t.name}" for t in tables if t.files and t.listed))
    names = ", ".join(f"{t.schemas[0]}.{t.name}" for t in tables if not t.files and _named(t, sql))
    if names:
        said = f"{names}: declared, and no partition yet. mlpipe status says what it waits for."
    elif "disabled by configuration" in said or "configuration has been locked" in said:
        said = f"The query would leave the lake: mlpipe sql opens the files of the lake's tables, and no other.\n{said}"
    elif "Table with name" in said:
        said = _MEANT.sub(lambda found: _of_ours(found[0], tables), said)
    return f"{said}\nTables: {there or 'none yet: run `mlpipe run` first'}"


def _of_ours(suggestion: str, tables: Sequence[_Table]) -> str:
    """The names of a suggestion that are tables of the lake; the engine suggests those of its own catalog, too."""
    names = [name for quoted in re.findall(r'"([^"]+)"', suggestion) for name in quoted.split(" or ")]
    ours = [f'"{name}"' for name in names if name.rpartition(".")[2] in {t.name for t in tables if t.files}]
    return f"\nDid you mean {' or '.join(ours)}?" if ours else ""


def _named(table: _Table, sql: str) -> bool:
    schemas = "|".join(table.schemas)
    return bool(re.search(rf'(?<!\w)"?({schemas})"?\s*\.\s*"?{re.escape(table.name)}(?!\w)', sql, re.IGNORECASE))


def _stem_of_files(lake: Lake, source: str, delivery: str) -> str:
    """What the event files of a delivery on record are called."""
    try:
        placement = Record(
            objects=lake.objects, key=keys.delivery(source, delivery), parse=lambda found: found.get("placement")
        ).read()
    except LakeError:  # `mlpipe status` says which record it is, and what to do
        placement = None
    return f"{delivery}-{placement}" if placement else delivery


def _select_decided(lake: Lake, catalog: Catalog) -> str:
    """The status and reason of each version, as the records of the models have them."""
    rows: list[str] = []
    for model in dict.fromkeys([*(m.name for m in catalog.models), *list_documents(lake.objects, keys.CHAMPIONS)]):
        with suppress(LakeError):  # `mlpipe status` says which record it is, and what to do
            told = [[v[name] for name in ("model", "version", "status", "reason")] for v in versions(lake, model)]
            rows += [f"({', '.join(map(quoted, row))})" for row in told]
    values = ", ".join(rows or ["(null, null, null, null)"])
    return f"select * from (values {values}) as decided (model, version, status, reason)"


def _tables(lake: Lake, catalog: Catalog) -> Iterator[_Table]:
    def files(pattern: str) -> list[Path]:
        return sorted(lake.root.glob(pattern))

    # Files of a delivery that a killed run did not finish are not on record, and not shown.
    received = files(keys.partitions(keys.EVENTS, "*", "*.parquet"))
    counted = {
        _stem_of_files(lake, source, delivery)
        for source in {path.parent.parent.name for path in received}
        for delivery in list_documents(lake.objects, keys.deliveries(source))
    }
    events = [path for path in received if path.stem in counted]
    yield _Table(schemas=("raw",), name="raw_events", files=events, dated=False, day="event_date")
    for source in catalog.sources:
        own = [path for path in events if path.parent.parent.name == source.name]
        yield _Table(schemas=("raw",), name=source.name, files=own, dated=False, listed=False, day="event_date")
    for table in tables_of(catalog):
        if table.schema:
            found = [path for file in table.files for path in files(keys.partitions(*table.place, file))]
            within = [path for path in found if path.parent.name >= keys.name_day(START_DATE)]  # as Lake.days has it
            schemas = tuple(dict.fromkeys((table.schema, table.stage)))
            yield _Table(schemas=schemas, name=table.name, files=within, parts=len(table.files) > 1)
    drift = files(keys.partitions(keys.DRIFT, "*"))
    yield _Table(schemas=("monitoring",), name="drift", files=drift, dated=False)
    for path in files(keys.registry("*")):
        decided = _select_decided(lake, catalog) if path.stem == REGISTRY else None
        yield _Table(schemas=("meta",), name=path.stem, files=[path], dated=False, decided=decided)
    refused = files(keys.partitions(keys.QUARANTINE, "*", "*.parquet"))
    yield _Table(schemas=("meta",), name="quarantine", files=refused, dated=False, day="event_date")
