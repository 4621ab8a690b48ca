"""A lock that a run's process holds as long as it lives, so that others can see that it does not live any more.

The kernel lets go of a lock when the process ends, however it ends; a power cut lets go of all of them. The file says
whose it was: a lock of another machine may not be seen from here, so only this machine's dead are declared dead.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from mlpipe_assets.store import keys
from mlpipe_assets.store.leases import identify_process
from mlpipe_assets.store.private_files import create_file, make_folder

Pulse = Literal["alive", "dead", "elsewhere", "unknown"]


@contextmanager
def hold_run_lock(root: Path, run_id: str) -> Iterator[None]:
    """Be the process of a run until the block ends. A folder that cannot be written keeps no run from going on."""
    path = _path(root, run_id)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        make_folder(root, path.parent)
        create_file(temporary)
        handle = temporary.open("w", encoding="utf-8")
    except OSError:  # the run says so itself as soon as it writes a table
        yield
        return
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with suppress(OSError):
            handle.write(json.dumps(identify_process()))
            handle.flush()
            temporary.replace(path)  # held before anyone sees it
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            temporary.unlink(missing_ok=True)


def pulse_of(root: Path, run_id: str) -> Pulse:
    """Whether the process of a run lives.

    `elsewhere`: the lock is free, but another machine made it, and its locks may not be visible here. `unknown`: there is
    no lock; the run has not begun, or has just ended, or was started by something that does not open the lake.
    """
    path = _path(root, run_id)
    try:
        handle = path.open("r", encoding="utf-8")
    except OSError:
        return "unknown"
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return "alive"
        if not os.fstat(handle.fileno()).st_nlink:  # it ended well between the two lines above
            return "unknown"
        try:
            made_by = json.loads(handle.read())
        except ValueError:
            made_by = None
    here = identify_process()
    mine = not isinstance(made_by, dict) or any(made_by.get(k) == here[k] for k in ("host", "boot") if here[k])
    return "dead" if mine else "elsewhere"


def living_runs(root: Path) -> list[str]:
    """The runs whose processes hold their locks now, as far as this machine sees."""
    names = [path.stem for path in _path(root, "any").parent.glob("*.lock")]
    return sorted(name for name in names if pulse_of(root, name) == "alive")


def forget_run_lock(root: Path, run_id: str) -> None:
    """Remove what a dead run left."""
    with suppress(OSError):
        _path(root, run_id).unlink(missing_ok=True)


def _path(root: Path, run_id: str) -> Path:
    return root / keys.run_lock(run_id)
