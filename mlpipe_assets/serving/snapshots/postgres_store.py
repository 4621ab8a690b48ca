"""The online store in PostgreSQL: a table for each view of a snapshot, and one row that says which snapshots there are.

Tables are made, filled and named by that row in one transaction. A table of a removed snapshot is gone as a whole, so a
read of it fails and finds nobody unknown.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from queue import Empty, LifoQueue
from tempfile import SpooledTemporaryFile
from typing import Any, TypeVar

import psycopg2
from psycopg2 import errors, sql

from mlpipe_assets.service_urls import explain, take_option, without_secrets
from mlpipe_assets.serving.snapshots.online_store import Expect, Rows, nothing
from mlpipe_assets.serving.snapshots.snapshot import (
    Generation,
    GoneError,
    Line,
    OnlineError,
    Snapshot,
    ViewRows,
    make_generation,
    read_line,
    spell_text,
)

_BATCH = 10_000
_IN_MEMORY = 1 << 24  # bytes of rows on their way that are not put into a file
_CONNECTIONS = 16
_OPTIONS = {"connect_timeout": 5, "application_name": "mlpipe", "options": "-c statement_timeout=5000"}

T = TypeVar("T")


class PostgresStore:
    """Snapshots in one schema of a database: `mlpipe_online`, or `?schema=` of the address."""

    def __init__(self, address: str) -> None:
        self._schema, self._address = take_option(address, "schema", "mlpipe_online")
        self._pool: LifoQueue[Any] = LifoQueue(_CONNECTIONS)

    def locate(self) -> str:
        """Host, database and schema."""
        return f"{without_secrets(self._address)} ({self._schema})"

    def line(self) -> Line:
        """The snapshots there are."""
        with self._connection() as connection, connection, connection.cursor() as cursor:
            return self._line(cursor)

    def publish(self, snapshot: Snapshot, expect: Expect = nothing) -> Generation:
        """Keep a snapshot and let it answer from now on, in one transaction."""

        def change(cursor: Any, line: Line) -> tuple[Line, Generation]:  # noqa: ANN401 (psycopg2 has no types)
            generation = make_generation(snapshot, line)
            for rows in snapshot.views:
                self._fill(cursor, table_of(generation, rows.view.name), rows)
            expect(UncommittedReader(cursor, self._schema, generation))
            after, gone = line.after(generation)
            for one in gone:
                for view in one.views:
                    cursor.execute(sql.SQL("drop table if exists {}").format(self._named(table_of(one, view))))
            return after, generation

        return self._change(change)

    def roll_back(self, reason: str) -> Generation:
        """Let the snapshot before answer again."""
        line = self._change(lambda _, line: (after := line.rolled_back(reason, datetime.now(tz=UTC)), after))
        if line.present is None:  # narrowed by rolled_back; states it for the type checker
            raise OnlineError("No snapshot answers.")
        return line.present

    def open(self, generation: Generation) -> "PostgresReader":
        """A reader of one snapshot."""
        reader = PostgresReader(self._connection, self._schema, generation)
        reader.read(dict.fromkeys(generation.views, ("",)))
        return reader

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with suppress(Empty):
            while True:
                self._pool.get_nowait().close()

    def _change(self, make: Callable[[Any, Line], tuple[Line, T]]) -> T:
        """Replace the line by what `make` makes of it, while nobody else does."""
        with self._connection() as connection, connection, connection.cursor() as cursor:
            cursor.execute("set local statement_timeout = 0")
            cursor.execute("select pg_advisory_xact_lock(hashtext(%s))", (f"mlpipe online {self._schema}",))
            cursor.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(self._schema)))
            cursor.execute(
                sql.SQL("create table if not exists {} (one boolean primary key, content text not null)").format(
                    self._named("line")
                )
            )
            line, found = make(cursor, self._line(cursor))
            cursor.execute(
                sql.SQL(
                    "insert into {} values (true, %s) on conflict (one) do update set content = excluded.content"
                ).format(self._named("line")),
                (spell_text(line),),
            )
        return found

    def _line(self, cursor: Any) -> Line:  # noqa: ANN401 (as above)
        cursor.execute("select to_regclass(%s)", (f'"{self._schema}".line',))
        if cursor.fetchone()[0] is None:
            return Line()
        cursor.execute(sql.SQL("select content from {}").format(self._named("line")))
        found = cursor.fetchone()
        return read_line(found[0] if found else None, self.locate())

    def _fill(self, cursor: Any, table: str, rows: ViewRows) -> None:  # noqa: ANN401 (as above)
        named = self._named(table)
        cursor.execute(sql.SQL("create table {} (key text not null, content text not null)").format(named))
        with SpooledTemporaryFile(max_size=_IN_MEMORY) as copied:
            for pairs in rows.pairs(_BATCH):
                copied.write(
                    "".join(f"{_copied(spell(key))}\t{_copied(row.decode())}\n" for key, row in pairs).encode()
                )
            copied.seek(0)
            cursor.copy_expert(sql.SQL("copy {} from stdin").format(named).as_string(cursor), copied)
        cursor.execute(sql.SQL("alter table {} add primary key (key)").format(named))
        cursor.execute(sql.SQL("analyze {}").format(named))

    def _named(self, table: str) -> sql.Identifier:
        return sql.Identifier(self._schema, table)

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        """A connection of the pool, which goes back whole or not at all."""
        with explaining(self._address):
            try:
                connection = self._pool.get_nowait()
            except Empty:
                connection = psycopg2.connect(self._address, **_OPTIONS)
            try:
                yield connection
            except BaseException:  # whatever went wrong in between, nobody else may get it
                connection.close()
                raise
            if connection.closed or self._pool.full():
                connection.close()
            else:
                self._pool.put_nowait(connection)


class PostgresReader:
    """Reads the tables of one snapshot."""

    def __init__(self, connect: Callable[[], Any], schema: str, generation: Generation) -> None:
        self.generation = generation
        self._connect = connect
        self._tables = {view: f'"{schema}"."{table_of(generation, view)}"' for view in generation.views}

    def read(self, wanted: Mapping[str, Sequence[str]]) -> Rows:
        """The rows of the keys of each view, in one statement."""
        try:
            with self._connect() as connection:
                connection.autocommit = True
                with connection.cursor() as cursor:
                    found = self._read(cursor, wanted)
                connection.autocommit = False
        except GoneError:
            raise GoneError(f"The snapshot {self.generation.id} is not in PostgreSQL any more.") from None
        return found

    def _read(self, cursor: Any, wanted: Mapping[str, Sequence[str]]) -> Rows:  # noqa: ANN401 (psycopg2 has no types)
        names = list(wanted)
        parts = [
            f"select {n}, key, content from {self._tables[view]} where key = any(%s::text[])"
            for n, view in enumerate(names)
        ]
        texts = {view: [spell(key) for key in found] for view, found in wanted.items()}
        cursor.execute(" union all ".join(parts), [texts[view] for view in names])
        rows: dict[int, dict[str, bytes]] = {n: {} for n in range(len(names))}
        for number, key, content in cursor.fetchall():
            rows[number][key] = content.encode()
        return {view: [rows[n].get(text) for text in texts[view]] for n, view in enumerate(names)}

    async def fetch(self, wanted: Mapping[str, Sequence[str]]) -> Rows:
        """The same, in a thread that waits."""
        return await asyncio.to_thread(self.read, wanted)

    def close(self) -> None:
        """Nothing: the connections are those of the store."""


class UncommittedReader(PostgresReader):
    """Reads tables that only their own transaction sees."""

    def __init__(self, cursor: Any, schema: str, generation: Generation) -> None:  # noqa: ANN401 (as above)
        super().__init__(lambda: cursor, schema, generation)
        self._cursor = cursor

    def read(self, wanted: Mapping[str, Sequence[str]]) -> Rows:
        """The rows of the keys of each view."""
        return self._read(self._cursor, wanted)


def table_of(generation: Generation, view: str) -> str:
    """The table of a view of a snapshot; a name of PostgreSQL has at most 63 bytes."""
    return f"s{generation.id.replace('-', '_')}_{sha256(view.encode()).hexdigest()[:16]}"


def spell(key: str) -> str:
    r"""A key as PostgreSQL can hold it: it knows no character of code 0, which becomes `\0`, and `\` becomes `\\`."""
    return key.replace("\\", "\\\\").replace("\0", "\\0")


def _copied(text: str) -> str:
    """A text as COPY reads it."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


@contextmanager
def explaining(address: str) -> Iterator[None]:
    """Say what went wrong without user and password. Raises: OnlineError; GoneError for a table that is not there."""
    try:
        yield
    except errors.UndefinedTable:
        raise GoneError("A table of the snapshot is not in PostgreSQL any more.") from None
    except psycopg2.Error as error:
        raise OnlineError(f"{explain(error, address)}. Is MLPIPE_ONLINE_URL right, and the server up?") from None
