"""Dagster's instance as `mlpipe run` opens it: the same SQLite files, but a range's events go in as one transaction.

Dagster opens a database engine per event: 15 to 20 ms for each partition of a range, a third of a small run. Its event
log has an entry point for batches that its SQLite storage does not implement; this does. The files stay Dagster's own,
so the UI and the `dagster` commands read and write them as ever.
"""

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from dagster._core.events import DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.sql import create_engine
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from mlpipe_assets.errors import SettingsError

_BATCH = "500"  # rows of one insert: SQLite takes 32,766 bound values, an event has eight
_STORAGES = ("storage", "event_log_storage", "run_storage", "schedule_storage", "instance_class")


_TOGETHER = (DagsterEventType.ASSET_MATERIALIZATION, DagsterEventType.ASSET_MATERIALIZATION_PLANNED)


class BatchedSqliteEventLogStorage(SqliteEventLogStorage):
    """Dagster's SQLite event log, with one engine per file and the events of an asset's partitions stored together."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        """Open the log in a folder."""
        self._engines: dict[str, Engine] = {}
        self._tables: set[str] = set()
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
                self._engines[shard] = create_engine(
                    self.conn_string_for_shard(shard),
                    poolclass=NullPool,
                    connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
                )
            engine = self._engines[shard]
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

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


def _asset(event: EventLogEntry) -> str | None:
    key = event.dagster_event.asset_key if event.dagster_event else None
    return key.to_string() if key else None


@contextmanager
def explaining_the_home(home: Path) -> Iterator[None]:
    """Turn what Dagster raises when its home is full, or cannot be written or read, into one sentence.

    Raises: SettingsError naming the folder, the reason and what to do.
    """
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        if isinstance(error, OSError) and not _is_about(error, home):
            raise
        reason = getattr(error, "orig", None) or getattr(error, "strerror", None) or error
        text = f"{reason}".splitlines()[0][:200].rstrip(".")
        if text.endswith("already exists"):  # `dagster dev` takes no lock of ours
            raise SettingsError(
                f"Another process made Dagster's records in {home} at the same moment. Run again. No table is half written."
            ) from error
        raise SettingsError(
            f"Dagster cannot keep its records in {home}: {text}. Free some space there and let this user write it, or set "
            "DAGSTER_HOME to another folder, then run again. No table is half written."
        ) from error


def _is_about(error: OSError, home: Path) -> bool:
    if error.filename is None:
        return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
    return Path(os.fsdecode(error.filename)).is_relative_to(home)


@contextmanager
def alone_in(home: Path) -> Iterator[None]:
    """Wait until no other process opens an instance here: Dagster's tables are made by the first, and twice is an error.

    Raises: OSError when the folder cannot be written.
    """
    with (home / ".opening.lock").open("a", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def open_instance(home: Path) -> dg.DagsterInstance:
    """The instance of a DAGSTER_HOME; one that declares a storage of its own keeps it."""
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", _BATCH)
    config = home / "dagster.yaml"
    declared = yaml.safe_load(config.read_text(encoding="utf-8")) or {} if config.exists() else {}
    if any(name in declared for name in _STORAGES):
        return dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home)))
    batched = {
        "event_log_storage": {
            "module": __name__,
            "class": BatchedSqliteEventLogStorage.__name__,
            "config": {"base_dir": str(home / "history" / "runs")},
        }
    }
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides=batched))
