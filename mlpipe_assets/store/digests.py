"""Whether the files of the lake hold what was written to them, by the digests on record."""

import hashlib
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import NoReturn

from mlpipe_assets.errors import DamagedError, LakeError
from mlpipe_assets.store import keys
from mlpipe_assets.store.digest_log import Log, Written, append, read_log

_log = logging.getLogger("mlpipe")
_contents: dict[Path, tuple[tuple[int, int, int, int], str]] = {}
_warned: set[tuple[Path, int, int]] = set()
_looking: ContextVar[bool] = ContextVar("looking", default=False)


def damage(root: Path, path: Path) -> str | None:
    """What is wrong with a file that this lake has on record, by its content; None when nothing is, or it is not known here."""
    return _damage(root, path, trust_times=False)


def changed(root: Path, path: Path) -> str | None:
    """The same, but a file of the size and time on record is taken as it is: to plan must cost no reading."""
    return _damage(root, path, trust_times=True)


def doubtful(root: Path, paths: Iterable[Path]) -> Iterator[Path]:
    """Those of some files that do not have the size and time on record: only their content can tell whether they are right."""
    logs: dict[Path | None, Log | None] = {None: None}
    for path in paths:
        folder, _, file = os.fspath(path).rpartition("/")
        table, place = _place(root, folder)
        if table not in logs:
            logs[table] = read_log(root, table) if table is not None else None
        log, name = logs[table], f"{place}/{file}"
        if log is None or name not in log.files or not _has_size_and_time(root, log, name):
            yield path


@lru_cache(maxsize=1 << 16)
def _place(root: Path, folder: str) -> tuple[Path | None, str]:
    """The table whose partition is in a folder, and the folder below the data folder."""
    name = Path(folder).relative_to(root)
    return keys.table_of(name / keys.PART), str(name)


def _has_size_and_time(root: Path, log: Log, name: str) -> bool:
    """Whether a file has the size and time on record, at the cost of one look at it; planning asks this of every file."""
    try:
        stat = os.stat(f"{root}/{name}")  # noqa: PTH116 (paths of pathlib take four times as long)
    except OSError:
        return False
    state = (stat.st_size, stat.st_mtime_ns)
    return name not in log.suspects and any(w and (w.size, w.mtime_ns) == state for w in log.files[name])


def check_file(root: Path, path: Path) -> Path:
    """The same path, when it holds what was written to it; a file is read once for each state a process meets.

    Raises: DamagedError with what is wrong and what to do.
    """
    wrong = damage(root, path)
    if wrong or not path.exists():
        accuse(root, path, wrong or "is gone")
    return path


def accuse(root: Path, path: Path, wrong: str) -> NoReturn:
    """Remember a damaged file, so that the next look at it is at its content, and stop.

    Raises: DamagedError always.
    """
    name = path.relative_to(root)
    table = keys.table_of(name)
    if table is not None and _allowed(root, path):
        with suppress(LakeError, OSError):  # a reader may not be allowed to write
            append(root, table, {"suspects": [str(name)]})
    raise DamagedError(f"{path} {wrong}. {cure_of(name)}")


def cure_of(name: Path) -> str:
    """What to do about a damaged file, named below the data folder."""
    if keys.is_made_of_others(name):
        return "Next: mlpipe run; it is built again."
    if keys.is_refused_by_contract(name):
        return f"Delete interim/{name.parts[2]}/{name.parts[3]} and run again: both are made again."
    if keys.is_below(name, keys.EVENTS) or keys.is_below(name, keys.QUARANTINE):
        return (
            f"Next: mlpipe run; it is made again from the file in raw/{name.parts[2]} that it came from, if that is still there. "
            "Otherwise put that file back, or restore this one from a copy."
        )
    if name.parts[:2] == ("validation", "golden"):
        return "Restore it from a copy, or delete it: the copy beside the champion counts then."
    if name.parts[:2] == ("monitoring", "reference"):
        return "Restore it from a copy, or delete it and run again: the baseline is frozen from scratch then."
    if name.parts[0] == "models":
        return "Restore it from a copy. Without one, train a new version, or go back with `mlpipe rollback`."
    return "Restore it from a copy."


def content_digest(path: Path) -> str:
    """SHA-256 of a file, read once for each state that this process meets.

    Raises: OSError.
    """
    with path.open("rb") as handle:
        stamp = _state(os.fstat(handle.fileno()))
        known = _contents.get(path)
        if known and known[0] == stamp:
            return known[1]
        found = hashlib.file_digest(handle, "sha256").hexdigest()
    _contents[path] = (stamp, found)
    return found


def _damage(root: Path, path: Path, *, trust_times: bool) -> str | None:
    allowed = _allowed(root, path)
    if allowed is None:
        return None
    name = str(path.relative_to(root))
    try:
        stat = path.stat()
        if not path.is_file():
            return "is not a file. Take it away first"
        table = keys.table_of(Path(name))
        log = read_log(root, table) if table is not None else None
        trusted = trust_times and log is not None and name not in log.suspects
        if trusted and any(w and (w.size, w.mtime_ns) == (stat.st_size, stat.st_mtime_ns) for w in allowed):
            return None
        found = content_digest(path)
    except (FileNotFoundError, NotADirectoryError):
        return None if None in allowed else "is gone"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if found not in {w.sha256 for w in allowed if w}:
        return _differs(allowed, stat.st_size, found)
    if trust_times and table is not None:  # a copied lake has other times: look at each file once, not on every run
        with suppress(LakeError, OSError):
            append(root, table, {"same": {name: stat.st_mtime_ns}})
    return None


def warn_once(path: Path, wrong: str) -> None:
    """Report a damaged partition that is going to be built again, once per state of it, whichever of its files it is seen by."""
    with suppress(OSError):
        state = (
            path.parent,
            path.parent.stat().st_mtime_ns,
            path.stat().st_mtime_ns if path.name == keys.PART else 0,
        )
        if state not in _warned:
            _warned.add(state)
            _log.warning(
                "%s %s; %s", path, wrong, "the next run builds it again" if _looking.get() else "it is built again"
            )


@contextmanager
def only_looking() -> Iterator[None]:
    """For a command that builds nothing: a damaged partition is left to the next run."""
    token = _looking.set(True)
    try:
        yield
    finally:
        _looking.reset(token)


def _allowed(root: Path, path: Path) -> list[Written | None] | None:
    if not path.is_relative_to(root):
        return None
    name = path.relative_to(root)
    table = keys.table_of(name)
    log = read_log(root, table) if table is not None else None
    allowed = log.files.get(str(name)) if log else None
    return None if allowed in (None, [None]) else allowed


def _differs(allowed: Sequence[Written | None], size: int, found: str) -> str:
    wanted = next(w for w in reversed(allowed) if w)
    return spell_difference(wanted.sha256, wanted.size, size, found)


def spell_difference(sha256: str, size: int, found_size: int, found: str) -> str:
    """How a file differs from what was written to it."""
    if found_size != size:
        return f"has {found_size:,} bytes where {size:,} were written"
    return f"does not hold what was written to it (SHA-256 {found[:12]}…, written {sha256[:12]}…)"


def _state(stat: os.stat_result) -> tuple[int, int, int, int]:
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
