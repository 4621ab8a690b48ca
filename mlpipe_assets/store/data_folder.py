"""Whether this user can use the data folder: said once, before any work, and not by each table that stumbles over it."""

import os
import shlex
from collections.abc import Iterable
from pathlib import Path

from mlpipe_assets.errors import LakeError, SettingsError
from mlpipe_assets.store import keys


def expect_access(root: Path, written: Iterable[str], *, writing: bool) -> None:
    """Make sure that the data folder can be read and, by a command that writes, written.

    The drop zone may be read-only: nothing is written beside what was delivered.

    Args:
        root: The data folder.
        written: Folders in it that are written, by key.
        writing: Whether the command writes.

    Raises: SettingsError when MLPIPE_DATA_DIR leads to no folder; LakeError naming the folder in the way, and what to do.
    """
    for above in reversed(root.parents):
        _expect_folder(above, os.X_OK, setting=True)
    _expect_folder(root, os.R_OK | os.X_OK, setting=True)
    folders = [root / name for name in (keys.DROP_ZONE, *written)]
    for folder in folders:
        _expect_folder(folder, os.R_OK | os.X_OK)
    if writing:
        for folder in folders[1:]:
            _expect_writable(folder)


def _expect_folder(folder: Path, rights: int, *, setting: bool = False) -> None:
    if not os.path.exists(folder):  # noqa: PTH110 (Path.exists raises where the folder above may not be entered)
        return
    if not folder.is_dir() and setting:
        raise SettingsError(
            f"{folder} is not a folder, and MLPIPE_DATA_DIR leads to it. Name another one, or unset it."
        )
    if not folder.is_dir():
        raise LakeError(f"{folder} is a file where a folder belongs. Move it away, then run again.")
    if not _may(folder, rights):
        raise LakeError(
            f"This user may not read {folder}. Let them, as with: chmod u+rwx {shlex.quote(f'{folder}')}, or name another folder "
            "in MLPIPE_DATA_DIR."
        )


def _expect_writable(folder: Path) -> None:
    """That files can be made in a folder, or the folder itself in the next one above that is there."""
    there = folder if folder.exists() else next(above for above in folder.parents if above.exists())
    if _may(there, os.W_OK | os.X_OK):
        return
    if os.statvfs(there).f_flag & os.ST_RDONLY:
        raise LakeError(
            f"{there} is on a disk that is read-only here. Mount it writable, or name another folder in MLPIPE_DATA_DIR."
        )
    raise LakeError(
        f"This user may not write {there}. Let them, as with: chmod u+rwx {shlex.quote(f'{there}')}, or name another folder in "
        "MLPIPE_DATA_DIR."
    )


def _may(folder: Path, rights: int) -> bool:
    """Whether this process has some rights: the user it acts as, where the system can tell."""
    return os.access(folder, rights, effective_ids=os.access in os.supports_effective_ids)
