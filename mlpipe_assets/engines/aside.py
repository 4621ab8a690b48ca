"""Rows of selects on their way, in a folder that every executor sees; what a killed run left goes with the next one."""

import fcntl
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mlpipe_assets.engines.read_back import DayFrames

_LOCK = "lock"
_PREFIX = "frames-"
_AN_HOUR = 3600.0


class LockedFrames(DayFrames):
    """Rows by day in a folder that is locked as long as they are wanted: the kernel lets go when the process ends."""

    def __init__(self, root: Path) -> None:
        """Lock an empty folder."""
        super().__init__(root)
        self._handle = (root / _LOCK).open("wb")
        fcntl.flock(self._handle, fcntl.LOCK_EX)

    def close(self) -> None:
        """Remove the files, and let go."""
        super().close()
        self._handle.close()


@dataclass(frozen=True, kw_only=True)
class Aside:
    """The folder of rows on their way."""

    folder: Path

    def frames(self) -> LockedFrames:
        """A place for the rows of one select; those that nobody wants any more are removed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in self.folder.glob(f"{_PREFIX}*"):
            _remove_unless_held(left)
        return LockedFrames(Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self.folder)))


def _remove_unless_held(folder: Path) -> None:
    try:
        handle: BinaryIO = (folder / _LOCK).open("rb")
    except OSError:  # just being made; or what a cancelled select wrote after its folder had been removed
        with suppress(OSError):
            if folder.stat().st_mtime < time.time() - _AN_HOUR:
                shutil.rmtree(folder, ignore_errors=True)
        return
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return
        shutil.rmtree(folder, ignore_errors=True)
