"""What servers write into the drop zone of one source, read as it grows: the files that are open, and those handed over since."""

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from mlpipe_assets.catalog.feeds import Files
from mlpipe_assets.intake.delivery import natural
from mlpipe_assets.intake.known_at import read_known_at
from mlpipe_assets.serving.push.open_rows import Place

_OPEN = re.compile(r"\.spool-[a-z]{8}-[0-9a-f]{8}\.jsonl")
_HANDED_OVER = re.compile(r"(\d{4}-\d\d-\d\dT\d{6}Z)_[a-z]{8}-\d{4,}\.jsonl")
_STEADY_NS = 2_000_000_000  # a folder that changed later than this before it was listed may have changed again unseen


@dataclass(kw_only=True)
class Tailed:
    """One file as far as it was read.

    Attributes:
        file: What its rows call their delivery as long as nobody has ingested it.
        rows: Lines read.
        offset: Bytes read.
    """

    file: str
    name: str
    modified_ns: int
    offset: int = 0
    rows: int = 0

    @property
    def is_open(self) -> bool:
        """Whether its writer has not handed it over."""
        return self.name.startswith(".")

    def known_at(self, feed: Files) -> datetime:
        """When its rows are known, as the intake says of what is handed over."""
        if self.is_open:
            return datetime.fromtimestamp(self.modified_ns / 1e9, tz=UTC)
        return read_known_at(self.name, self.modified_ns, feed.known_at).known_at

    def place(self, feed: Files) -> Place:
        """Its place in the order of deliveries."""
        return (self.known_at(feed), self.modified_ns, natural(self.name))


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """New lines of one file, whole ones, and the number of the first."""

    tailed: Tailed
    first: int
    lines: list[bytes]


@dataclass(kw_only=True)
class SpoolTail:
    """Reads each line once. One thread at a time.

    Attributes:
        folder: The source's folder in the drop zone.
        files: The files as far as they were read, by device and inode: a file keeps these when it is handed over.
    """

    folder: Path
    files: dict[tuple[int, int], Tailed] = field(default_factory=dict)
    _listed: tuple[int, int] = (0, 0)

    def read(self, since: datetime) -> Iterator[Chunk]:
        """New lines of the files that are open, or were handed over since a moment.

        Raises: TruncatedError when a file is shorter than what was read of it: what was read may be gone.
        """
        for tailed, path, size in self._changed(since):
            if size < tailed.offset:
                raise TruncatedError(f"{path}")
            try:
                with path.open("rb") as handle:
                    handle.seek(tailed.offset)
                    content = handle.read(size - tailed.offset)
            except OSError:  # renamed since: found under its new name at the next look
                self._listed = (0, 0)
                continue
            whole = content.rfind(b"\n") + 1
            if not whole:
                continue
            lines = content[: whole - 1].split(b"\n")
            first = tailed.rows + 1
            tailed.offset, tailed.rows = tailed.offset + whole, tailed.rows + len(lines)
            yield Chunk(tailed=tailed, first=first, lines=lines)

    def forget(self) -> None:
        """Read everything again at the next look."""
        self.files.clear()
        self._listed = (0, 0)

    def _changed(self, since: datetime) -> list[tuple[Tailed, Path, int]]:
        """Files that hold more than was read of them, or less, in order of name."""
        found: list[tuple[Tailed, Path, int]] = []
        for path, info in self._present(since):
            key = (info.st_dev, info.st_ino)
            tailed = self.files.get(key)
            if tailed is None or not _may_be_called(tailed, path.name):
                digest = sha256(f"{key} {path.name}".encode()).hexdigest()
                tailed = self.files[key] = Tailed(file=digest, name=path.name, modified_ns=info.st_mtime_ns)
            tailed.name, tailed.modified_ns = path.name, info.st_mtime_ns
            if info.st_size != tailed.offset:
                found.append((tailed, path, info.st_size))
        return found

    def _present(self, since: datetime) -> list[tuple[Path, os.stat_result]]:
        """The files to look at with their size and time; the folder is listed only when it changed."""
        try:
            changed = self.folder.stat().st_mtime_ns
        except OSError:
            self.files.clear()
            return []
        if changed == self._listed[0] and changed < self._listed[1] - _STEADY_NS:
            return self._stat_all([one.name for one in self.files.values() if one.is_open])
        self._listed = (changed, time.time_ns())
        present = self._stat_all([path.name for path in self.folder.iterdir() if _is_wanted(path.name, since)])
        there = {(info.st_dev, info.st_ino) for _, info in present}
        self.files = {key: one for key, one in self.files.items() if key in there}
        return present

    def _stat_all(self, names: list[str]) -> list[tuple[Path, os.stat_result]]:
        paths = [self.folder / name for name in sorted(names)]
        return [(path, info) for path in paths if (info := _stat(path))]


class TruncatedError(Exception):
    """A file lost bytes that were read: its writer could not force them to the disk."""


def _is_wanted(name: str, since: datetime) -> bool:
    if _OPEN.fullmatch(name):
        return True
    found = _HANDED_OVER.fullmatch(name)
    return bool(found) and datetime.strptime(found[1], "%Y-%m-%dT%H%M%SZ").replace(tzinfo=UTC) >= since  # type: ignore[index]


def _may_be_called(tailed: Tailed, name: str) -> bool:
    """Whether a file that was read under one name can be called another now: only one that was handed over since."""
    return tailed.name == name or (tailed.is_open and not name.startswith("."))


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
