"""Delimited text a stretch at a time with numpy and polars; answers exactly what `delimited_slow` answers, or hands over to it."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlpipe_assets.readers.blocks import Malformed, as_received
from mlpipe_assets.readers.delimited_slow import MAX_FIELD_BYTES, Refusal, is_utf8, judge, without_carriage_return
from mlpipe_assets.readers.options import Budget

_LINE_FEED, _RETURN, _QUOTE, _BACKSLASH, _NUL = 0x0A, 0x0D, 0x22, 0x5C, 0x00
_SWALLOWED = (b"\xef\xbb\xbf", b"x\x01", b"x^")
"""Beginnings that polars takes for a byte order mark or for zlib, and would drop or unpack."""


@dataclass(frozen=True, kw_only=True)
class FastStretch:
    """What the first `end` bytes hold. text: String columns c0, c1 ...; plain: no value needs escaping in JSON; lines: line ends passed."""

    end: int
    lines: int
    numbers: pl.Series
    text: pl.DataFrame
    plain: bool
    malformed: list[Malformed]


def read_simple(data: bytes, line: int, delimiter: bytes, width: int) -> FastStretch | None:
    """All of `data`, or None unless every line is a sound record without quotes (the common file, checked by counting bytes)."""
    if b'"' in data or b"\0" in data:
        return None
    data_read = data.replace(b"\r\n", b"\n") if b"\r" in data else data
    if b"\r" in data_read:
        return None
    lines = data_read.count(b"\n")
    # A line with too many fields makes polars raise, so the total can only be right if every line is.
    if (
        data_read.startswith(b"\n")
        or b"\n\n" in data_read
        or data_read.count(delimiter) != (width - 1) * lines
        or not (data.isascii() or is_utf8(data))
    ):
        return None
    text = parse(data_read, delimiter, width, quoted=False)
    if text is None or text.height != lines:
        return None
    numbers = pl.int_range(line, line + lines, dtype=pl.Int64, eager=True)
    plain = _is_plain(np.frombuffer(data_read, np.uint8), lines, delimiter, width)
    return FastStretch(end=len(data), lines=lines, numbers=numbers, text=text, plain=plain, malformed=[])


def read_sound_prefix(
    data: bytes, line: int, delimiter: bytes, width: int, budget: Budget | None = None
) -> FastStretch | None:
    """The longest stretch from the start of `data` in which only single lines have to be refused; None if there is none.

    It ends before the first record over several lines that breaks a rule (there the quotes cannot be trusted any more) and before a
    record whose quote is still open at the end of `data`.
    """
    codes = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(codes == _QUOTE)
    all_line_feeds = np.flatnonzero(codes == _LINE_FEED)
    inside = np.bitwise_xor.accumulate(codes == _QUOTE) if quotes.size else np.zeros(codes.size, np.bool_)
    ends = all_line_feeds[~inside[all_line_feeds]]
    if not ends.size:
        return None
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1] + 1])
    contents = ends - ((ends > starts) & (codes[ends - 1] == _RETURN))
    blank = contents == starts
    separators = np.flatnonzero((codes == delimiter[0]) & ~inside)
    counts = np.diff(np.searchsorted(separators, ends), prepend=0)
    bad = (counts != width - 1) & ~blank
    bad[_owners(ends, np.flatnonzero(codes[: ends[-1]] == _NUL))] = True
    bad[_owners(ends, _misplaced_quotes(codes, quotes, delimiter[0]))] = True
    if not data.isascii():
        _mark_not_utf8(data, starts, ends, bad)
    first_lines = np.searchsorted(all_line_feeds, starts)
    several = np.searchsorted(all_line_feeds, ends) > first_lines
    doubtful = several & (bad | (ends - starts >= MAX_FIELD_BYTES))
    # polars drops a carriage return at the end of any field without quotes: such values are for the careful path.
    field_ends = np.concatenate([separators, contents[contents > 0]])
    doubtful[_owners(ends, field_ends[codes[field_ends - 1] == _RETURN])] = True
    untrusted = np.flatnonzero(doubtful)
    count = int(untrusted[0]) if untrusted.size else len(ends)
    if not count:
        return None
    refused = np.flatnonzero(bad[:count])
    if budget is not None and refused.size:
        first = _refused(data[starts[refused[0]] : ends[refused[0]] + 1], 0, delimiter, width)
        budget.refuse(refused.size, first.reason)
    end = int(ends[count - 1]) + 1
    kept = ~(bad | blank)[:count]
    sound = codes[:end]
    if not kept.all() or (contents[:count] < ends[:count]).any():
        sound = sound[_wanted(starts[:count], ends[:count], contents[:count], kept)]
    rows = int(np.count_nonzero(kept))
    text = parse(sound.tobytes(), delimiter, width, quoted=bool(quotes.size))
    if text is None or text.height != rows:
        if budget is not None:
            budget.refused -= refused.size
        return None
    doubled = bool(np.any(codes[quotes[2::2] - 1] == _QUOTE))
    plain = not doubled and _is_plain(sound, rows, delimiter, width)
    malformed = [
        _refused(data[starts[index] : ends[index] + 1], line + int(first_lines[index]), delimiter, width)
        for index in refused
    ]
    numbers = pl.Series((first_lines[:count][kept] + line).astype(np.int64))
    lines = int(np.searchsorted(all_line_feeds, end))
    return FastStretch(end=end, lines=lines, numbers=numbers, text=text, plain=plain, malformed=malformed)


def parse(data: bytes, delimiter: bytes, width: int, *, quoted: bool) -> pl.DataFrame | None:
    """The String columns c0, c1 ... of clean text; None if polars sees something else in it."""
    schema = {f"c{position}": pl.String() for position in range(width)}
    if not data:
        return pl.DataFrame(schema=schema)
    if data.startswith(_SWALLOWED):
        return None
    try:
        return pl.read_csv(
            data,
            has_header=False,
            schema=schema,
            separator=delimiter.decode(),
            quote_char='"' if quoted else None,
            empty_string_is_null=False,
        )
    except (pl.exceptions.ComputeError, pl.exceptions.SchemaError):
        return None


def _wanted(
    starts: NDArray[np.int64], ends: NDArray[np.int64], contents: NDArray[np.int64], kept: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which bytes polars gets: the kept records, without the carriage returns of their line ends."""
    wanted = np.repeat(kept, ends + 1 - starts)
    wanted[contents[(contents < ends) & kept]] = False
    return wanted


