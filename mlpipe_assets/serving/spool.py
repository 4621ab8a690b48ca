"""Rows that a server writes as deliveries of a source: into a file the intake does not see, which is renamed when it is complete.

A row that `append` has taken survives the death of the process, and of the machine where it is forced to the disk. Each file
becomes exactly one delivery: its writer holds a lock on it, so one that nobody holds was left by a dead process, and is
closed by the next.
"""

import fcntl
import os
import secrets
import string
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from mlpipe_assets.errors import spell_count
from mlpipe_assets.store import keys
from mlpipe_assets.store.local import explain_writing, sync_folder
from mlpipe_assets.store.objects import StoreError
from mlpipe_assets.store.private_files import make_folder, open_new

_OPEN = ".spool-"  # the intake passes over names that begin with a point
_SUFFIX = ".jsonl"
_SECOND = 1_000_000_000
_BLOCK = 1 << 20


@dataclass(kw_only=True)
class SpoolCounts:
    """What became of the rows of one spool since its process began.

    Attributes:
        rows: Written.
        failed_rows: Not written: the disk was full, or the folder cannot be written.
        files: Handed over as deliveries, those that dead processes had left included.
        left: Of these, files that dead processes had left.
        torn: Rows that a dead process had begun, cut away.
        write_problem: Why the last write failed; None when it did not.
        close_problem: The same of handing over.
    """

    rows: int = 0
    failed_rows: int = 0
    files: int = 0
    left: int = 0
    torn: int = 0
    write_problem: str | None = None
    close_problem: str | None = None

    @property
    def problem(self) -> str | None:
        """Why rows are not written, or not handed over, in a few words."""
        return self.write_problem or self.close_problem


@dataclass(kw_only=True)
class _Part:
    """The file that is being written.

    Attributes:
        rows, size: Whole rows, and their bytes.
        began: Monotonic time of its first row.
        written_ns: When its last row came, in nanoseconds since 1970.
    """

    path: Path
    handle: BinaryIO
    rows: int = 0
    size: int = 0
    began: float = 0.0
    written_ns: int = 0


