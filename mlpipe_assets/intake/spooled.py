"""Records of a range, read once into a private file: its digest and its rows are of one reading, whatever changes at the source."""

import errno
import hashlib
import shutil
import tempfile
import weakref
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from mlpipe_assets.intake.intake import Intake, Mark, Pending
from mlpipe_assets.readers.blocks import Block, Malformed, malformed_frame, records_frame

_ROWS_AT_ONCE = 20_000


@dataclass(kw_only=True)
class Spooling:
    """A range that is being read; records in order of their numbers."""

    out: BinaryIO
    content: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    refused: list[Malformed] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, number: int, record: bytes) -> None:
        """A record: one JSON object on one line."""
        line = b"%d\t%b\n" % (number, record)
        self.content.update(line)
        self.out.write(line)

    def refuse(self, number: int, text: str, reason: str) -> None:
        """What is no record, as it came."""
        self.content.update(f"{number}\0{text}\n".encode())
        self.refused.append(Malformed(number=number, text=text, reason=reason))


@dataclass(frozen=True, kw_only=True)
class Spooled:
    """A range that was read.

    Attributes:
        path: Its records, each with its number before a tab.
        digest: SHA-256 of its records and of what is none.
        refused: What is no record.
        notes: What was left out, in words.
    """

    path: Path
    digest: str
    refused: tuple[Malformed, ...]
    notes: tuple[str, ...]

    def blocks(self) -> Iterator[Block]:
        """Its records, a block at a time; at least one block. What is none comes with the first."""
        first = True
        with self.path.open(encoding="utf-8", newline="\n") as lines:
            while True:
                some = [line.rstrip("\n").partition("\t") for line in islice(lines, _ROWS_AT_ONCE)]
                if not some and not first:
                    return
                yield Block(
                    records=records_frame([int(number) for number, _, _ in some], [record for _, _, record in some]),
                    text=None,
                    malformed=malformed_frame(self.refused if first else ()),
                    notes=self.notes if first else (),
                )
                first = False


class Spools:
    """The ranges that an intake has read, in a folder that goes with it."""

    def __init__(self) -> None:
        """Make the folder when the first range is read."""
        self._folder: Path | None = None
        self._written = 0
        self._read: dict[str, Spooled] = {}

    def take(self, mark: Mark, read: Callable[[Spooling], None]) -> Spooled:
        """A range, which `read` writes down the first time it is asked for."""
        place = _place(mark)
        if place not in self._read:
            self._read[place] = self.write(read)
        return self._read[place]

    def hold(self, mark: Mark, spooled: Spooled) -> None:
        """Keep a range that was written before its mark was known."""
        self._read[_place(mark)] = spooled

    def write(self, read: Callable[[Spooling], None]) -> Spooled:
        """What `read` writes down."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="mlpipe-range-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._written += 1
        path = self._folder / f"{self._written}.records"
        with path.open("wb") as out:
            spooling = Spooling(out=out)
            read(spooling)
        return Spooled(
            path=path,
            digest=spooling.content.hexdigest(),
            refused=tuple(spooling.refused),
            notes=tuple(spooling.notes),
        )


def _place(mark: Mark) -> str:
    return f"{sorted(mark.items())}"


class NotGivenError(Exception):
    """What was asked of a database, a broker or an API is not given, in words for a person."""


@dataclass(kw_only=True)
class RangeIntake(Intake):
    """An intake that reads each range once: what it says of it, and what is taken, is of one reading."""

    _spools: Spools = field(default_factory=Spools)

    def digest(self, pending: Pending) -> str:
        """SHA-256 of its records, in the order they were read in."""
        return self._take(pending).digest

    def open(self, pending: Pending) -> Iterator[Block]:
        """Its records, from the file they were read into; what is none is refused one by one."""
        return self._take(pending).blocks()

    @abstractmethod
    def _read(self, mark: Mark, out: Spooling) -> None:
        """Write a range down. Raises: NotGivenError."""

    def _take(self, pending: Pending) -> Spooled:
        """A range that was read, or is now. Raises: OSError where it is not given."""
        try:
            return self._spools.take(pending.mark, partial(self._read, pending.mark))
        except NotGivenError as error:
            raise OSError(errno.EIO, f"{error}") from error
