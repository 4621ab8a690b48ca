"""Whose run it is: a Dagster home may serve several data folders, and each looks at its own runs only."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import dagster as dg

DATA_DIR = "mlpipe/data_dir"


def owner_tags(root: Path) -> dict[str, str]:
    """The tag of a run on a data folder: the folder's path, links followed."""
    return {DATA_DIR: str(root.resolve())}


def mark_of(root: Path) -> str:
    """What tells the run keys of a data folder from those of another: Dagster runs a key only once."""
    return hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:8]


def is_own(run: dg.DagsterRun, root: Path) -> bool:
    """Whether a run is on a data folder. One that names none never came so far as to open it, and counts everywhere."""
    return run.tags.get(DATA_DIR) in (None, str(root.resolve()))


def own_runs(runs: Iterable[dg.DagsterRun], root: Path) -> list[dg.DagsterRun]:
    """The runs on a data folder."""
    return [run for run in runs if is_own(run, root)]


def claim_run(run: dg.DagsterRun, instance: dg.DagsterInstance, root: Path) -> None:
    """Put the data folder into a run's tags, whoever started it."""
    tags = owner_tags(root)
    if not tags.items() <= run.tags.items():
        instance.add_run_tags(run.run_id, tags)


def place_of(instance: dg.DagsterInstance) -> str:
    """Which record of runs an instance keeps: another DAGSTER_HOME, or the same one made again, is another place."""
    from dagster._core.storage.runs import SqlRunStorage  # noqa: PLC0415 (not exported; brings the daemon with it)

    storage = instance.run_storage
    return storage.get_run_storage_id() if isinstance(storage, SqlRunStorage) else type(storage).__name__
