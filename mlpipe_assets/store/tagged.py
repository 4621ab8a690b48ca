"""The lake as a tag has it: tables are read as they were, and nothing is written.

What is no table, such as deliveries and the files of models, is what it is now.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from mlpipe_assets.errors import DamagedError, SettingsError, shorten
from mlpipe_assets.partitions import START_DATE
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.manifest import Change, Manifest, Part
from mlpipe_assets.store.recovery import read_facts
from mlpipe_assets.store.table import Table
from mlpipe_assets.store.table_state import TableState, has_size_and_time
from mlpipe_assets.store.tags import Pinned, Tag, read_tag


@dataclass(kw_only=True)
class TaggedState(TableState):
    """A table as a tag pins it, by its contents: no file that lies in `date=D/` now counts."""

    tag: str
    _facts: dict[tuple[date, str], dict[str, Any]] = field(default_factory=dict)

    def days(self, file: str = keys.PART) -> list[date]:
        """The days that are pinned, in order; one whose content went missing is no hole, and who reads it is told."""
        return [day for day, files in self.manifest.days.items() if file in files and day >= START_DATE]

    def has(self, day: date, file: str = keys.PART) -> bool:
        """Whether a day is pinned."""
        return file in self.manifest.days.get(day, {})

    def facts(self, day: date, file: str = keys.PART) -> dict[str, Any] | None:
        """How a partition was made; None when there was none.

        Raises: DamagedError when it does not hold what was written to it.
        """
        if not self.has(day, file):
            return None
        if (day, file) not in self._facts:
            self._facts[day, file] = read_facts(self.locate(day, file))
        return dict(self._facts[day, file])

    def locate(self, day: date, file: str = keys.PART) -> Path:
        """Where to read a file of a day.

        Raises: DamagedError when it does not hold what was written to it.
        """
        part = self.manifest.days[day][file]
        content = self.contents.content(day, file, part)
        return content if has_size_and_time(content, part) else self._sound(day, file)[0]

    def part(self, day: date, file: str) -> Part:
        """A file of a day as it is among the contents, with its facts.

        Raises: DamagedError when it is not there, or not what was written.
        """
        path, part = self._sound(day, file)
        return Part(part.sha256, part.size, path.stat().st_mtime_ns, read_facts(path))

    def _look_once(self, day: date, file: str, part: Part) -> str | None:
        content = self.contents.content(day, file, part)
        if has_size_and_time(content, part):
            return None
        wrong = self._by_content(content, part)
        return wrong and self._by_content(self.contents.face(day, file), part) and wrong

    def _accuse(self, day: date, file: str, wrong: str) -> NoReturn:
        part = self.manifest.days.get(day, {}).get(file)
        where = self.contents.content(day, file, part) if part else self.contents.face(day, file)
        raise DamagedError(
            f"{where}, which tag {self.tag} names, {wrong}. Restore it from a copy of the lake that has it; a tag that came by git "
            "needs the contents of the lake it was made in."
        )


@dataclass(kw_only=True)
class _TaggedTable(Table):
    tag: str
    pinned: Pinned

    def state(self) -> TaggedState:
        return TaggedState(
            contents=self.contents,
            manifest=Manifest(days=self.pinned.days, refused=self.pinned.refused),
            pending=frozenset(),
            is_newest=lambda: False,
            tag=self.tag,
        )

    def publish(self, change: Change, staged: Mapping[Path, Path]) -> None:  # noqa: ARG002 (of what it refuses)
        _refuse(self.tag)


@dataclass(frozen=True, kw_only=True)
class TaggedLake(Lake):
    """Tables as a tag has them.

    Attributes:
        tag: What it pins.
    """

    tag: Tag

    def names(self, stage: str) -> list[str]:
        """The tables of a stage that are pinned."""
        return sorted(name.removeprefix(f"{stage}/") for name in self.tag.tables if name.rpartition("/")[0] == stage)

    def pins(self, stage: str, name: str) -> bool:
        """Whether a table is pinned."""
        return f"{stage}/{name}" in self.tag.tables

    def writing(self, stage: str, name: str) -> NoReturn:  # noqa: ARG002 (of what it refuses)
        """Refuse.

        Raises: SettingsError.
        """
        _refuse(self.tag.name)

    def pinned_state(self, place: str) -> TaggedState:
        """A table as it is pinned, by the folder of its days.

        Raises: SettingsError for one that is not.
        """
        return self._table(place).state()

    def _table(self, name: str) -> _TaggedTable:
        pinned = self.tag.tables.get(name)
        if pinned is None:
            raise SettingsError(
                f"Tag {self.tag.name} does not pin {name}; it pins {shorten(sorted(self.tag.tables), 20) or 'no table'}."
            )
        return _TaggedTable(
            root=self.root, name=name, turn=partial(self._turn_of, name), tag=self.tag.name, pinned=pinned
        )


def at_tag(lake: Lake, name: str) -> TaggedLake:
    """A lake as one of its tags has it.

    Raises: SettingsError where there is none of that name; LakeError when it cannot be read.
    """
    return TaggedLake(data_dir=lake.data_dir, tag=read_tag(lake.objects, name))


def _refuse(tag: str) -> NoReturn:
    raise SettingsError(f"What tag {tag} names does not change. To work with it: mlpipe checkout {tag} --into DIR")
