"""Dagster's SQLite files for a process that runs ranges: a range's events as one transaction, and connections that are kept.

Dagster opens a database engine per event: 15 to 20 ms for each partition of a range, a third of a small run. Its event
log has an entry point for batches that its SQLite storage does not implement; this does. The files stay Dagster's own,
so the UI and the `dagster` commands read and write them as ever.

A connection that is closed writes its log back to the file, and each commit waits for the disk: 900 waits of a new day.
Here each file has one connection, and the disk is waited for when the log is written back: a machine that loses its power
may lose the newest of these records, which are for people, and none is damaged. What a table holds is not in them.

Apart from `instance`, because what it imports takes half a second, and a run with nothing to do opens no instance.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

from dagster._core.events import DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._core.storage.runs import SqliteRunStorage
from dagster._core.storage.sql import create_engine
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS, create_db_conn_string
from dagster._serdes import ConfigurableClassData
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import QueuePool

from mlpipe_assets.resources.home_storage import HomeStorage

_TOGETHER = (DagsterEventType.ASSET_MATERIALIZATION, DagsterEventType.ASSET_MATERIALIZATION_PLANNED)


class BatchedSqliteEventLogStorage(SqliteEventLogStorage):
    """Dagster's SQLite event log, with one engine per file and the events of an asset's partitions stored together."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        """Open the log in a folder."""
        self._engines: dict[str, Engine] = {}
        self._tables: set[str] = set()
        self._empty: bytes | None = None
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],
    ) -> "BatchedSqliteEventLogStorage":
        """The storage of a config; Dagster's own makes its own class here."""
        return cls(inst_data=inst_data, **config_value)

    def has_table(self, table_name: str) -> bool:
        """Whether the index has a table; one that was there stays there."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            if shard not in self._engines:
                self._leave_other_runs(shard)
                self._engines[shard] = _keep_open(self.conn_string_for_shard(shard))
            engine = self._engines[shard]
            if shard not in self._initialized_dbs:
                self._make(shard, engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def _make(self, shard: str, engine: Engine) -> None:
        """Make the file of a run, or of the index, if it is not there: all but the first run get a copy of an empty one.

        Dagster makes the tables of each run's file one by one: 0.1 second, a tenth of a small run.
        """
        path = Path(self.path_for_shard(shard))
        if shard == INDEX_SHARD_NAME or path.exists():
            self._initdb(engine)
        elif self._empty is None:
            self._initdb(engine)
            engine.dispose()  # closed, so that the file has all of it
            if not path.with_name(f"{path.name}-wal").exists():  # otherwise part of it is there
                self._empty = path.read_bytes()
        else:
            copy = path.with_name(f".{path.name}.tmp")
            copy.write_bytes(self._empty)
            copy.replace(path)

    def _leave_other_runs(self, shard: str) -> None:
        """Close the files of runs that came before: a process may make hundreds."""
        for other in [name for name in self._engines if name not in (INDEX_SHARD_NAME, shard)]:
            self._engines.pop(other).dispose()

    def dispose(self) -> None:
        """Close the files."""
        super().dispose()
        while self._engines:
            self._engines.popitem()[1].dispose()

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events of one run: those of one kind and asset together, any others one by one."""
        for (kind, key), group in groupby(events, key=lambda e: (e.dagster_event_type, _asset(e))):
            together = list(group)
            if kind in _TOGETHER and key is not None:
                self._store_together(together)
            else:
                super().store_event_batch(together)

    def _store_together(self, events: Sequence[EventLogEntry]) -> None:
        insert = self.prepare_insert_event_batch(events)
        with self.run_connection(events[0].run_id) as connection:
            connection.execute(insert)
        with self.index_transaction() as connection:
            ids = [row[0] for row in connection.execute(insert.returning(SqlEventLogStorageTable.c.id))]
            self._store_asset_event_tags(connection, events, ids)
            self._store_asset_event(connection, events[-1], ids[-1])


class KeptRunStorage(SqliteRunStorage):
    """Dagster's SQLite file of runs, over one connection."""

    @cached_property
    def _engine(self) -> Engine:
        return _keep_open(self._conn_string)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A transaction."""
        with self._engine.connect() as connection, connection.begin():
            yield connection

    def dispose(self) -> None:
        """Close the file."""
        super().dispose()
        self._engine.dispose()


class BatchedStorage(HomeStorage):
    """The files of a home for one process that runs ranges: their events go in together."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        """Open the files.

        Raises: HomeError naming the folder, the reason and what to do.
        """
        super().__init__(base_dir, inst_data)
        history = Path(base_dir) / "history"
        self._run_storage = KeptRunStorage(create_db_conn_string(f"{history}", "runs"))
        self._event_log_storage = BatchedSqliteEventLogStorage(f"{history / 'runs'}")


def _keep_open(address: str) -> Engine:
    """An engine whose connections stay open, and wait for the disk when their log is written back only."""
    engine = create_engine(address, poolclass=QueuePool, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS})

    @event.listens_for(engine, "connect")
    def wait_less(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("pragma synchronous = normal")

    return engine


def _asset(event: EventLogEntry) -> str | None:
    key = event.dagster_event.asset_key if event.dagster_event else None
    return key.to_string() if key else None
