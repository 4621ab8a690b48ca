"""The online store as one SQLite file a snapshot, in the data folder: nothing to install, and read in microseconds.

A file is built aside, forced to the disk, named by one rename, and never changed. Then one small document is replaced that
says which file answers.
"""

import logging
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from threading import Lock

from mlpipe_assets.errors import LakeError
from mlpipe_assets.serving.snapshots.online_store import Expect, Rows, nothing
from mlpipe_assets.serving.snapshots.snapshot import (
    Generation,
    GoneError,
    Line,
    OnlineError,
    Snapshot,
    make_generation,
    parse_line,
    spell_line,
)
from mlpipe_assets.store import keys
from mlpipe_assets.store.digests import changed
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.records import Record, spell_document

_BATCH = 10_000
_MOST_PARAMETERS = 10_000  # SQLite takes 32,766
_MAPPED = 1 << 30  # bytes of a file that are read as memory
_log = logging.getLogger("mlpipe")
_LOST = "Delete it, then: mlpipe online publish"


@dataclass(frozen=True, kw_only=True)
class SqliteStore:
    """Snapshots as files below `online/` of a lake.

    Attributes:
        told: Snapshots that were reported lost.
    """

    lake: Lake
    told: set[str] = field(default_factory=set, compare=False)

    def locate(self) -> str:
        """The folder of the snapshots."""
        return f"{self.lake.root / keys.ONLINE}"

    def line(self) -> Line:
        """The snapshots there are; one whose file is gone, or was changed, counts as none.

        Raises: LakeError when the record of them cannot be read.
        """
        record = Record(objects=self.lake.objects, key=keys.ONLINE_LINE, parse=parse_line, cure=_LOST)
        line = record.read() or Line()
        there = tuple(one for one in line.generations if self._is_sound(one))
        current = line.current if any(one.id == line.current for one in there) else None
        if line.current and current is None and line.current not in self.told:
            self.told.add(line.current)
            _log.warning("online/features: %s", Line(lost=line.current).silence)
        return Line(current=current, generations=there, lost=None if current else line.current)

    def publish(self, snapshot: Snapshot, expect: Expect = nothing) -> Generation:
        """Keep a snapshot and let it answer from now on."""
        with self.lake.writing(keys.ONLINE, "features"):
            line = self.line()
            generation = make_generation(snapshot, line)
            path = self._path(generation)
            self.lake.commit(self.lake.stage_with(path, lambda file: _build(file, snapshot)))
            after, _ = line.after(generation)
            try:
                with closing(self.open(generation)) as reader:
                    expect(reader)
            except BaseException:
                self.lake.remove(path)
                raise
            self._write(after)
            self._sweep(after)
        return generation

    def roll_back(self, reason: str) -> Generation:
        """Let the snapshot before answer again."""
        with self.lake.writing(keys.ONLINE, "features"):
            line = self.line().rolled_back(reason, datetime.now(tz=UTC))
            self._write(line)
        if line.present is None:  # narrowed by rolled_back; states it for the type checker
            raise OnlineError("No snapshot answers.")
        return line.present

    def open(self, generation: Generation) -> "SqliteReader":
        """A reader of one snapshot."""
        path = self._path(generation)
        if not path.exists():
            raise GoneError(f"The snapshot {generation.id} is not in {self.locate()} any more.")
        self.lake.check([path])
        return SqliteReader(path, generation)

    def close(self) -> None:
        """Nothing: it holds nothing open."""

    def _write(self, line: Line) -> None:
        self.lake.publish({keys.ONLINE_LINE: spell_document(spell_line(line))})

    def _sweep(self, line: Line) -> None:
        """Remove files that no line speaks of: what a killed publisher left, and snapshots that nobody needs any more."""
        named = {self._path(one) for one in line.generations}
        for path in sorted((self.lake.root / keys.ONLINE).glob(keys.ANY_SNAPSHOT)):
            if path not in named:
                self.lake.remove(path)

    def _path(self, generation: Generation) -> Path:
        return self.lake.root / keys.snapshot(generation.id)

    def _is_sound(self, generation: Generation) -> bool:
        path = self._path(generation)
        return path.exists() and changed(self.lake.root, path) is None


class SqliteReader:
    """Reads one file."""

    def __init__(self, path: Path, generation: Generation) -> None:
        self.generation = generation
        self._lock = Lock()
        try:
            address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
            self._connection = sqlite3.connect(address, uri=True, check_same_thread=False, cached_statements=512)
            self._connection.execute(f"pragma mmap_size={_MAPPED}")
            self._tables = dict(self._connection.execute("select name, place from views").fetchall())
        except sqlite3.Error as error:
            raise OnlineError(f"{path} cannot be read: {error}. {_LOST}") from error

    def read(self, wanted: Mapping[str, Sequence[str]]) -> Rows:
        """The rows of the keys of each view."""
        with self._lock:
            return {view: self._read(self._tables[view], found) for view, found in wanted.items()}

    async def fetch(self, wanted: Mapping[str, Sequence[str]]) -> Rows:
        """The same: it is there before another could begin."""
        return self.read(wanted)

    def _read(self, table: str, wanted: Sequence[str]) -> list[bytes | None]:
        run = self._connection.execute
        try:
            if len(wanted) == 1:
                found = run(f"select row from {table} where key = ?", wanted).fetchone()
                return [found[0] if found else None]
            rows: dict[str, bytes] = {}
            for start in range(0, len(wanted), _MOST_PARAMETERS):
                part = wanted[start : start + _MOST_PARAMETERS]
                rows.update(run(_select(table, len(part)), part).fetchall())
        except sqlite3.Error as error:
            raise OnlineError(f"The snapshot {self.generation.id} cannot be read: {error}. {_LOST}") from error
        return [rows.get(key) for key in wanted]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()


@lru_cache(maxsize=4096)
def _select(table: str, count: int) -> str:
    return f"select key, row from {table} where key in ({','.join('?' * count)})"


def _build(path: Path, snapshot: Snapshot) -> None:
    """Write a snapshot into a file that nobody sees yet."""
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("pragma journal_mode=off")
            connection.execute("pragma synchronous=off")
            connection.execute("begin")
            connection.execute("create table views (name text primary key, place text not null)")
            for number, rows in enumerate(snapshot.views):
                table = f"v{number}"
                connection.execute(f"create table {table} (key text primary key, row blob not null) without rowid")
                for pairs in rows.pairs(_BATCH):
                    connection.executemany(f"insert into {table} values (?, ?)", pairs)
                connection.execute("insert into views values (?, ?)", (rows.view.name, table))
            connection.execute("commit")
    except sqlite3.IntegrityError as error:
        raise OnlineError(f"The snapshot holds an entity twice ({error}). Nothing was published.") from error
    except sqlite3.Error as error:
        raise LakeError(f"{path.parent} cannot take the snapshot: {error}. Nothing was published.") from error
