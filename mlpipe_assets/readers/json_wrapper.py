"""A list of records inside other JSON: the way in by a declared path, and the way out to the end of what wraps it."""

import json
from dataclasses import dataclass
from pathlib import Path

from mlpipe_assets.readers.blocks import UnreadableFileError
from mlpipe_assets.readers.json_buffer import JsonBuffer
from mlpipe_assets.readers.json_check import DECODER, NotFiniteError

_LONGEST_TOKEN = 16


@dataclass(frozen=True, kw_only=True)
class JsonWrapper:
    """The objects around the list of records at `names`, a path of one name or more."""

    path: Path
    buffer: JsonBuffer
    names: tuple[str, ...]

    def enter(self) -> None:
        """Move from the start of a wrapping object to the first record of its list."""
        wanted = list(self.names)
        self._expect("{", "does not begin with an object")
        while wanted:
            name = self._name()
            if name is None:
                raise self._error("has no such name")
            if name != wanted[0]:
                self._value()
                continue
            wanted.pop(0)
            self._expect("{" if wanted else "[", "has something else there")

    def leave(self) -> None:
        """Move from the end of the list to the end of what wraps it, all of which must be there."""
        for _ in self.names:
            while self._name() is not None:
                self._value()

    def _name(self) -> str | None:
        """The next name of the object at hand, its colon passed; None at the object's end."""
        if self.buffer.next_character() == "}":
            self.buffer.move(self.buffer.at + 1)
            return None
        name = self._value()
        if not isinstance(name, str):
            raise self._error("is broken or cut short")
        self._expect(":", "is broken or cut short")
        return name

    def _expect(self, mark: str, otherwise: str) -> None:
        if self.buffer.next_character() != mark:
            raise self._error(otherwise if self.buffer.at < len(self.buffer.text) else "is broken or cut short")
        self.buffer.move(self.buffer.at + 1)

    def _value(self) -> object:
        buffer = self.buffer
        self.buffer.next_character()
        while True:
            try:
                value, end = DECODER.raw_decode(buffer.text, buffer.at)
            except (json.JSONDecodeError, NotFiniteError, RecursionError) as error:
                if buffer.complete or len(buffer.text) - buffer.at > buffer.stream.budget.limits.cell_bytes:
                    raise self._error("is broken or cut short") from error
            else:
                if buffer.complete or end < len(buffer.text) - _LONGEST_TOKEN:
                    buffer.move(end)
                    return value
            buffer.more()

    def _error(self, what: str) -> UnreadableFileError:
        place = ".".join(self.names)
        return UnreadableFileError(
            f"{self.path.name}: no list of records at {place!r}, where the source declares it: near line {self.buffer.line:,} the file "
            f"{what}. Correct the file, or records=... of the source; no row of it was used."
        )
