"""A table of the lake: what it holds by its manifest, and changes to it that become visible at once."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from mlpipe_assets.errors import BusyError, LakeError
from mlpipe_assets.store import keys
from mlpipe_assets.store.contents import Contents
from mlpipe_assets.store.keys import PART
from mlpipe_assets.store.local import LocalObjects
from mlpipe_assets.store.manifest import KEPT, Change, Manifest, spell
from mlpipe_assets.store.manifest_record import ManifestRecord
from mlpipe_assets.store.objects import ConflictError, StoreError
from mlpipe_assets.store.pins import pinned_contents, removable
from mlpipe_assets.store.staging import Staged, spell_frame, stage_bytes
from mlpipe_assets.store.table_state import TableState
from mlpipe_assets.store.turns import PATIENCE, Turn

_SEEN = 4  # states beside the first one that are remembered


@dataclass(frozen=True, kw_only=True)
class Unnamed:
    """Contents that nothing names.

    Attributes:
        contents: How many may go.
        size: Their bytes.
        waiting: How many were replaced so lately that somebody may still be reading them.
    """

    contents: int
    size: int
    waiting: int


@dataclass(kw_only=True)
class Table:
    """One table below a local data folder.

    Attributes:
        root: The data folder.
        name: The folder of its days, such as `interim/orders`.
        turn: Gives the turn in which it is written: that of the run which has it, or one for the moment; told for how
            many seconds to wait where another run has it.
        seen: What it held whenever it was read since this was emptied, the latest last.
    """

    root: Path
    name: str
    turn: Callable[[float], AbstractContextManager[Turn]]
    _publishing: bool = False
    seen: list[Manifest] = field(default_factory=list)
    _record: ManifestRecord = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._record = ManifestRecord(root=self.root, name=self.name)

    @property
    def key(self) -> str:
        """The key of its manifest."""
        return keys.manifest(self.name)

    @property
    def contents(self) -> Contents:
        """Where its files are."""
        return Contents(root=self.root, table=self.name)

    @property
    def _objects(self) -> LocalObjects:
        return LocalObjects(self.root)

    def state(self) -> TableState:
        """What the table holds now, as it stays for whoever has it, whatever is published meanwhile.

        Raises: LakeError when the manifest cannot be read.
        """
        shown = self._record.shown()
        begun = self.contents.begun()  # after the manifest: a publication between the two must not look like damage
        if begun:
            self._finish()
            shown = self._record.shown()
            begun = self.contents.begun()
        manifest = shown.manifest
        pending = {*(begun[0] if begun else ()), *(manifest.days if shown.in_step else ())}
        if not self.seen or self.seen[-1] is not manifest:
            self.seen.append(manifest)
            del self.seen[1:-_SEEN]
        return TableState(
            contents=self.contents,
            manifest=manifest,
            pending=frozenset(pending),
            is_newest=lambda: self._record.shown_tag() == shown.tag,
        )

    def gen(self) -> int:
        """The number of the turn that it was published in last; 0 before there was one.

        Raises: LakeError when the manifest cannot be read.
        """
        return self._record.read()[1].gen

    def stage(self, day: date, frame: pl.DataFrame, facts: Mapping[str, Any], file: str = PART) -> Staged:
        """Write the rows of a day, to be seen once a change that has them is published.

        Args:
            day: The day.
            frame: Its rows.
            facts: How they were made; also in the footer of the file.
            file: The name of the file, where a day has several.

        Raises: StoreError when the disk is full or the folder cannot be written; nothing is left behind.
        """
        return self.stage_bytes(day, spell_frame(frame, facts), file, facts)

    def stage_bytes(
        self, day: date, content: bytes | memoryview, file: str, facts: Mapping[str, Any] | None = None
    ) -> Staged:
        """Write a file of a day that is no frame; see `stage`."""
        contents = self.contents
        return stage_bytes(self.root, contents.temporary(day, file), contents.face(day, file), content, facts or {})

    def publish(self, change: Change, staged: Mapping[Path, Path]) -> None:
        """Make a change visible, all of it at once.

        Args:
            change: Files of days, days taken away, refusals.
            staged: Where each new content is to be, by where it was written.

        Raises: BusyError when another run has taken the table over, or the table changes in one step with others and that has not
            come to its end; StoreError when the disk says no. Nothing is visible then.
        """
        if self._record.swapped():
            raise BusyError(
                f"{self.name} changes in one step with other tables, and that did not come to its end. Nothing was changed here; "
                "mlpipe status says how to go on."
            )
        self._publish_now(change, staged)

    def foresee(self, change: Change) -> Manifest:
        """What it would hold after a change.

        Raises: BusyError, LakeError.
        """
        with self.turn(PATIENCE) as turn:
            return self._record.read()[1].after(change, gen=turn.gen, now=time.time())[0]

    def settle(self) -> None:
        """Hold what it is seen to hold, where that is said by the record of a step that several tables took.

        Raises: as `publish`.
        """
        if swapped := self._record.swapped():
            wanted = swapped[1]
            change = self._record.read()[1].change_to(wanted)
            lost = (
                day
                for day, files in wanted.days.items()
                if not all(self.contents.face(day, f).is_file() for f in files)
            )
            change.files |= {day: dict(wanted.days[day]) for day in lost}
            self._publish_now(change, {})

    def _publish_now(self, change: Change, staged: Mapping[Path, Path]) -> None:
        with self.turn(PATIENCE) as turn:
            self._publishing = True
            try:
                self._publish(change, staged, turn)
            except StoreError:
                with suppress(BusyError, LakeError):  # what nobody can see must not fill a full disk any longer
                    self._expect_own(turn, self._record.read()[1])
                    self._heal()
                raise
            finally:
                self._publishing = False

    def collect(self, now: float, *, remove: bool) -> Unnamed:
        """Find the contents that neither the manifest nor a tag names, and take them away.

        Those that were replaced within the hour stay: readers may still have them open.

        Args:
            now: In seconds since 1970.
            remove: Take them away; else they are only counted.

        Raises: BusyError while another run writes the table; LakeError when a tag cannot be read: nobody knows what it names.
        """
        with self.turn(PATIENCE) as turn:
            self._expect_own(turn, self._record.read()[1])
            self._heal()
            manifest = self._record.read()[1]
            waiting = {content for content, since in manifest.old.items() if now - since <= KEPT}
            unnamed = self.contents.names() - manifest.contents() - pinned_contents(self._objects, self.name)
            free = sorted(unnamed - waiting)
            size = sum((self.contents.folder / content).stat().st_size for content in free)
            if remove:
                self.contents.forget(free)
            return Unnamed(contents=len(free), size=size, waiting=len(unnamed & waiting))

    def _publish(self, change: Change, staged: Mapping[Path, Path], turn: Turn) -> None:
        contents = self.contents
        _, before = self._record.read()
        if not change.changes(before):
            return
        if not self.seen:
            self.seen.append(before)
        self._expect_own(turn, before)  # else what we took for left behind may be what the other has just placed
        self._heal()
        had = {day: list(before.days.get(day, ())) for day in sorted(change.days)}
        if change.days:
            contents.begin(had, (turn.stage, turn.name))
            contents.place(staged)
        while True:
            tag, manifest = self._record.read()
            self._expect_own(turn, manifest)
            changed, expired = manifest.after(change, gen=turn.gen, now=time.time())
            try:
                self._objects.put(self.key, spell(changed), tag)
            except ConflictError:
                continue
            break
        if change.days:
            contents.complete(had, changed)
        if expired:
            contents.forget(filter(self._may_go(), expired))

    def _finish(self) -> None:
        """Complete what a dead writer began; one that lives completes it itself, and who may only read leaves it to others."""
        if self._publishing:  # by another thread of this process, whose turn would pass for ours
            return
        with suppress(BusyError, StoreError), self.turn(0.0) as turn:
            self._expect_own(turn, self._record.read()[1])
            self._heal()

    def _heal(self) -> None:
        """The same in our own turn."""
        if begun := self.contents.begun():
            _, manifest = self._record.read()
            self.contents.sweep(begun[0], manifest, self._may_go())
            self.contents.complete(begun[0], manifest)

    def _may_go(self) -> Callable[[str], bool]:
        """Which contents no tag names; asked in the turn in which they are taken away."""
        return removable(self._objects, self.name)

    def _expect_own(self, turn: Turn, manifest: Manifest) -> None:
        """Make sure that no other run has taken the table over since our turn began."""
        if manifest.gen > turn.gen or not turn.is_held():
            raise BusyError(
                f"{self.name}: another run took this table over while this one was stopped. Nothing was changed here; run again."
            )
