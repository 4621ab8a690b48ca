"""How much of a lake in a bucket is on this machine: files of days that were not read for longest go first."""

import os
import time
from collections.abc import Iterable
from pathlib import Path

from mlpipe_assets.store import keys
from mlpipe_assets.store.copies.files import remove_file

_LATELY = 3600.0  # seconds for which what was handed out stays: somebody may be reading it


def may_be_elsewhere(key: str) -> bool:
    """Whether a file is fetched only when it is read, where the copy has a bound: one of a day of a table, or its content."""
    return keys.dated_table(Path(key.removeprefix(f"{keys.CONTENTS}/"))) is not None


def evict(root: Path, names: Iterable[str], bound: int) -> set[str]:
    """Take files away that the bucket has, until the others are within a bound; which those were.

    Two names of one file count once and go together. What was read within the last hour stays, whatever the bound says.

    Args:
        root: The folder of the copy.
        names: Files that may go.
        bound: Bytes.
    """
    found: dict[int, list[str]] = {}
    stats: dict[int, os.stat_result] = {}
    for name in names:
        stat = (root / name).stat()
        found.setdefault(stat.st_ino, []).append(name)
        stats[stat.st_ino] = stat
    total, now, gone = sum(stat.st_size for stat in stats.values()), time.time(), set[str]()
    for number, stat in sorted(stats.items(), key=lambda item: item[1].st_atime_ns):
        if total <= bound or now - stat.st_atime < _LATELY:
            break
        for name in found[number]:
            remove_file(root, name)
        gone.update(found[number])
        total -= stat.st_size
    return gone
