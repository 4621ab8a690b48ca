"""Whether this user can use the data folder: said once, before any work, and not by each table that stumbles over it."""

import os
import shlex
from collections.abc import Iterable
from pathlib import Path

from mlpipe_assets.errors import LakeError, SettingsError, shorten
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


def expect_records(root: Path) -> None:
    """Make sure that what came is on record where there are partitions: without it a lake would begin as if it were new.

    Raises: LakeError that says what is gone, and how to go on.
    """
    if (root / keys.DELIVERIES).exists():
        return
    days = [day.relative_to(root) for day in root.glob(f"*/*/{keys.ANY_DAY}")]
    days = [day for day in days if not keys.is_below(day, keys.DROP_ZONE)]  # senders name their folders as they like
    days += [day.relative_to(root) for day in root.glob(f"{keys.EVENTS}/*/{keys.ANY_DAY}")]
    tables = sorted({f"{day.parent}" for day in days})
    if not tables:
        return
    raise LakeError(
        f"{root / keys.DELIVERIES} is gone, and there are partitions of {shorten(tables, 3)}. What came, was accepted, is champion "
        f"and was reported is on record below {root / keys.META}; a run without it would begin as in a new lake. Nothing was "
        f"changed. Restore {keys.META}/ from a copy. Without one, put every file that was ever delivered back into "
        f"{keys.DROP_ZONE}/, then: mkdir -p {shlex.quote(f'{root / keys.DELIVERIES}')}, and run: each file is read again, and "
        "days that were accepted have to be accepted again."
    )


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
