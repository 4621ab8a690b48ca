"""The warehouse face of the lake: SQL over its files, no copy; `mlpipe sql "show all tables"` lists them."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import polars as pl

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.engines.engine import Engine, Joined, NamedTable
from mlpipe_assets.engines.refused import Reason, RefusedSqlError
from mlpipe_assets.errors import LakeError, SqlError
from mlpipe_assets.flow import tables_of
from mlpipe_assets.intake.stretches import list_stems
from mlpipe_assets.lineage.asking import SQL_NAMES, lineage_of
from mlpipe_assets.lineage.database import LineageError
from mlpipe_assets.partitions import gaps, spell_gaps
from mlpipe_assets.stages.flow_table import Table
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.records import list_documents
from mlpipe_assets.store.tagged import TaggedLake
from mlpipe_assets.training.model_files import REGISTRY
from mlpipe_assets.training.versions import versions

_ONLY_READS = (
    "mlpipe sql only reads: one select, from, with, values, table, pivot, describe, summarize, show, or explain of a select. "
    "For all rows in a file: mlpipe sql --json … > rows.json"
)
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, kw_only=True)
class _Table(NamedTable):
    """One table of the lake; messages name it by its first schema.

    Attributes:
        listed: Whether errors name it; not where it is part of another.
    """

    listed: bool = True


def query(lake: Lake, engine: Engine, catalog: Catalog, sql: str) -> tuple[list[str], list[tuple[object, ...]]]:
    """Column names and rows of one statement over the views; it reads, whatever it says.

    Raises: SqlError with the engine's own words and the tables there are; for none or several statements, and for one that
        writes.
    """
    return _ask(lake, catalog, sql, engine.answer_rows)


def query_frame(lake: Lake, engine: Engine, catalog: Catalog, sql: str) -> pl.DataFrame:
    """The same as a frame.

    Raises: as `query`.
    """
    return _ask(lake, catalog, sql, engine.answer_frame)


def tell_gaps(lake: Lake, catalog: Catalog, sql: str) -> list[str]:
    """A line for each table of each day that a text names and that lacks days between its first and its last.

    An answer looks the same with a day that was refused, deleted or never built as without one.
    """
    known = [t for t in tables_of(catalog) if t.each_day and _is_there(lake, t)]
    asked = [t for t in known if t.schema and _names(sql, (t.schema, t.stage), t.name)]
    lacking = {table: gaps(lake.days(*table.place)) for table in asked}
    return [f"{table.schema}.{table.name} {spell_gaps(days)}" for table, days in lacking.items() if days]


def _ask(lake: Lake, catalog: Catalog, sql: str, answer: Callable[[str, Sequence[NamedTable]], _Answer]) -> _Answer:
    with TemporaryDirectory(prefix="mlpipe-sql-") as folder:
        return _ask_tables(lake, sql, [*_tables(lake, catalog), *_lineage(lake, catalog, sql, Path(folder))], answer)


def _ask_tables(
    lake: Lake, sql: str, tables: Sequence[_Table], answer: Callable[[str, Sequence[NamedTable]], _Answer]
) -> _Answer:
    try:
        return answer(sql, tables)
    except RefusedSqlError as error:
        said = _explain(sql, tables, error)
        of_a_tag = f"\nTag {lake.tag.name} pins no other table." if isinstance(lake, TaggedLake) else ""
        raise SqlError(said + of_a_tag) from error


def _explain(sql: str, tables: Sequence[_Table], error: RefusedSqlError) -> str:
    """An error of the engine in its own words, with what we know of the tables it is about."""
    words, said = error.refusal.words, f"{error}"
    match error.refusal.reason:
        case Reason.EMPTY:
            return f'{words}. Try: mlpipe sql "show all tables"'
        case Reason.SEVERAL:
            return f"{words}; mlpipe sql answers one. Ask them one by one."
        case Reason.WRITES:
            return f"{words}; {_ONLY_READS}"
        case Reason.LEAVES:
            said = f"The query would leave the lake: mlpipe sql opens the files of the lake's tables, and no other.\n{said}"
        case _:
            pass
    names = ", ".join(f"{t.schemas[0]}.{t.name}" for t in tables if not t.files and _names(sql, t.schemas, t.name))
    if names:
        said = f"{names}: declared, and no partition yet. mlpipe status says what it waits for."
    there = ", ".join(sorted(f"{t.schemas[0]}.{t.name}" for t in tables if t.files and t.listed))
    return f"{said}\nTables: {there or 'none yet: run `mlpipe run` first'}"


def _names(sql: str, schemas: Sequence[str], name: str) -> bool:
    """Whether a text names a table by one of its schemas."""
    named = rf'(?<!\w)"?({"|".join(schemas)})"?\s*\.\s*"?{re.escape(name)}(?!\w)'
    return bool(re.search(named, sql, re.IGNORECASE))


def read_decisions(lake: Lake, catalog: Catalog) -> pl.DataFrame:
    """The status and reason of each version, as the records of the models have them."""
    columns = dict.fromkeys(("model", "version", "status", "reason"), pl.String())
    told: list[list[str]] = []
    for model in dict.fromkeys([*(m.name for m in catalog.models), *list_documents(lake.objects, keys.CHAMPIONS)]):
        with suppress(LakeError):  # `mlpipe status` says which record it is, and what to do
            told += [[row[name] for name in columns] for row in versions(lake, model)]
    return pl.DataFrame(told, schema=columns, orient="row")


def _files_of(lake: Lake, stage: str, name: str, file: str = keys.PART) -> list[Path]:
    """The files of a table as they are now, whatever is published while a query reads them."""
    state = lake.state(stage, name)
    return [state.locate(day, file) for day in state.days(file)]


def _is_there(lake: Lake, table: Table) -> bool:
    """Whether a table can be asked: of a tag only what it pins, since the others are not as they were."""
    return not isinstance(lake, TaggedLake) or lake.pins(*table.place)


def _tables(lake: Lake, catalog: Catalog) -> Iterator[_Table]:
    if not isinstance(lake, TaggedLake):
        yield from _received(lake, catalog)
    for table in tables_of(catalog):
        if table.schema and _is_there(lake, table):
            found = [path for file in table.files for path in _files_of(lake, *table.place, file)]
            schemas = tuple(dict.fromkeys((table.schema, table.stage)))
            yield _Table(schemas=schemas, name=table.name, files=found, stem="split" if len(table.files) > 1 else None)
    drift = [path for name in lake.names(keys.DRIFT) for path in _files_of(lake, keys.DRIFT, name)]
    yield _Table(schemas=("monitoring",), name="drift", files=drift, dated=False, plain=True)
    if not isinstance(lake, TaggedLake):
        yield from _records(lake, catalog)


def _received(lake: Lake, catalog: Catalog) -> Iterator[_Table]:
    """Events as they came, of all sources and of each."""

    def files(pattern: str) -> list[Path]:
        return sorted(lake.root.glob(pattern))

    # Files of a delivery that a killed run did not finish are not on record, and not shown.
    received = files(keys.partitions(keys.EVENTS, "*", "*.parquet"))
    counted = {stem for source in {path.parent.parent.name for path in received} for stem in list_stems(lake, source)}
    events = [path for path in received if path.stem in counted]
    yield _Table(schemas=("raw",), name="raw_events", files=events, dated=False, day="event_date")
    for source in catalog.sources:
        own = [path for path in events if path.parent.parent.name == source.name]
        yield _Table(schemas=("raw",), name=source.name, files=own, dated=False, listed=False, day="event_date")


def _records(lake: Lake, catalog: Catalog) -> Iterator[_Table]:
    """What is on record beside the tables, and refused rows."""

    def files(pattern: str) -> list[Path]:
        return sorted(lake.root.glob(pattern))

    for path in files(keys.registry("*")):
        decided = path.stem == REGISTRY
        joined = Joined(rows=read_decisions(lake, catalog), by=("model", "version")) if decided else None
        yield _Table(schemas=("meta",), name=path.stem, files=[path], dated=False, joined=joined, plain=True)
    refused = files(keys.partitions(keys.QUARANTINE, "*", "*.parquet"))
    yield _Table(schemas=("meta",), name="quarantine", files=refused, dated=False, day="event_date", plain=True)


def _lineage(lake: Lake, catalog: Catalog, sql: str, folder: Path) -> Iterator[_Table]:
    """What lineage has on record, where a text names it or asks which tables there are; put into a folder for the statement."""
    asked = [name for name in SQL_NAMES if _names(sql, ("meta",), name)]
    if not asked and not re.search(r"(?<!\w)(show|information_schema)(?!\w)", sql, re.IGNORECASE):
        return
    if isinstance(lake, TaggedLake):
        return
    found = lineage_of(lake, catalog)
    try:
        tables = found.tables_of()
    except LineageError:
        if asked:
            raise
        return
    for name, rows in tables.items():
        rows.write_parquet(folder / f"{name}.parquet")
        yield _Table(schemas=("meta",), name=name, files=[folder / f"{name}.parquet"], dated=False, plain=True)