@dataclass(kw_only=True)
class Spool:
    """The writer of deliveries of one source, for the threads of one process.

    Attributes:
        root: The data folder.
        seconds: A file is handed over so long after its first row, when `close_due` is called.
        most_bytes: A file of so many bytes is handed over at once.
        sync: Whether `append` waits until its rows are on the disk.
    """

    root: Path
    source: str
    seconds: float = 300.0
    most_bytes: int = 64_000_000
    sync: bool = False
    counts: SpoolCounts = field(default_factory=SpoolCounts)
    _part: _Part | None = None
    _number: int = 0
    _token: str = field(default_factory=lambda: "".join(secrets.choice(string.ascii_lowercase) for _ in range(8)))
    _turn: Lock = field(default_factory=Lock)

    @property
    def folder(self) -> Path:
        """The source's folder in the drop zone."""
        return self.root / keys.drop_zone(self.source)

    def append(self, rows: Sequence[bytes]) -> None:
        """Write rows, each one line of JSON without its line end; all of them, or none.

        Raises: StoreError when they cannot be written; it counts them.
        """
        if not rows:
            return
        content = b"\n".join(rows) + b"\n"
        with self._turn:
            try:
                self._write(content, len(rows))
            except OSError as error:
                explained = self._explain(error)
                self.counts.failed_rows += len(rows)
                self.counts.write_problem = explained.reason
                raise explained from error
            self.counts.rows += len(rows)
            self.counts.write_problem = None
            if self._part and self._part.size >= self.most_bytes:
                self._hand_over()

    def close_due(self) -> bool:
        """Hand over the file when it is old enough, and what dead processes left; whether it was."""
        with self._turn:
            if self._part is None or time.monotonic() - self._part.began < self.seconds:
                return False
            self._hand_over()
            self._take_left()
            return True

    def close(self) -> None:
        """Hand over the file, whatever its age. One that cannot be is handed over by the next process."""
        with self._turn:
            self._hand_over()
            if self._part:
                self._part.handle.close()
                self._part = None

    def take_left(self) -> None:
        """Hand over what dead processes left, without the row that one was writing when it died."""
        with self._turn:
            self._take_left()

    def _write(self, content: bytes, rows: int) -> None:
        part = self._part = self._part or self._begin()
        try:
            _write_all(part.handle, content)
            if self.sync:
                os.fsync(part.handle.fileno())
        except OSError:
            self._cut(part)
            raise
        part.began = part.began or time.monotonic()
        part.rows += rows
        part.size += len(content)
        part.written_ns = time.time_ns()

    def _begin(self) -> _Part:
        make_folder(self.root, self.folder)
        while True:
            path = self.folder / f"{_OPEN}{self._token}-{secrets.token_hex(4)}{_SUFFIX}"
            handle = open_new(path)
            fcntl.flock(handle, fcntl.LOCK_EX)
            if os.fstat(handle.fileno()).st_nlink:
                return _Part(path=path, handle=handle)
            handle.close()  # taken for a leftover in the moment before it was locked

    def _cut(self, part: _Part) -> None:
        """Take away what was written of rows that were not written whole; a file that keeps it is left to `take_left`."""
        try:
            os.ftruncate(part.handle.fileno(), part.size)
            os.lseek(part.handle.fileno(), part.size, os.SEEK_SET)
        except OSError:
            part.handle.close()
            self._part = None

    def _hand_over(self) -> None:
        """Rename the file to what the intake takes; when that fails it stays, and is tried again."""
        part = self._part
        if part is None:
            return
        try:
            if part.size:
                self._rename(part.path, part.handle, part.written_ns)
            else:
                part.path.unlink(missing_ok=True)
        except FileNotFoundError as error:  # somebody removed it, and its rows with it
            self.counts.failed_rows += part.rows
            self.counts.close_problem = self._explain(error).reason
        except OSError as error:
            self.counts.close_problem = self._explain(error).reason
            return
        else:
            self.counts.close_problem = None
        part.handle.close()
        self._part = None

    def _rename(self, path: Path, handle: BinaryIO, written_ns: int) -> None:
        """Force a file to the disk and give it its name: the second after its last row, the process and a number."""
        os.fsync(handle.fileno())
        second = datetime.fromtimestamp(-(-written_ns // _SECOND), tz=UTC)
        self._number += 1
        name = f"{second:%Y-%m-%dT%H%M%SZ}_{self._token}-{self._number:04}{_SUFFIX}"
        path.rename(self.folder / name)
        self.counts.files += 1
        with suppress(OSError):  # a name that a power cut takes back is given again
            sync_folder(self.folder)

    def _take_left(self) -> None:
        for path in sorted(self.folder.glob(f"{_OPEN}*{_SUFFIX}")):
            if self._part and path == self._part.path:
                continue
            try:
                self._take(path)
            except BlockingIOError:
                continue  # another process is writing it
            except OSError as error:
                self.counts.close_problem = self._explain(error).reason

    def _take(self, path: Path) -> None:
        """Hand over one file that was left. Raises: BlockingIOError while a living process writes it."""
        with suppress(FileNotFoundError), path.open("r+b") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found = os.fstat(handle.fileno())
            if path.stat().st_ino != found.st_ino:
                return  # handed over, and another one begun, since it was opened
            whole = _whole_rows(handle, found.st_size)
            if whole < found.st_size:
                os.ftruncate(handle.fileno(), whole)
                os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
                self.counts.torn += 1
            if not whole:
                path.unlink()
                return
            self._rename(path, handle, found.st_mtime_ns)
            self.counts.left += 1

    def _explain(self, error: OSError) -> StoreError:
        return explain_writing(error, self.folder, self.root)


def hand_over_left(root: Path, sources: Iterable[str]) -> Iterator[str]:
    """Hand over what dead servers left of some sources; a line for each that had some, or that could not be."""
    for source in sources:
        spool = Spool(root=root, source=source)
        spool.take_left()
        if spool.counts.left:
            yield f"raw/{source}: {spell_count(spool.counts.left, 'file')} of rows that a dead server had answered for, taken as deliveries"
        if spool.counts.problem:
            yield f"raw/{source}: rows that a dead server had answered for cannot be taken: {spool.counts.problem}"


def _write_all(handle: BinaryIO, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(handle.fileno(), rest) :]


def _whole_rows(handle: BinaryIO, size: int) -> int:
    """How many bytes of a file are whole lines."""
    for start, end in _blocks_from_the_end(size):
        handle.seek(start)
        if (found := handle.read(end - start).rfind(b"\n")) >= 0:
            return start + found + 1
    return 0


def _blocks_from_the_end(size: int) -> Iterator[tuple[int, int]]:
    for end in range(size, 0, -_BLOCK):
        yield max(0, end - _BLOCK), end
