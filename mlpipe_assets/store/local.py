"""Objects as files below a folder: written beside their place, forced to the disk, and renamed.

A file is never seen half written, whatever happens to its writer. Writers of one key take turns, so that a write can
depend on what is there. A temporary file is locked by its writer: one that can be locked was left behind by a dead one.
"""

import errno
import fcntl
import hashlib
import os
import re
import secrets
import stat
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from mlpipe_assets.concurrency import in_order
from mlpipe_assets.store.leases import Lease, is_dead_process, take_lease
from mlpipe_assets.store.objects import (
    ABSENT,
    ANY,
    Condition,
    DeniedError,
    Found,
    FullError,
    Head,
    StoreError,
    Streamed,
    check_key,
    check_part,
    check_prefix,
    conflict,
    in_the_way,
    is_reserved,
    missing,
    no_file,
)
from mlpipe_assets.store.private_files import create_file, make_folder, open_new

_LOCKS = Path("meta", "locks")
_FLUSHES = 8  # folders at a time
_LOCK_COUNT = 16  # shared by all keys, so that locks do not become as many as objects
_LEFTOVER = re.compile(r"\..+\.\d+\.[0-9a-f]{8}\.tmp")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_ABSENT = (FileNotFoundError, NotADirectoryError)
_IN_THE_WAY = {errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY}


