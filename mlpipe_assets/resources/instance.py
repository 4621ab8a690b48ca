"""Dagster's instance as `mlpipe run` opens it: the same SQLite files, but a range's events go in as one transaction."""

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from dagster._core.instance.ref import InstanceRef, compute_logs_directory

from mlpipe_assets.errors import SettingsError

_BATCH = "500"  # rows of one insert: SQLite takes 32,766 bound values, an event has eight
_STORAGES = ("storage", "event_log_storage", "run_storage", "schedule_storage", "instance_class")
_OURS = {
    "custom": {
        "module": "mlpipe_assets.resources.home_storage",
        "class": "HomeStorage",
        "config": {"base_dir": {"env": "DAGSTER_HOME"}},
    }
}


@contextmanager
def explaining_the_home(home: Path) -> Iterator[None]:
    """Turn what Dagster raises when its home is full, or cannot be written or read, into one sentence.

    Raises: SettingsError naming the folder, the reason and what to do.
    """
    try:
        yield
    except _failures() as error:
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


def _failures() -> tuple[type[Exception], ...]:
    """What a database and its folder raise; asked for once something was raised, since SQLAlchemy takes half a second to import."""
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 (see above)

    return SQLAlchemyError, sqlite3.Error, OSError


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
    """The instance of a DAGSTER_HOME; one that declares a storage of the user's keeps it."""
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", _BATCH)
    config = home / "dagster.yaml"
    declared = yaml.safe_load(config.read_text(encoding="utf-8")) or {} if config.exists() else {}
    ours: dict[str, Any] = {}
    if "compute_logs" not in declared:
        ours["compute_logs"] = {
            "module": "mlpipe_assets.resources.compute_logs",
            "class": "UninterruptedLogs",
            "config": {"base_dir": compute_logs_directory(str(home))},
        }
    if all(declared.get(name, _OURS) == _OURS for name in _STORAGES):
        ours["storage"] = {
            "custom": {
                "module": "mlpipe_assets.resources.batched_events",
                "class": "BatchedStorage",
                "config": {"base_dir": str(home)},
            }
        }
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides=ours))
