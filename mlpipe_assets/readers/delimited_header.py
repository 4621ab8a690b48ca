"""The first record of delimited text: which character separates, and what the columns are called."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlpipe_assets.readers.blocks import UnreadableFileError
from mlpipe_assets.readers.delimited_slow import MAX_FIELD_BYTES, Record, Refusal, is_utf8, scan
from mlpipe_assets.readers.options import ReadOptions

_CANDIDATES = (b",", b";", b"\t", b"|")
_SHOWN_NAMES = 5


@dataclass(frozen=True, kw_only=True)
class Header:
    """Names and delimiter of one file, and where its records begin: byte offset and line number."""

    names: tuple[str, ...]
    delimiter: bytes
    end: int
    next_line: int


def read_header(data: bytes, path: Path, options: ReadOptions) -> Header | None:
    """The header of text whose every line ends with a line feed; None if it is not all there yet, or there is none.

    Raises: UnreadableFileError if the header is not UTF-8, has broken quotes, or names a column twice.
    """
    start, line = _first_filled_line(data)
    stop = _record_end(data, start)
    if stop < 0:
        if len(data) - start > MAX_FIELD_BYTES:
            raise UnreadableFileError(
                f"{path.name}: the header (line {line}) does not end within 1 MB. Check its quotes and line ends."
            )
        return None
    header = data[start:stop]
    if not is_utf8(header):
        raise UnreadableFileError(
            f"{path.name}: the header (line {line}) is not UTF-8 text. Save the file as UTF-8 and deliver it again."
        )
    separator = (
        _checked(options.delimiter, path)
        if options.delimiter is not None
        else sniff(header, fallback=b"\t" if ".tsv" in path.suffixes else b",")
    )
    outcome = scan(header, 0, separator, None, complete=True)
    if not isinstance(outcome, Record):
        reason = outcome.reason if isinstance(outcome, Refusal) else "it is cut"
        raise UnreadableFileError(
            f"{path.name}: the header (line {line}) cannot be read: {reason}. Correct it and deliver the file again."
        )
    names = column_names([field.decode() for field in outcome.fields], path, options)
    return Header(names=names, delimiter=separator, end=stop, next_line=line + header.count(b"\n"))


def column_names(cells: Sequence[str], path: Path, options: ReadOptions) -> tuple[str, ...]:
    """Header cells without white space around them; an empty one at position i (from 1) is called `_column_i`.

    Raises: UnreadableFileError that says which columns come more than once: by name where the table knows it, all by position.
    """
    names = tuple(cell.strip() or f"_column_{position}" for position, cell in enumerate(cells, start=1))
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        shown = "; ".join(
            f"{repr(name) if options.may_name(name) else 'one'} at positions {_positions(names, name)}"
            for name in repeated[:_SHOWN_NAMES]
        )
        more = f" and {len(repeated) - _SHOWN_NAMES:,} more" if len(repeated) > _SHOWN_NAMES else ""
        raise UnreadableFileError(
            f"{path.name}: columns named twice in the header: {shown}{more}. Give each column its own name, "
            "and put a header first if this is a row of data."
        )
    return names


def sniff(header: bytes, *, fallback: bytes = b",") -> bytes:
    """The most frequent of comma, semicolon, tab and bar outside quotes; `fallback` if there is none of them."""
    outside = b"".join(header.split(b'"')[0::2])
    best = max(_CANDIDATES, key=outside.count)
    return best if best in outside else fallback


def _first_filled_line(data: bytes) -> tuple[int, int]:
    start, line = 0, 1
    while data.startswith((b"\n", b"\r\n"), start):
        start, line = data.index(b"\n", start) + 1, line + 1
    return start, line


def _record_end(data: bytes, start: int) -> int:
    """Offset after the first line feed outside quotes, or -1."""
    end = start
    inside = False
    while (line_end := data.find(b"\n", end)) >= 0:
        inside ^= data.count(b'"', end, line_end) % 2 == 1
        end = line_end + 1
        if not inside:
            return end
    return -1


def _checked(delimiter: str, path: Path) -> bytes:
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0':
        message = f"{path.name}: the declared delimiter {delimiter[:10]!r} is not one ASCII character. Declare one such as ',' or ';'."
        raise UnreadableFileError(message)
    return delimiter.encode()


def _positions(names: Sequence[str], wanted: str) -> str:
    found = [str(position) for position, name in enumerate(names, start=1) if name == wanted]
    return ", ".join(found[:_SHOWN_NAMES]) + (" ..." if len(found) > _SHOWN_NAMES else "")