@dataclass(frozen=True)
class LocalObjects:
    """Objects as files below one folder, for the processes of one machine.

    A tag is the number, the time and the size of the file: each write makes another file.
    """

    root: Path

    def locate(self, key: str) -> str:
        """The path of an object, as text."""
        return str(self._path(key))

    def get(self, key: str, part: slice | None = None) -> Found:
        """An object, or a part of it."""
        name = f"{self.root}/{check_key(key)}"
        wanted = None if part is None else check_part(part)
        try:
            with open(name, "rb") as handle:  # noqa: PTH123 (a ledger is thousands of small records; paths of pathlib double the time)
                found = os.fstat(handle.fileno())
                if wanted is None:
                    return Found(content=handle.read(), tag=_tag(found))
                start, stop, _ = wanted.indices(found.st_size)
                handle.seek(start)
                return Found(content=handle.read(max(0, stop - start)), tag=_tag(found))
        except _ABSENT as error:
            raise missing(name) from error
        except IsADirectoryError as error:
            raise no_file(name) if self.list(key) else missing(name) from error
        except OSError as error:
            raise _explain_reading(error, name) from error

    def get_if_changed(self, key: str, tag: str) -> Found | None:
        """An object, or None while it has a tag."""
        there = self.head(key)
        return None if there and there.tag == tag else self.get(key)

    def put(self, key: str, content: bytes | memoryview, if_match: str | Condition = ANY) -> str:
        """Write an object whole, and return its tag."""
        path = self._path(key)
        with self._temporary(path) as handle, self._explaining(path):
            handle.write(content)
            return self._publish(handle, key, if_match)

    def put_stream(self, key: str, blocks: Iterable[bytes]) -> Streamed:
        """Write an object block by block, without holding it. When the blocks raise, nothing was written."""
        path = self._path(key)
        digest, size = hashlib.sha256(), 0
        with self._temporary(path) as handle:
            for block in blocks:
                digest.update(block)
                size += len(block)
                with self._explaining(path):
                    handle.write(block)
            with self._explaining(path):
                tag = self._publish(handle, key, ANY)
        return Streamed(tag=tag, sha256=digest.hexdigest(), size=size)

    def head(self, key: str) -> Head | None:
        """What is known of an object without reading it; None when there is none."""
        name = f"{self.root}/{check_key(key)}"
        try:
            found = os.stat(name)  # noqa: PTH116 (as in `get`)
        except _ABSENT:
            return None
        except OSError as error:
            raise _explain_reading(error, name) from error
        return None if stat.S_ISDIR(found.st_mode) else _head(key, found)

    def list(self, prefix: str = "") -> Sequence[Head]:
        """All objects below a prefix, by key."""
        folder = self.root / check_prefix(prefix)
        try:
            return sorted(_walk(folder, f"{prefix}/" if prefix else ""), key=lambda head: head.key)
        except OSError as error:
            raise _explain_reading(error, folder) from error

    def delete(self, key: str) -> None:
        """Take an object away, if it is there."""
        path = self._path(key)
        if not path.is_file():
            return
        with self._explaining(path):
            with self._turn(key), suppress(*_ABSENT):
                path.unlink()
            sync_folder(path.parent)

    def delete_many(self, keys: Iterable[str]) -> None:
        """Take objects away, those that are there; one after another, and only all of them are on the disk in the end."""
        folders = set[Path]()
        for path in map(self._path, keys):
            with self._explaining(path), self._turn(f"{path.relative_to(self.root)}"), suppress(*_ABSENT):
                path.unlink()
                folders.add(path.parent)
        sync_folders(folders)

    def lease(self, key: str, ttl: float) -> Lease:
        """Be the only one who holds a key. A holder whose process has ended is not waited for."""
        return take_lease(self, key, ttl, is_dead=is_dead_process)

    def sweep(self, prefix: str = "") -> None:
        """Take away what dead writers left below a prefix; what a living one is writing stays."""
        for folder, _, files in os.walk(self.root / check_prefix(prefix)):
            for path in (Path(folder, name) for name in files if _LEFTOVER.fullmatch(name)):
                with suppress(OSError), path.open("r+b") as handle:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()

    def _path(self, key: str) -> Path:
        return self.root / check_key(key)

    @contextmanager
    def _temporary(self, path: Path) -> Iterator[BinaryIO]:
        """A file beside a place, open and locked, that is gone after an error."""
        with self._explaining(path):
            make_folder(self.root, path.parent)
            handle = _open_temporary(path)
        try:
            yield handle
        except BaseException:
            Path(handle.name).unlink(missing_ok=True)
            raise
        finally:
            with suppress(OSError):  # the error of the write was raised already
                handle.close()

    def _publish(self, handle: BinaryIO, key: str, if_match: str | Condition) -> str:
        """Put a written file in its place, if that is as expected."""
        path = self._path(key)
        handle.flush()
        os.fsync(handle.fileno())
        tag = _tag(os.fstat(handle.fileno()))
        with self._turn(key):
            there = self.head(key) if if_match is not ANY else None
            if not (if_match is ANY or if_match == (there.tag if there else ABSENT)):
                raise conflict(str(path))
            if path.is_dir():
                _remove_empty(path)
            Path(handle.name).replace(path)
        sync_folder(path.parent)
        return tag

    @contextmanager
    def _turn(self, key: str) -> Iterator[None]:
        """Be the only writer of a key."""
        path = self.root / _LOCKS / f".objects-{zlib.crc32(key.encode('utf-8', 'surrogatepass')) % _LOCK_COUNT:x}.lock"
        if not path.exists():
            make_folder(self.root, path.parent)
            create_file(path)
        with path.open("r+b") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _explaining(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise explain_writing(error, path, self.root) from error


def explain_writing(error: Exception, path: Path, root: Path) -> StoreError:
    """The error for a file that could not be written, whoever found out: the kernel, or a library that names its number."""
    number = error.errno if isinstance(error, OSError) else None
    if number in _FULL or "os error 28" in str(error) or "os error 27" in str(error):
        return FullError(
            f"No space left to write {path}. Nothing was replaced; free some space and run again.",
            reason="no space left",
        )
    if number in _IN_THE_WAY and root.is_dir():
        return in_the_way(str(path))
    reason = getattr(error, "strerror", None) or str(error)
    kind = DeniedError if number in _DENIED else StoreError
    return kind(
        f"Cannot write {path}: {reason}. Check that MLPIPE_DATA_DIR ({root}) is a folder this user may write.",
        reason=reason,
    )


def sync_folder(folder: Path) -> None:
    """Force the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folders(folders: Iterable[Path]) -> None:
    """The same of several, side by side: they share what the file system writes, 0.7 ms each instead of 4."""
    list(in_order(sync_folder, folders, _FLUSHES))


def _explain_reading(error: OSError, path: Path | str) -> StoreError:
    reason = error.strerror or str(error)
    kind = DeniedError if error.errno in _DENIED else StoreError
    return kind(f"{path} cannot be read: {reason}. Let this user read it.", reason=reason)


def _open_temporary(path: Path) -> BinaryIO:
    while True:
        handle = open_new(path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp"))
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle.fileno()).st_nlink:
            return handle
        handle.close()  # taken for a leftover in the moment before it was locked


def _remove_empty(folder: Path) -> None:
    """Take away folders in which there is no file any more: to other stores they do not exist."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            path.rmdir()
    folder.rmdir()


def _walk(folder: Path | str, prefix: str) -> Iterator[Head]:
    try:
        entries = list(os.scandir(folder))
    except _ABSENT:
        return
    for entry in entries:
        if entry.is_dir():
            yield from _walk(entry.path, f"{prefix}{entry.name}/")
        elif not is_reserved(entry.name):
            with suppress(FileNotFoundError):  # taken away in the meantime
                yield _head(f"{prefix}{entry.name}", entry.stat())


def _head(key: str, found: os.stat_result) -> Head:
    return Head(key=key, tag=_tag(found), size=found.st_size, modified=datetime.fromtimestamp(found.st_mtime, tz=UTC))


def _tag(found: os.stat_result) -> str:
    return f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"
