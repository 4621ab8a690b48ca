"""One log of digests per table, meta/digests/<table>.log: what each of its files held when it was written.

A line is put on record before the rename that makes its files visible, and a second one says that they are. Whoever reads
after a kill between the two takes either content. Each line begins with the start of its own SHA-256; a last line that is
cut short was never acted on.
"""

import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

from mlpipe_assets.errors import LakeError
from mlpipe_assets.store import keys
from mlpipe_assets.store.private_files import create_file, make_folder

_MARK = 16  # hexadecimal digits of a line's own digest
_SMALL = 1 << 16  # bytes up to which a log is left as it is


@dataclass(frozen=True, kw_only=True)
class Written:
    """A file as it was written."""

    sha256: str
    size: int
    mtime_ns: int


@dataclass(kw_only=True)
class Log:
    """The digests of one table.

    Attributes:
        files: By path below the data folder what the file may hold; None stands for no file.
        suspects: Files that were found to hold something else: no size and time vouches for them.
        lines: Lines of the log.
    """

    files: dict[str, list[Written | None]] = field(default_factory=dict)
    suspects: set[str] = field(default_factory=set)
    lines: int = 0
    _open: dict[str, list[str]] = field(default_factory=dict)

    @property
    def has_days(self) -> bool:
        """Whether it has files of days on record, as before there were manifests."""
        return any(any(found) and is_of_day(name) for name, found in self.files.items())

    def add(self, line: dict[str, Any]) -> None:
        """Take one line."""
        self.lines += 1
        for name, written in line.get("files", {}).items():
            found = None if written is None else Written(sha256=written[0], size=written[1], mtime_ns=written[2])
            self.files.setdefault(name, [None]).append(found)
            self._open.setdefault(line["id"], []).append(name)
        for name in self._open.pop(line.get("done", ""), []):
            self.files[name] = self.files[name][-1:]
            self.suspects.discard(name)
        for name in line.get("suspects", []):
            self.suspects.add(name)
        for name, mtime_ns in line.get("same", {}).items():  # the content was looked at under this time
            self.files[name] = [
                w and Written(sha256=w.sha256, size=w.size, mtime_ns=mtime_ns) for w in self.files[name]
            ]
            self.suspects.discard(name)


_logs: dict[Path, tuple[tuple[int, int, int, int], Log]] = {}
_guard = Lock()


@lru_cache(maxsize=1 << 12)
def log_path(root: Path, table: Path) -> Path:
    """Where the digests of a table are."""
    return root / keys.digests(table.as_posix())


@contextmanager
def on_record(root: Path, written: Mapping[Path, Written | None], digest_of: Callable[[Path], str]) -> Iterator[None]:
    """Put on record what files are about to hold, and, once the caller has made it so, that they do.

    Args:
        root: The data folder.
        written: What each file is about to hold; None takes it away.
        digest_of: The digest of a file that is there.
    """
    tables: dict[Path, dict[str, Any]] = {}
    for path, content in written.items():
        name = path.relative_to(root)
        if (table := keys.table_of(name)) is not None:
            tables.setdefault(table, {})[str(name)] = _row(content)
    number = secrets.token_hex(4)
    for table, files in tables.items():
        append(root, table, {"files": files, "id": number}, as_found=digest_of, durable=True)
    yield
    for table in tables:
        append(root, table, {"done": number})


def forget_days(root: Path, table: Path) -> None:
    """Take the files of days out of a log, as the manifest of their table has them; files of no day stay on record.

    Raises: LakeError when the log is damaged.
    """
    log = read_log(root, table)
    if log is None:
        return
    if all(map(is_of_day, log.files)):
        log_path(root, table).unlink(missing_ok=True)
        return
    number = secrets.token_hex(4)
    if days := {name: None for name, found in log.files.items() if is_of_day(name) and any(found)}:
        append(root, table, {"files": days, "id": number})
        append(root, table, {"done": number})


def is_of_day(name: str) -> bool:
    """Whether a file, by its path below the data folder, is one that a manifest speaks of."""
    return keys.dated_table(Path(name)) is not None


