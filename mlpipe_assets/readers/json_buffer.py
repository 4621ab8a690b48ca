"""The text of a JSON file at hand: a bounded piece that grows while one value needs it."""

import codecs
import re
from dataclasses import dataclass, field

from mlpipe_assets.readers.byte_stream import ByteStream

CHUNK_BYTES = 1 << 17
SEPARATORS = re.compile(r"[ \t\r\n,\x1e]*")
"""Between values: white space, commas, and the mark that RFC 7464 sets before each."""


@dataclass(kw_only=True)
class JsonBuffer:
    """The unread text begins at `at`, on line `line`; bytes that are not UTF-8 are in it as lone surrogates (surrogateescape)."""

    stream: ByteStream
    chunk_bytes: int
    text: str = ""
    at: int = 0
    line: int = 1
    complete: bool = False
    _line_end: int = -1
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("surrogateescape")
    )

    def more(self) -> None:
        """Drop what was read and add at least as much again as is unread, so that parsing again stays linear."""
        data = self.stream.read(max(self.chunk_bytes, len(self.text) - self.at))
        self.complete = not data
        self.text, self.at = self.text[self.at :] + self._decoder.decode(data, final=self.complete), 0
        self._line_end = -1

    def fill(self, size: int) -> None:
        """Have at least `size` unread characters at hand, or all that are left."""
        while len(self.text) - self.at < size and not self.complete:
            self.more()

    def move(self, to: int) -> None:
        """Pass over the text up to `to`."""
        self.line += self.text.count("\n", self.at, to)
        self.at = to

    def next_character(self) -> str:
        """The first character that is no white space and no comma, which `at` then stands on; empty at the end of the file."""
        while True:
            match = SEPARATORS.match(self.text, self.at)
            if match and match.end() > self.at:
                self.move(match.end())
            if self.at < len(self.text) or self.complete:
                return self.text[self.at : self.at + 1]
            self.more()

    def line_end(self, longest: int) -> int:
        """Where the line of `at` ends; -1 when that is more than `longest` characters away."""
        while True:
            if self._line_end < self.at:
                self._line_end = self.text.find("\n", self.at)
            if self._line_end >= 0:
                return self._line_end
            if self.complete:
                return len(self.text)
            if len(self.text) - self.at > longest:
                return -1
            self.more()