def _is_plain(codes: NDArray[np.uint8], rows: int, delimiter: bytes, width: int) -> bool:
    """Whether no value of these records holds a backslash or a control character (a line feed per record, a tab per delimiter aside)."""
    expected = rows * width if delimiter[0] < 0x20 else rows
    return int(np.count_nonzero(codes < 0x20)) == expected and not bool(np.any(codes == _BACKSLASH))


def _owners(ends: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which record each offset belongs to; offsets after the last record are left out."""
    owners: NDArray[np.int64] = np.searchsorted(ends, offsets[offsets <= ends[-1]])
    return owners


def _misplaced_quotes(codes: NDArray[np.uint8], quotes: NDArray[np.int64], delimiter: int) -> NDArray[np.int64]:
    """Offsets of quotes that open in the middle of a field, or close before its end."""
    opening, closing = quotes[0::2], quotes[1::2]
    before = np.where(opening == 0, _LINE_FEED, codes[opening - 1])
    wrong_open = (before != delimiter) & (before != _LINE_FEED) & (before != _QUOTE)
    padded = np.concatenate([codes, np.full(2, _LINE_FEED, np.uint8)])
    after = padded[closing + 1]
    ended = (after == _LINE_FEED) | ((after == _RETURN) & (padded[closing + 2] == _LINE_FEED))
    wrong_close = (after != delimiter) & (after != _QUOTE) & ~ended
    return np.concatenate([opening[wrong_open], closing[wrong_close]])


def _mark_not_utf8(data: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64], bad: NDArray[np.bool_]) -> None:
    """Halve the stretch until the broken records are alone: cheap for few of them, and never quadratic."""
    pending = [(0, len(ends))]
    while pending:
        first, last = pending.pop()
        if is_utf8(data[starts[first] : ends[last - 1] + 1]):
            continue
        if last - first == 1:
            bad[first] = True
            continue
        middle = (first + last) // 2
        pending += [(first, middle), (middle, last)]


def _refused(line: bytes, number: int, delimiter: bytes, width: int) -> Malformed:
    outcome = judge(line, 0, delimiter, width, complete=True)
    if not isinstance(outcome, Refusal):
        message = f"line {number} was refused by the fast path only: the two paths of readers.delimited disagree, please report it"
        raise TypeError(message)
    return Malformed(number=number, text=as_received(without_carriage_return(line[:-1])), reason=outcome.reason)