def read_log(root: Path, table: Path) -> Log | None:
    """The digests of a table; None before any was kept.

    Raises: LakeError when the log itself is damaged.
    """
    path = log_path(root, table)
    try:
        stamp = _stamp(path.stat())
        known = _logs.get(path)
        if known and known[0] == stamp:
            return known[1]
        log = _parse(path, path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LakeError(f"{path} cannot be read: {error.strerror}.") from error
    _logs[path] = (stamp, log)
    return log


def append(
    root: Path,
    table: Path,
    line: dict[str, Any],
    *,
    as_found: Callable[[Path], str] | None = None,
    durable: bool = False,
) -> None:
    """Add a line to the log of a table.

    Args:
        root: The data folder.
        table: The table, below it.
        line: What to add.
        as_found: Begin a log that is not there yet, with the digests, by this function, of the files the table has: those of
            a lake from before digests were kept. Without it nothing is added to such a log.
        durable: Wait until the line is on the disk.
    """
    path = log_path(root, table)
    with _guard:
        if not path.exists():
            if as_found is None:
                return
            make_folder(root, path.parent)
            create_file(path)
        with _locked(path) as handle:
            end = _end(handle)
            lines = [line] if end or as_found is None else [*_as_found(root, table, as_found), line]
            handle.seek(end)
            added = handle.write(b"".join(map(_spell, lines)))
            handle.flush()
            if durable:
                os.fsync(handle.fileno())
            if end + added > _SMALL and end.bit_length() != (end + added).bit_length():
                _shorten(path, handle)


def _end(handle: BinaryIO) -> int:
    """Where the last whole line ends; what a kill cut short is taken away, as nothing was done on the strength of it."""
    size = handle.seek(0, os.SEEK_END)
    if not size:
        return 0
    handle.seek(size - 1)
    if handle.read(1) == b"\n":
        return size
    handle.seek(0)
    end = handle.read().rfind(b"\n") + 1
    handle.truncate(end)
    return end


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    """The log, open and ours alone; another writer may replace it by a shorter one while we wait."""
    while True:
        with path.open("r+b") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if os.fstat(handle.fileno()).st_ino == path.stat().st_ino:
                yield handle
                return


def _as_found(root: Path, table: Path, digest_of: Callable[[Path], str]) -> list[dict[str, Any]]:
    found: dict[str, Any] = {}
    for path in files_below(root, table):
        with suppress(OSError):
            stat = path.stat()
            found[str(path.relative_to(root))] = [digest_of(path), stat.st_size, stat.st_mtime_ns]
    return [{"files": found, "id": "as found"}, {"done": "as found"}] if found else []


def files_below(root: Path, table: Path) -> Iterator[Path]:
    """The files of a table that are there, without hidden and temporary ones, and those that a manifest speaks of."""
    for path in (root / table).rglob("*"):
        name = path.relative_to(root)
        if (
            path.is_file()
            and not path.name.startswith(".")
            and keys.table_of(name) == table
            and not is_of_day(f"{name}")
        ):
            yield path


def _shorten(path: Path, handle: BinaryIO) -> None:
    """Replace a log by what it comes to, where that is less than half."""
    handle.seek(0)
    log = _parse(path, handle.read())
    sure = {name: _row(found[0]) for name, found in log.files.items() if len(found) == 1 and found[0]}
    lines: list[dict[str, Any]] = [{"files": sure, "id": "kept"}, {"done": "kept"}]
    for name, found in log.files.items():
        if len(found) > 1:
            lines += [{"files": {name: _row(one)}, "id": secrets.token_hex(4)} for one in found[1:]]
            if found[0]:
                lines[0]["files"][name] = _row(found[0])
    lines += [{"suspects": sorted(log.suspects)}] if log.suspects else []
    content = b"".join(map(_spell, lines))
    if 2 * len(content) > handle.seek(0, os.SEEK_END):
        return
    short = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    create_file(short)
    with short.open("wb") as target:
        target.write(content)
        target.flush()
        os.fsync(target.fileno())
    short.replace(path)


def _row(written: Written | None) -> list[str | int] | None:
    return None if written is None else [written.sha256, written.size, written.mtime_ns]


def _spell(line: dict[str, Any]) -> bytes:
    text = json.dumps(line, sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(text).hexdigest()[:_MARK].encode() + b" " + text + b"\n"


def _parse(path: Path, content: bytes) -> Log:
    log = Log()
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        mark, _, text = line.partition(b" ")
        if hashlib.sha256(text).hexdigest()[:_MARK].encode() != mark:
            raise LakeError(
                f"{path} cannot be read: line {number:,} is damaged. Restore it from a copy. Without one, delete it: the files "
                "of its table are then taken as they are when the table is next written."
            )
        log.add(json.loads(text))
    return log


def _stamp(stat: os.stat_result) -> tuple[int, int, int, int]:
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
