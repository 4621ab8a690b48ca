"""The bytes of a text file as UTF-8, whatever it was zipped or encoded with."""

import codecs
import gzip
import zlib
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from mlpipe_assets.readers.blocks import UnreadableFileError
from mlpipe_assets.readers.options import Budget, Limits

PROBE_BYTES = 64 << 10
MAX_LINE_BYTES = 64 << 20
_SCAN_BYTES = 1 << 20


class ByteStream:
    """One text file as UTF-8 bytes: gzip undone, byte order mark dropped, UTF-16 (with its mark) transcoded.

    Half a UTF-16 character at the end of the file becomes the byte 0xFF, and a lone surrogate its three bytes: neither is UTF-8, so
    the line is refused instead of changed. Raises: UnreadableFileError if the first 64 KB hold a NUL byte, or the gzip is broken.
    """

    def __init__(self, path: Path, budget: Budget) -> None:
        self._path = path
        self.budget = budget
        self._zipped = path.suffix.lower() == ".gz"
        self._decoder: codecs.IncrementalDecoder | None = None
        if self._zipped and path.stat().st_size == 0:
            raise UnreadableFileError(_broken_gzip(path, "it is empty"))
        # Held open across blocks, closed by __exit__.
        self._file: gzip.GzipFile | BinaryIO = gzip.open(path) if self._zipped else path.open("rb")
        try:
            self.head = self._open_head()
        except BaseException:
            self._file.close()
            raise
        self._pending = self.head

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def read(self, size: int) -> bytes:
        """The next bytes, about `size` of them; empty only at the end of the file."""
        if self._pending:
            taken, self._pending = self._pending[:size], self._pending[size:]
            return taken
        return self._transcoded(size)

    def _open_head(self) -> bytes:
        head = self._fetch(PROBE_BYTES)
        if head.startswith(codecs.BOM_UTF8):
            head = head[len(codecs.BOM_UTF8) :]
        elif head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            self._decoder = codecs.getincrementaldecoder("utf-16")("surrogatepass")
            head = _decode(self._decoder, head) or self._transcoded(PROBE_BYTES)
        if b"\0" in head:
            position = head.index(b"\0")
            message = (
                f"{self._path.name}: binary file, it has a NUL byte at position {position:,}. "
                "Deliver text in UTF-8, or give the file the extension of what it is."
            )
            raise UnreadableFileError(message)
        return head

    def _transcoded(self, size: int) -> bytes:
        raw = self._fetch(size)
        while self._decoder is not None:
            text = _decode(self._decoder, raw)
            if text or not raw:
                return text
            raw = self._fetch(size)
        return raw

    def _fetch(self, size: int) -> bytes:
        if not self._zipped:
            return self._file.read(size)
        try:
            data = self._file.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UnreadableFileError(_broken_gzip(self._path, str(error)[:120])) from error
        self.budget.unpack(len(data))
        return data


def has_line_feed(path: Path, limits: Limits) -> bool:
    """Whether a line feed is anywhere in the file; reads only up to the first one."""
    with ByteStream(path, Budget(name=path.name, packed=path.stat().st_size, limits=limits)) as stream:
        while chunk := stream.read(_SCAN_BYTES):
            if b"\n" in chunk:
                return True
    return False


def too_long(path: Path, line: int) -> UnreadableFileError:
    """The error of a line that would not fit in memory."""
    return UnreadableFileError(
        f"{path.name}: the record at line {line:,} is longer than {MAX_LINE_BYTES >> 20} MB. Check the line ends and quotes of the file."
    )


def _broken_gzip(path: Path, detail: str) -> str:
    return f"{path.name}: broken or cut gzip file ({detail}). Deliver it again; no row of it was used."


def _decode(decoder: codecs.IncrementalDecoder, raw: bytes) -> bytes:
    try:
        text = decoder.decode(raw, final=not raw)
    except UnicodeDecodeError:  # only half a character left at the end of the file
        decoder.reset()
        return b"\xff"
    return text.encode("utf-8", "surrogatepass")
