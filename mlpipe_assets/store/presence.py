"""Whether another process has this very data folder before it, and not another folder under the same path.

A process that sends work puts a file into the folder, under a name that nobody can guess, and sends the name; whoever does the
work has to find the file. A folder that was copied earlier does not have it.
"""

import fcntl
import os
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from weakref import finalize

from mlpipe_assets.store import keys
from mlpipe_assets.store.local import explain_writing
from mlpipe_assets.store.private_files import create_file, make_folder, writer

_A_DAY = 86_400.0  # a lock of another machine may not be visible here, so only old files are left ones
_PATIENCE = 3.0  # seconds until a share shows what another machine wrote
_STEP = 0.1


@dataclass(kw_only=True, eq=False)
class _Shown:
    """A file of this process, which goes with it."""

    path: Path
    handle: BinaryIO = field(repr=False)
    process: int = field(default_factory=os.getpid)

    def is_there(self) -> bool:
        return self.process == os.getpid() and self.path.exists()


_SHOWN: dict[Path, _Shown] = {}


def show_presence(root: Path) -> str:
    """The name by which another process can tell that it has the same folder; there as long as this process lives.

    Raises: StoreError when the folder cannot be written.
    """
    known = _SHOWN.get(root)
    if known is None or not known.is_there():
        _SHOWN[root] = known = _show(root)
    return known.path.stem


def sees(root: Path, name: str) -> bool:
    """Whether the folder is the one that another process showed its presence in."""
    path, end = root / keys.presence(name), time.monotonic() + _PATIENCE
    while not path.exists():
        if time.monotonic() > end:
            return False
        time.sleep(_STEP)
    return True


def _show(root: Path) -> _Shown:
    path = root / keys.presence(f"{writer()}-{secrets.token_hex(8)}")
    try:
        make_folder(root, path.parent)
        _sweep(path.parent)
        create_file(path)
        handle = path.open("rb")
    except OSError as error:
        raise explain_writing(error, path, root) from error
    fcntl.flock(handle, fcntl.LOCK_EX)
    shown = _Shown(path=path, handle=handle)
    finalize(shown, _remove, path, os.getpid())
    return shown


def _remove(path: Path, process: int) -> None:
    if process == os.getpid():  # a process that was forked off leaves it to the other
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _sweep(folder: Path) -> None:
    """Remove what killed processes left."""
    for left in folder.iterdir():
        with suppress(OSError):
            if left.stat().st_mtime < time.time() - _A_DAY:
                with left.open("rb") as handle:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    left.unlink()
