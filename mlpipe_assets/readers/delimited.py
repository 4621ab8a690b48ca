"""CSV and its relatives, a block at a time: the fast paths where the text is sound, the careful one where it is not."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from mlpipe_assets.readers.blocks import Block, Malformed, UnreadableFileError, malformed_frame, records_frame
from mlpipe_assets.readers.byte_stream import MAX_LINE_BYTES, ByteStream, has_line_feed, too_long
from mlpipe_assets.readers.delimited_fast import read_simple, read_sound_prefix
from mlpipe_assets.readers.delimited_header import Header, read_header
from mlpipe_assets.readers.delimited_slow import read_slowly
from mlpipe_assets.readers.options import Budget, ReadOptions
from mlpipe_assets.readers.payload import payloads

_MANY_LINES = 2
_MANY_TIMES = 10
_WINDOW_BYTES = 64 << 10
"""How much the careful path reads before the fast one is tried again: one broken line costs this much, not the block."""


@dataclass(kw_only=True)
class _Pieces:
    """What was read of one block; `end` and `line` are where the next block begins."""

    end: int
    line: int
    numbers: list[pl.Series] = field(default_factory=list)
    frames: list[pl.DataFrame] = field(default_factory=list)
    payloads: list[pl.Series] = field(default_factory=list)
    malformed: list[Malformed] = field(default_factory=list)


def read_delimited(path: Path, options: ReadOptions, budget: Budget, *, block_bytes: int) -> Iterator[Block]:
    """Blocks of a delimited text file, cut at record ends; at least one, with the header's columns, even without rows.

    Raises: UnreadableFileError for a binary file, a broken gzip or a header that cannot be used.
    """
    with ByteStream(path, budget) as stream:
        # Old Mac line ends: exchanging the two characters on the way in, and back in the values, leaves one set of rules.
        swapped = b"\n" not in stream.head and not has_line_feed(path, budget.limits)
        header: Header | None = None
        data, line, yielded, complete = b"", 1, False, False
        while not complete:
            # Twice as much each time a record does not fit, so that reading it again and again stays linear.
            chunk = stream.read(max(block_bytes, len(data)))
            complete = not chunk
            data += chunk.replace(b"\r", b"\n") if swapped else chunk
            if complete and data and not data.endswith(b"\n"):
                data += b"\n"
            if header is None:
                header = read_header(data, path, options)
                if header is None:
                    _refuse_unfinished_header(data, path, complete=complete)
                    continue
                budget.check_columns(len(header.names))
                data, line = data[header.end :], header.next_line
            pieces = _read_pieces(data, line, header, budget, swapped=swapped, complete=complete)
            _refuse_many_in_one(pieces.malformed, header, path)
            if not pieces.end and len(data) > MAX_LINE_BYTES:
                raise too_long(path, line)
            data, line = data[pieces.end :], pieces.line
            if pieces.numbers or pieces.malformed:
                yielded = True
                yield _block(pieces, header)
        if not yielded:
            yield Block(records=records_frame([], []), text=_no_rows(header), malformed=malformed_frame([]))


def _read_pieces(data: bytes, line: int, header: Header, budget: Budget, *, swapped: bool, complete: bool) -> _Pieces:
    """Everything in `data` up to the last record that is certainly whole."""
    pieces = _Pieces(end=0, line=line)
    cut = data.rfind(b"\n") + 1
    window = cut
    delimiter, width = header.delimiter, len(header.names)
    while pieces.end < cut:
        stop = cut if pieces.end + window >= cut else data.index(b"\n", pieces.end + window) + 1
        stretch = data[pieces.end : stop]
        fast = read_simple(stretch, pieces.line, delimiter, width) or read_sound_prefix(
            stretch, pieces.line, delimiter, width, budget
        )
        if fast:
            _add(pieces, header, fast.numbers, fast.text, plain=fast.plain, swapped=swapped)
            pieces.malformed += fast.malformed
            pieces.end, pieces.line = pieces.end + fast.end, pieces.line + fast.lines
        if pieces.end == stop:
            window *= 2
            continue
        window = _WINDOW_BYTES
        stop = min(stop, pieces.end + window)
        slow = read_slowly(data, pieces.end, stop, pieces.line, delimiter, width, complete=complete)
        text = pl.DataFrame(
            {
                f"c{position}": pl.Series([row[position] for row in slow.rows], dtype=pl.String)
                for position in range(width)
            }
        )
        _add(pieces, header, pl.Series(slow.numbers, dtype=pl.Int64), text, plain=False, swapped=swapped)
        budget.refuse(len(slow.malformed), slow.malformed[0].reason if slow.malformed else "")
        pieces.malformed += slow.malformed
        pieces.end, pieces.line = slow.end, slow.line
        if slow.starved:
            break
    return pieces


def _add(
    pieces: _Pieces, header: Header, numbers: pl.Series, text: pl.DataFrame, *, plain: bool, swapped: bool
) -> None:
    if not text.height:
        return
    if swapped and not plain:
        text = text.with_columns(pl.all().str.replace_all("\n", "\r", literal=True))
    text.columns = list(header.names)
    pieces.numbers.append(numbers)
    pieces.frames.append(text)
    pieces.payloads.append(payloads(text, plain=plain))


def _block(pieces: _Pieces, header: Header) -> Block:
    malformed = malformed_frame(pieces.malformed)
    if not pieces.frames:
        return Block(records=records_frame([], []), text=_no_rows(header), malformed=malformed)
    records = records_frame(pl.concat(pieces.numbers), pl.concat(pieces.payloads))
    return Block(records=records, text=pl.concat(pieces.frames), malformed=malformed)


def _no_rows(header: Header | None) -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(header.names if header else (), pl.String()))


def _refuse_many_in_one(malformed: list[Malformed], header: Header, path: Path) -> None:
    """Raises UnreadableFileError for a refused line that must hold many records: one row may not stand for them."""
    width, delimiter = len(header.names), header.delimiter.decode()
    if width == 1:
        return
    for line in malformed:
        if line.text.count(delimiter) < 2 * (width - 1):
            continue
        whole = sum(piece.count(delimiter) == width - 1 for piece in line.text.split("\r"))
        filled = sum(1 for field in line.text.split(delimiter) if field.strip(' "'))
        if whole >= _MANY_LINES or filled >= _MANY_TIMES * width:
            what = "carriage returns between" if whole >= _MANY_LINES else "no line ends between"
            raise UnreadableFileError(
                f"{path.name}: line {line.number:,} holds several records, with {what} them. "
                "Write one record a line, all with the same line end; no row of the file was used."
            )


def _refuse_unfinished_header(data: bytes, path: Path, *, complete: bool) -> None:
    if complete and data.strip(b"\r\n"):
        raise UnreadableFileError(
            f"{path.name}: the header has a quote that never closes. Correct it and deliver the file again."
        )
