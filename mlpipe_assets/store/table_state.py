"""What a table held at one moment, read whole: nothing that is published meanwhile shows."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import polars as pl

from mlpipe_assets.errors import DamagedError, LakeError
from mlpipe_assets.partitions import START_DATE
from mlpipe_assets.store import keys
from mlpipe_assets.store.contents import Contents
from mlpipe_assets.store.digests import content_digest, cure_of, spell_difference, warn_once
from mlpipe_assets.store.keys import PART
from mlpipe_assets.store.manifest import Manifest, Part

_GONE = "is gone"
_FOLDER = "is not a file. Take it away first"


@dataclass(kw_only=True)
class TableState:
    """The partitions of a table as its manifest has them, those left out that are not there any more, or are damaged.

    Deleting a partition is the way to have it built again, so a day whose file is gone counts as none.

    Attributes:
        manifest: What was published.
        pending: Days that are being published, or whose writer died over it: their faces may be older, or newer.
        is_newest: Whether nothing was published since.
    """

    contents: Contents
    manifest: Manifest
    pending: frozenset[date]
    is_newest: Callable[[], bool]
    _seen: dict[tuple[date, str], str | None] = field(default_factory=dict)

    @cached_property
    def refused(self) -> dict[date, Mapping[str, Any]]:
        """Days whose newest attempt was refused, with `problem`, `inputs` and what else was put on record."""
        return dict(self.manifest.refused)

    def days(self, file: str = PART) -> list[date]:
        """The days there is a partition for, in order; those before MLPIPE_START_DATE are left out, as everywhere.

        Raises: LakeError for a folder beside the partitions that is that of no day.
        """
        self._expect_days()
        return [
            day
            for day, files in self.manifest.days.items()
            if file in files and day >= START_DATE and self._look(day, file, files[file]) != _GONE
        ]

    def has(self, day: date, file: str = PART) -> bool:
        """Whether there is a partition for a day, without a look at what it holds."""
        part = self.manifest.days.get(day, {}).get(file)
        return part is not None and self._look(day, file, part) != _GONE

    def facts(self, day: date, file: str = PART) -> dict[str, Any] | None:
        """How a partition was made.

        None when there is no such partition, or when it does not hold what was written to it: it is to be built again.

        Raises: LakeError for a folder in its place.
        """
        if not self.has(day, file):
            return None
        for name, part in self.manifest.days[day].items():
            wrong = self._look(day, name, part)
            if wrong == _FOLDER:
                raise LakeError(
                    f"{self.contents.face(day, name)} is a folder where a file belongs. Take it away and run again."
                )
            if wrong:
                path = self.contents.face(day, file)
                warn_once(path, wrong if name == file else f"is beside {name}, which {wrong}")
                return None
        return dict(self.manifest.days[day][file].facts)

    def digest(self, day: date, file: str = PART) -> str:
        """SHA-256 of a file, as it was written."""
        return self.manifest.days[day][file].sha256

    def locate(self, day: date, file: str = PART) -> Path:
        """Where to read a file of a day, without a look at what it holds: its content, or its face where that is lost."""
        content = self.contents.content(day, file, self.manifest.days[day][file])
        return content if content.exists() else self.contents.face(day, file)

    def files(self, days: Iterable[date], file: str = PART) -> list[Path]:
        """Where to read a file of some days: each holds what was written, and goes on to while others are published.

        Raises: DamagedError with the first that does not.
        """
        wanted = list(days)
        parts = [(day, file, part) for day in wanted if (part := self.manifest.days.get(day, {}).get(file))]
        self.contents.bring(parts)
        return [self._sound(day, file)[0] for day in wanted]

    def read(self, day: date, columns: list[str] | None = None, file: str = PART) -> pl.DataFrame:
        """The rows of one partition.

        Raises: DamagedError when it does not hold what was written to it.
        """
        return pl.read_parquet(self.read_bytes(day, file), columns=columns, hive_partitioning=False)

    def read_bytes(self, day: date, file: str = PART) -> bytes:
        """A file of one partition, at once.

        Raises: DamagedError when it does not hold what was written to it.
        """
        path, part = self._sound(day, file)
        try:
            content = path.read_bytes()
        except OSError as error:
            self._accuse(day, file, f"cannot be read: {error.strerror}")
        if (found := hashlib.sha256(content).hexdigest()) != part.sha256:
            self._accuse(day, file, spell_difference(part.sha256, part.size, len(content), found))
        return content

    def expect_content(self, day: date, file: str) -> None:
        """Make sure that a file of a day is there under its digest; its size and time vouch for what it holds.

        Raises: DamagedError when it is not, nor can be made of its face.
        """
        part = self.manifest.days[day][file]
        content = self.contents.content(day, file, part)
        if wrong := self._look(day, file, part):
            self._accuse(day, file, wrong)
        if not has_size_and_time(content, part) and self._sound(day, file)[0] != content:
            self._accuse(day, file, f"cannot be kept under its digest, as {content}")

    def damage(self, day: date, file: str) -> str | None:
        """What is wrong with a file by its content, at its face and where it is read; None when nothing is."""
        part = self.manifest.days[day][file]
        content = self.contents.content(day, file, part)  # first: where it has to be fetched, so has the face
        wrong = self._by_content(self.contents.face(day, file), part)
        if wrong or not content.exists() or content.samefile(self.contents.face(day, file)):
            return wrong
        return self._by_content(content, part)

    def suspect(self, day: date, file: str) -> None:
        """Let no size and time vouch for a file any more: the next look is at its content."""
        part = self.manifest.days[day][file]
        for path in (self.contents.face(day, file), self.contents.content(day, file, part)):
            with suppress(OSError):  # a reader may not be allowed to
                if path.stat().st_mtime_ns == part.mtime_ns:
                    os.utime(path)
        self._seen.pop((day, file), None)

    def _sound(self, day: date, file: str) -> tuple[Path, Part]:
        """Where to read a file that holds what was written to it."""
        part = self.manifest.days.get(day, {}).get(file)
        if part is None:
            raise DamagedError(f"{self.contents.face(day, file)} is gone. {self._cure(day, file)}")
        if wrong := self._look(day, file, part):
            self._accuse(day, file, wrong)
        content = self.contents.content(day, file, part)
        if self._by_content(content, part) is None:
            return content, part
        face = self.contents.face(day, file)
        if wrong := self._by_content(face, part):
            self._accuse(day, file, wrong)
        with suppress(OSError):  # a copy of the lake without its contents, or one that is damaged; its face is sound
            self.contents.bring_back(day, file, part)
            return content, part
        return face, part

    def _look(self, day: date, file: str, part: Part) -> str | None:
        """What is wrong with a file by its size and time, and only where these differ by its content; looked at once."""
        if (day, file) not in self._seen:
            self._seen[day, file] = self._look_once(day, file, part)
        return self._seen[day, file]

    def _look_once(self, day: date, file: str, part: Part) -> str | None:
        try:  # planning asks this of every file: paths of pathlib take four times as long
            found = os.stat(f"{self.contents.root}/{self.contents.table}/{keys.name_day(day)}/{file}")  # noqa: PTH116
            if (found.st_size, found.st_mtime_ns) == (part.size, part.mtime_ns) and stat.S_ISREG(found.st_mode):
                return None
        except (FileNotFoundError, NotADirectoryError):
            if self.contents.is_elsewhere(day, file, part):
                return None
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        face = self.contents.face(day, file)
        wrong = self._by_content(face, part)
        if wrong is None:  # a copy has other times: each file is looked at once, not on every run
            with suppress(OSError):
                os.utime(face, ns=(part.mtime_ns, part.mtime_ns))
            return None
        if day in self.pending or not self.is_newest():  # readers by a manifest go by the contents
            return self._by_content(self.contents.content(day, file, part), part)
        return wrong

    @staticmethod
    def _by_content(path: Path, part: Part) -> str | None:
        try:
            found = os.stat(path)  # noqa: PTH116 (as above)
            if not stat.S_ISREG(found.st_mode):
                return _FOLDER
            if found.st_size != part.size:
                return spell_difference(part.sha256, part.size, found.st_size, "")
            digest = content_digest(path)
        except (FileNotFoundError, NotADirectoryError):
            return _GONE
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        return None if digest == part.sha256 else spell_difference(part.sha256, part.size, part.size, digest)

    def _accuse(self, day: date, file: str, wrong: str) -> NoReturn:
        if (day, file) in self._files_known():
            self.suspect(day, file)
        raise DamagedError(f"{self.contents.face(day, file)} {wrong}. {self._cure(day, file)}")

    def _files_known(self) -> set[tuple[date, str]]:
        return {(day, file) for day, files in self.manifest.days.items() for file in files}

    def _cure(self, day: date, file: str) -> str:
        return cure_of(Path(self.contents.table, keys.name_day(day), file))

    def _expect_days(self) -> None:
        folder = self.contents.root / self.contents.table
        with suppress(FileNotFoundError, NotADirectoryError):
            names = [entry.name for entry in os.scandir(folder) if keys.is_day(entry.name)]
            if strange := sorted(name for name in names if keys.read_day(name) is None):
                raise LakeError(
                    f"{folder / strange[0]} is not the folder of a day, which is called {keys.name_day(START_DATE)}. Move it away, "
                    "then run again."
                )


def has_size_and_time(path: Path, part: Part) -> bool:
    """Whether a file has the size and time of the one that was written."""
    try:
        found = os.stat(path)  # noqa: PTH116 (asked of every file: paths of pathlib take four times as long)
    except OSError:
        return False
    return (found.st_size, found.st_mtime_ns) == (part.size, part.mtime_ns) and stat.S_ISREG(found.st_mode)
