"""The database that lineage is kept in: SQLite in the lake, or PostgreSQL; the same tables and the same statements."""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mlpipe_assets.errors import MlpipeError
from mlpipe_assets.settings import file_mode
from mlpipe_assets.store import keys
from mlpipe_assets.store.copies.known_files import NOTE, beside
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.private_files import make_folder

_PATIENCE = 10.0  # seconds that a writer waits for another
_FORMAT = 1  # of the tables: SQLite keeps it as its user_version
TABLES = """
create table if not exists facts (name text primary key, value text not null);
create table if not exists artifacts (
    id bigint primary key, type text not null, table_name text not null, partition_name text not null, digest text not null,
    uri text not null, made_at text not null, properties text not null, unique (table_name, partition_name, digest)
);
create table if not exists executions (
    id bigint primary key, type text not null, name text not null, run text not null, state text not null, at text not null,
    inputs text not null, properties text not null
);
create table if not exists events (
    execution_id bigint not null references executions, artifact_id bigint not null references artifacts, type text not null,
    at text not null, primary key (execution_id, artifact_id, type)
);
create index if not exists events_of_artifact on events (artifact_id, type);
create index if not exists executions_by_name on executions (name);
create index if not exists executions_of_run on executions (run);
create table if not exists contexts (
    id bigint primary key, type text not null, name text not null, properties text not null, unique (type, name)
);
create table if not exists attributions (
    context_id bigint not null references contexts, artifact_id bigint not null references artifacts,
    primary key (context_id, artifact_id)
);
create table if not exists associations (
    context_id bigint not null references contexts, execution_id bigint not null references executions,
    primary key (context_id, execution_id)
);
create table if not exists held (
    table_name text not null, partition_name text not null, artifact_id bigint not null references artifacts,
    primary key (table_name, partition_name)
);
create index if not exists held_artifacts on held (artifact_id);
create index if not exists attributions_of on attributions (artifact_id);
"""
Row = tuple[Any, ...]


class LineageError(MlpipeError):
    """Lineage cannot be read or written; no table of the lake is concerned."""


class Connection(Protocol):
    """What of a database is used; values are bound to `?`."""

    def all(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """Every row of a select."""
        ...

    def run(self, statement: str, values: Sequence[object] = ()) -> None:
        """One statement that gives no rows."""
        ...

    def many(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        """One statement for each row."""
        ...


class Database(Protocol):
    """Where lineage is kept."""

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection that reads, and sees one moment.

        Raises: LineageError.
        """
        ...

    def writing(self) -> AbstractContextManager[Connection]:
        """A connection whose changes become visible together when the block ends; others wait.

        Raises: LineageError; nothing was changed then.
        """
        ...


def open_database(lake: Lake, address: str = "") -> Database:
    """The database of a lake: SQLite in it, or the PostgreSQL at an address.

    Raises: LineageError for a lake in a bucket without an address: a file that is written in place cannot be published there.
    """
    if address:
        from mlpipe_assets.lineage.postgres import PostgresDatabase  # noqa: PLC0415 (few lakes need the client)

        return PostgresDatabase(address=address, lake=lake)
    if not is_kept(lake, address):
        raise LineageError(
            "A lake in a bucket keeps its lineage in PostgreSQL, since SQLite cannot be written there. Set MLPIPE_METADATA_URL to "
            "postgresql://HOST/DATABASE, then `mlpipe run`: what the lake holds by then is recorded from there on."
        )
    return SqliteDatabase(root=lake.root)


def is_kept(lake: Lake, address: str) -> bool:
    """Whether there is a place to keep lineage in."""
    return bool(address) or not (beside(lake.root) / NOTE).exists()  # beside the copy of a bucket


@dataclass(kw_only=True)
class SqliteDatabase:
    """Lineage in one file of the lake, `meta/lineage/metadata.sqlite`. Readers never wait; a writer that is killed leaves nothing."""

    root: Path

    @property
    def path(self) -> Path:
        """The file."""
        return self.root / keys.LINEAGE_FILE

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """See `Database`."""
        if not self.path.exists():
            with closing(sqlite3.connect(":memory:")) as nothing:
                nothing.executescript(TABLES)
                yield _Sqlite(nothing)
            return
        with self._open() as found:
            found.execute("begin")
            yield _Sqlite(found)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """See `Database`."""
        if not self.path.exists():
            make_folder(self.root, self.path.parent)
            with suppress(FileExistsError):
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL, file_mode()))
        with self._open() as found:
            found.execute("begin immediate")
            try:
                yield _Sqlite(found)
            except BaseException:
                found.execute("rollback")
                raise
            found.execute("commit")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)) as found:
                self._prepare(found)
                yield found
        except sqlite3.Error as error:
            raise LineageError(
                f"{self.path}: {error}. Move the file away if it is damaged: the next run records what the tables hold again, from "
                "what they are made of now."
            ) from error

    def _prepare(self, found: sqlite3.Connection) -> None:
        version = found.execute("pragma user_version").fetchone()[0]
        if version == 0:
            found.execute("pragma journal_mode = wal")
            found.execute("begin immediate")
            for statement in filter(str.strip, TABLES.split(";")):
                found.execute(statement)
            found.execute(f"pragma user_version = {_FORMAT}")
            found.execute("commit")
        elif version != _FORMAT:
            raise LineageError(f"{self.path} was written by a newer version of mlpipe: it has format {version}.")
        # A power cut may take the last transactions, whole; the next run records again what they had.
        found.execute("pragma synchronous = normal")


@dataclass(frozen=True)
class _Sqlite:
    connection: sqlite3.Connection

    def all(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        return self.connection.execute(statement, values).fetchall()

    def run(self, statement: str, values: Sequence[object] = ()) -> None:
        self.connection.execute(statement, values)

    def many(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        self.connection.executemany(statement, rows)
