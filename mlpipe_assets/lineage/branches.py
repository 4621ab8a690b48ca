"""The lineage of a branch: it begins with that of the lake it began from, and what came since goes there when it is promoted.

Both are carried as rows of one transaction, so there is all of it or nothing. Without it, as after a kill in between, tables
are recorded by what they hold, and say so (`recorded: afterwards`).
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import MlpipeError
from mlpipe_assets.lineage.asking import lineage_of
from mlpipe_assets.lineage.book import Book
from mlpipe_assets.lineage.database import Connection, Database, is_kept, open_database
from mlpipe_assets.lineage.holdings import Holdings
from mlpipe_assets.lineage.reading import Records
from mlpipe_assets.lineage.terms import RUN, Artifact, Context, Execution, Key, Told
from mlpipe_assets.settings import read_settings
from mlpipe_assets.store.branches import read_base
from mlpipe_assets.store.lake import Lake

_COLUMNS: Mapping[str, Sequence[str]] = {
    "artifacts": ("id", "type", "table_name", "partition_name", "digest", "uri", "made_at", "properties"),
    "executions": ("id", "type", "name", "run", "state", "at", "inputs", "properties"),
    "events": ("execution_id", "artifact_id", "type", "at"),
    "contexts": ("id", "type", "name", "properties"),
    "attributions": ("context_id", "artifact_id"),
    "associations": ("context_id", "execution_id"),
    "held": ("table_name", "partition_name", "artifact_id"),
}
_log = logging.getLogger("mlpipe")
_BEGUN = "branch begun"  # fact of a branch: the last execution that it had from the lake it began from


def begin_lineage(main: Database, branch: Database) -> int:
    """Give a branch that has none yet the lineage of the lake it began from; how many executions that is.

    Raises: LineageError; the branch has none then.
    """
    with main.reading() as source, branch.writing() as target:
        for table, columns in _COLUMNS.items():
            names, marks = ", ".join(columns), ", ".join("?" * len(columns))
            rows = source.all(f"select {names} from {table}")  # noqa: S608 (our own names)
            target.many(f"insert into {table} ({names}) values ({marks})", rows)  # noqa: S608
        last = int(target.all("select coalesce(max(id), 0) from executions")[0][0])
        target.run("insert into facts (name, value) values (?, ?)", (_BEGUN, f"{last}"))
    return last


def begin_with_lineage(lake: Lake, catalog: Catalog, branch: Lake) -> int:
    """The same of a lake, brought up to date before. What keeps it from that is told, and fails no branch.

    Of a lake in a bucket a branch has none: PostgreSQL has that of main, and SQLite cannot be written there.
    """
    if not is_kept(lake, ""):
        return 0
    try:
        return begin_lineage(lineage_of(lake, catalog).database, open_database(branch))
    except MlpipeError as error:
        _log.warning("lineage: the branch begins without. %s", error)
        return 0


def promote_lineage(lake: Lake, catalog: Catalog, branch: Lake) -> int:
    """Carry the lineage of a branch into that of the lake that it was promoted into; how many executions.

    What keeps it from that is told, and fails no promotion: the tables are recorded by what they hold then.
    """
    if not is_kept(lake, ""):
        return 0
    try:
        main = open_database(lake, read_settings().for_lake(lake.root).metadata_url)
        own = lineage_of(branch, catalog).database
        return Carrier(lake=lake, catalog=catalog, main=main, branch=branch, own=own).carry()
    except MlpipeError as error:
        _log.warning("lineage: what the branch recorded stays there. %s", error)
        return 0


@dataclass(frozen=True, kw_only=True)
class Carrier:
    """Carries what a branch has recorded into the lineage of the lake that it was promoted into.

    Attributes:
        lake: The lake it was promoted into.
        main: Its lineage.
        branch: The branch.
        own: The lineage of the branch.
    """

    lake: Lake
    catalog: Catalog
    main: Database
    branch: Lake
    own: Database

    def carry(self) -> int:
        """Record there what the branch has recorded since it began, or was promoted before; how many executions that was.

        Raises: LineageError, and LakeError when a lake cannot be read; nothing was recorded then.
        """
        base = read_base(self.branch.objects)
        name = f"branch {base.name} of {base.made_at}"
        with self.own.reading() as source, self.main.writing() as target:
            begun = _fact(source, _BEGUN)
            if begun is None:  # it began without any, so what it has from before cannot be told from what came since
                return 0
            after = max(begun, _fact(target, name) or 0)
            records = Records(connection=source)
            executions = records.executions_after(after)
            if not executions:
                return 0
            made = _record(target, records, executions)
            self._hold(Book(connection=target, at=executions[-1].at), made)
            target.run(
                "insert into facts (name, value) values (?, ?) on conflict (name) do update set value = excluded.value",
                (name, f"{executions[-1].id}"),
            )
        return len(executions)

    def _hold(self, book: Book, made: Collection[Key]) -> None:
        """Of what the branch has made, say what the lake holds now: not all of it need have been promoted."""
        holdings = Holdings(lake=self.lake, catalog=self.catalog)
        tables = {key.table for key in made} & {*holdings.tables}
        now = [held.key for name in sorted(tables) for held in holdings.of(holdings.tables[name])]
        book.hold(key for key in now if key in made)


def _record(target: Connection, records: Records, executions: Sequence[Execution]) -> set[Key]:
    """Record executions with what they were given and made, as they were recorded; what they made."""
    given, made, contexts = (
        records.given(executions),
        records.made(executions),
        records.contexts_by_execution(executions),
    )
    notes: dict[tuple[str, str], dict[Key, Mapping[str, Any]]] = {}  # files and the like, which no execution has made
    for artifact in (one for found in given.values() for one in found):
        notes.setdefault((artifact.type, artifact.made_at), {})[artifact.key] = artifact.properties
    own = {artifact.key for found in made.values() for artifact in found}
    for (kind, at), found in notes.items():
        Book(connection=target, at=at).note({key: about for key, about in found.items() if key not in own}, kind)
    for (run, at), group in groupby(executions, key=lambda one: (one.run, one.at)):
        told = [_told(one, given[one.id], made[one.id], contexts[one.id]) for one in group]
        Book(connection=target, at=at).record(told, run, hold=False)
    return own


def _told(one: Execution, given: Sequence[Artifact], made: Sequence[Artifact], contexts: Sequence[Context]) -> Told:
    how: dict[str, Any] = dict(one.properties)
    code = str(how.pop("code_version", ""))
    return Told(
        type=one.type,
        name=one.name,
        made=made[0].key if made else None,
        made_type=made[0].type if made else "",
        inputs={artifact.key: artifact.type for artifact in given},
        contexts=tuple((context.type, context.name) for context in contexts if context.type != RUN),
        code=code,
        about=made[0].properties if made else {},
        how=how,
    )


def _fact(connection: Connection, name: str) -> int | None:
    found = connection.all("select value from facts where name = ?", (name,))
    return int(found[0][0]) if found else None
