"""The lake: tables of day partitions below one data folder, whole or not at all, and the files that are of no day."""

import shlex
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import polars as pl

from mlpipe_assets.errors import ExecutorError, SettingsError
from mlpipe_assets.store import keys
from mlpipe_assets.store.changes import TableChange
from mlpipe_assets.store.contents import Contents
from mlpipe_assets.store.digest_log import Written, on_record
from mlpipe_assets.store.digests import check_file, content_digest
from mlpipe_assets.store.keys import PART
from mlpipe_assets.store.leftovers import leftovers
from mlpipe_assets.store.local import LocalObjects, explain_writing, sync_folders
from mlpipe_assets.store.manifest import Manifest
from mlpipe_assets.store.presence import sees, show_presence
from mlpipe_assets.store.staging import Staged, beside, spell_frame, stage_bytes, stage_with
from mlpipe_assets.store.table import Table
from mlpipe_assets.store.table_state import TableState
from mlpipe_assets.store.turns import PATIENCE, Turn, take_turn

_THREADS = 4


@dataclass(frozen=True, kw_only=True)
class Lake:
    """Tables as folders of day partitions below one root.

    Attributes:
        data_dir: The root.
        written: Called with stage and name when a run has written a table and still has its turn; never where it was stopped.
        sent_by: By which name the process that sent it shows its presence there; empty where nobody did.
    """

    data_dir: str
    written: "Callable[[Lake, str, str], None] | None" = field(default=None, repr=False, compare=False)
    sent_by: str = field(default="", compare=False, repr=False)

    def __reduce__(self) -> tuple[Callable[[str, str], "Lake"], tuple[str, str]]:
        """Sent to another process it is the folder and a way to recognise it, and nothing that this process knows of it."""
        return _lake_in, (self.data_dir, self.sent_by or show_presence(self.root))

    @property
    def root(self) -> Path:
        """The data folder."""
        return Path(self.data_dir)

    @cached_property
    def objects(self) -> LocalObjects:
        """The data folder as a store of objects."""
        return LocalObjects(self.root)

    @cached_property
    def parsed(self) -> dict[str, tuple[str, Any]]:
        """What documents that are many and seldom change were found to stand for: tag and value by key."""
        return {}

    @property
    def is_new(self) -> bool:
        """Whether no run has written anything here yet."""
        return not (self.root / keys.META).exists()

    def expect_used(self) -> None:
        """Make sure that the data folder is one: a mistyped name must not be an empty lake in which all is well.

        Raises: SettingsError for a folder that was never used and has no drop zone in it.
        """
        if self.root.exists() and not self.root.is_dir():
            raise SettingsError(f"MLPIPE_DATA_DIR={str(self.root)!r} is not a folder. Name one, or unset it.")
        if self.is_new and not (self.root / keys.DROP_ZONE).is_dir():
            there = "was never used and has no drop zone (raw/) in it" if self.root.exists() else "does not exist"
            raise SettingsError(
                f"The data folder {self.root} {there}. Is MLPIPE_DATA_DIR right? To begin there: mkdir -p {shlex.quote(f'{self.root}/raw')}"
                ", or: mlpipe sample"
            )

    def expect_seen(self) -> None:
        """Make sure that whoever does work on this lake has it before them.

        Raises: ExecutorError on a machine that does not, or that has another folder under its path.
        """
        wrong = "no lake" if self.is_new else ""
        if not wrong and self.sent_by and not sees(self.root, self.sent_by):
            wrong = "another folder than the process that runs the pipeline, or a copy of it,"
        if wrong:
            where = f"An executor on {socket.gethostname()} has {wrong} in {self.root}"
            raise ExecutorError(f"{where}. Mount the data folder there, under the same path.")

    def folder(self, stage: str, name: str, day: date | None = None) -> Path:
        """Where a table, or one of its partitions, lives for every other tool."""
        table = self.root / stage / name
        return table / keys.name_day(day) if day else table

    def path(self, stage: str, name: str, day: date, file: str = PART) -> Path:
        """The file of a partition for every other tool."""
        return Path(self.data_dir, keys.partition(stage, name, day, file))

    def table(self, stage: str, name: str) -> Table:
        """A table."""
        return self._table(f"{stage}/{name}")

    def state(self, stage: str, name: str) -> TableState:
        """What a table holds now: ask it for many days, since it is read whole.

        Raises: LakeError when its manifest cannot be read.
        """
        return self.table(stage, name).state()

    def names(self, stage: str) -> list[str]:
        """The tables there are of a stage, or of a kind such as `monitoring/drift`, declared or not."""
        found = {path.name for path in (self.root / keys.TABLES).glob(f"{stage.replace('/', '.')}.*.json")}
        told = {keys.table_of_manifest(name).removeprefix(f"{stage}/") for name in found}
        folders = {path.parent.name for path in (self.root / stage).glob(f"*/{keys.ANY_DAY}")}
        return sorted(told | folders)

    def days(self, stage: str, name: str, file: str = PART) -> list[date]:
        """The days a table has a partition for, in order; those before MLPIPE_START_DATE are left out, as everywhere."""
        return self.state(stage, name).days(file)

    def has(self, stage: str, name: str, day: date, file: str = PART) -> bool:
        """Whether a table has a partition for a day, without a look at what it holds."""
        return self.state(stage, name).has(day, file)

    def facts(self, stage: str, name: str, day: date, file: str = PART) -> dict[str, Any] | None:
        """How a partition was made; see `TableState.facts`."""
        return self.state(stage, name).facts(day, file)

    def read(
        self, stage: str, name: str, day: date, columns: list[str] | None = None, file: str = PART
    ) -> pl.DataFrame:
        """One partition.

        Raises: DamagedError when it does not hold what was written to it.
        """
        return self.state(stage, name).read(day, columns, file)

    def check(self, paths: Iterable[Path]) -> list[Path]:
        """The same paths, of files that no manifest speaks of, when each is there and holds what was written to it.

        Raises: DamagedError with the first that does not.
        """
        with ThreadPoolExecutor(_THREADS) as threads:
            return list(threads.map(partial(check_file, self.root), paths))

    def _place(self, path: Path) -> tuple[Table, date, str] | None:
        """The table, the day and the name of a file that a manifest speaks of."""
        name = path.relative_to(self.root) if path.is_relative_to(self.root) else path
        table = None if name.is_absolute() else keys.dated_table(name)
        day = keys.read_day(name.parts[-2]) if table else None
        return (self._table(table), day, name.name) if table and day else None

    def _table(self, name: str) -> Table:
        if name not in self._tables:
            self._tables[name] = Table(root=self.root, name=name, turn=partial(self._turn_of, name))
        return self._tables[name]

    @cached_property
    def _tables(self) -> dict[str, Table]:
        return {}

    @cached_property
    def _turns(self) -> list[Turn]:
        """Turns that this process has, the innermost last."""
        return []

    @contextmanager
    def _turn_of(self, table: str, patience: float) -> Iterator[Turn]:
        """The turn of the run that writes a table, or one for the moment where none has been taken."""
        stage, name = table.partition("/")[0], table.rpartition("/")[2]
        own = [
            turn for turn in self._turns if keys.is_written_by(Path(keys.manifest(table)).name, turn.stage, turn.name)
        ]
        if own:
            yield own[-1]
            return
        begun = Contents(root=self.root, table=table).begun()
        if begun:
            stage, name = begun[1]
        with take_turn(self.root, stage, name, patience=patience, highest=lambda: self._highest(stage, name)) as turn:
            yield turn

    def stage(self, target: Path, frame: pl.DataFrame, facts: Mapping[str, Any]) -> Staged:
        """Write a frame, with its facts in the footer, to be seen at `target` once it is committed.

        Raises: LakeError when the disk is full or the folder cannot be written; nothing is left behind.
        """
        return self.stage_bytes(target, spell_frame(frame, facts), facts)

    def stage_bytes(self, target: Path, content: bytes | memoryview, facts: Mapping[str, Any] | None = None) -> Staged:
        """Write bytes to be seen at `target` once they are committed."""
        return stage_bytes(self.root, self._temporary(target), target, content, facts or {})

    def stage_with(self, target: Path, write: Callable[[Path], None]) -> Staged:
        """Let `write` make the file that is seen at `target` once it is committed."""
        return stage_with(self.root, self._temporary(target), target, write)

    def _temporary(self, target: Path) -> Path:
        place = self._place(target)
        return place[0].contents.temporary(place[1], place[2]) if place else beside(target)

    def commit(self, *staged: Staged) -> None:
        """Make staged files visible: those of one table at once, others by an atomic rename each with their digests on record."""
        changes: dict[str, TableChange] = {}
        others: list[Staged] = []
        for item in staged:
            if place := self._place(item.target):
                changes.setdefault(place[0].name, TableChange(table=place[0])).put(item)
            else:
                others.append(item)
        if others:
            self._rename(others)
        for change in changes.values():
            change.publish()

    def seen(self) -> dict[str, list[Manifest]]:
        """What each table held whenever the run that has its turn has read it, the latest last; see `Table.seen`."""
        return {name: [*table.seen] for name, table in self._tables.items() if table.seen}

    def change(self, stage: str, name: str) -> TableChange:
        """A change to a table, to be filled and published."""
        return TableChange(table=self.table(stage, name))

    def _rename(self, staged: Sequence[Staged]) -> None:
        held = {s.target: Written(sha256=s.part.sha256, size=s.part.size, mtime_ns=s.part.mtime_ns) for s in staged}
        try:
            with on_record(self.root, held, content_digest):
                for item in staged:
                    item.temporary.replace(item.target)
                sync_folders({item.target.parent for item in staged})
        except OSError as error:
            raise explain_writing(error, staged[0].target, self.root) from error

    def publish(self, contents: Mapping[str, bytes]) -> None:
        """Replace files by their keys: each whole, and all of them on the disk before the first becomes visible."""
        self.commit(*(self.stage_bytes(self.root / key, content) for key, content in contents.items()))

    def discard(self, *staged: Staged) -> None:
        """Forget staged files."""
        for item in staged:
            item.discard()

    def remove(self, path: Path) -> None:
        """Remove a file that no manifest speaks of, if it is there; a day of a table goes by a change."""
        if path.exists():
            with on_record(self.root, {path: None}, content_digest):
                path.unlink()

    @contextmanager
    def writing(self, stage: str, name: str) -> Iterator[None]:
        """Be the only run that writes a table; leftovers of a killed one are swept away.

        Raises: BusyError when another run still writes it after ten seconds.
        """
        with take_turn(self.root, stage, name, patience=PATIENCE, highest=lambda: self._highest(stage, name)) as turn:
            if not self._turns:
                for table in self._tables.values():
                    table.seen.clear()
            self._turns.append(turn)
            try:
                self.sweep(stage, name)
                yield
                if self.written:
                    self.written(self, stage, name)
            except BaseException:  # a full disk above all: what is not visible by now never will be
                self.sweep(stage, name)
                raise
            finally:
                self._turns.remove(turn)

    def _highest(self, stage: str, name: str) -> int:
        """The highest number of a turn that anything was published in by runs which write `stage/name`."""
        folder = self.root / keys.TABLES
        found = sorted(path.name for path in folder.glob("*.json")) if folder.is_dir() else []
        mine = [keys.table_of_manifest(file) for file in found if keys.is_written_by(file, stage, name)]
        return max((self._table(table).gen() for table in mine), default=0)

    def sweep_documents(self) -> None:
        """Remove what killed processes left of small documents that are no table's, such as reports and acceptances."""
        for folder in (keys.META, keys.REPORTS, keys.SCHEMAS):
            self.objects.sweep(folder)

    def sweep(self, stage: str, name: str) -> None:
        """Remove temporary files that a killed run of this table left; never those of another table, whose run may live."""
        for pattern in leftovers(stage, name):
            for left in self.root.glob(pattern):
                left.unlink(missing_ok=True)


def _lake_in(data_dir: str, sent_by: str) -> Lake:
    return Lake(data_dir=data_dir, sent_by=sent_by)
