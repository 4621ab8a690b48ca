"""Turns of writing: one run at a time writes a table, and each has a higher number than the one before.

On one machine a turn is a lock of the kernel, which lets go when the process ends, however it ends. The number goes into
what the run publishes: should its lock be lost, as when somebody deletes the file, a run that was stopped and goes on
after another took over finds a higher number than its own.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mlpipe_assets.errors import BusyError
from mlpipe_assets.store import keys
from mlpipe_assets.store.local import explain_writing
from mlpipe_assets.store.private_files import create_file, make_folder

PATIENCE = 10.0  # seconds to wait for another run of the same table


@dataclass(frozen=True, kw_only=True)
class Turn:
    """The turn of one run to write what `stage/name` writes.

    Attributes:
        gen: Its number.
    """

    stage: str
    name: str
    gen: int
    _path: Path
    _handle: BinaryIO

    def is_held(self) -> bool:
        """Whether the lock is still the one that others would wait for."""
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self._handle.fileno()))
        except OSError:
            return False


@contextmanager
def take_turn(root: Path, stage: str, name: str, *, patience: float, highest: Callable[[], int]) -> Iterator[Turn]:
    """Be the only run that writes what `stage/name` writes.

    Args:
        root: The data folder.
        stage: The first part of the key of the run's table.
        name: The second one.
        patience: Seconds to wait for another run.
        highest: Gives the highest number of a turn that anything was published in.

    Raises: BusyError when another run still writes it; StoreError when the lock cannot be made.
    """
    path = root / keys.lock(stage, name)
    try:
        make_folder(root, path.parent)
        if not path.exists():
            create_file(path)
        handle = path.open("r+b")
    except OSError as error:
        raise explain_writing(error, path, root) from error
    with handle:
        _wait(handle, f"{stage}/{name}", patience)
        gen = 1 + max(_number(handle), highest())
        try:
            handle.seek(0)
            handle.write(b"%d\n" % gen)  # numbers only grow, so what was there is overwritten
            handle.flush()
        except OSError as error:
            raise explain_writing(error, path, root) from error
        yield Turn(stage=stage, name=name, gen=gen, _path=path, _handle=handle)


def _wait(handle: BinaryIO, table: str, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise BusyError(
                    f"{table}: another run is writing this table. Nothing was changed here; run again when it has ended."
                ) from None
            time.sleep(0.1)
        else:
            return


def _number(handle: BinaryIO) -> int:
    """The number of the turn before; 0 where there was none, or where a power cut took it."""
    handle.seek(0)
    try:
        return int(handle.read(32) or 0)
    except ValueError:
        return 0
