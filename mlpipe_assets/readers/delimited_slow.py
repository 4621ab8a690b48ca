"""The rules of delimited text, one record at a time. The fast paths must answer what this module answers.

All functions work on bytes in which every line ends with a line feed, the last one too.
"""

from dataclasses import dataclass, field

from mlpipe_assets.readers.blocks import Malformed, as_received

MAX_FIELD_BYTES = 1 << 20
"""A quoted field over several lines is shorter than this, or its quote counts as never closed."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """The fields of one record, quotes undone, and the offset just after its line end."""

    fields: list[bytes]
    end: int


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a line does not start a record."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class MoreNeeded:
    """The bytes at hand end before the record can be judged."""


@dataclass(kw_only=True)
class SlowStretch:
    """What a stretch of text holds; `end` and `line` are where to go on."""

    end: int
    line: int
    numbers: list[int] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    malformed: list[Malformed] = field(default_factory=list)
    starved: bool = False


def read_slowly(
    data: bytes, start: int, stop: int, line: int, delimiter: bytes, width: int, *, complete: bool
) -> SlowStretch:
    """Records that start in data[start:stop], where `start` begins line number `line`.

    A refused line is set apart alone: reading goes on at the next line, even inside what looked like a quoted field. `complete` says
    that nothing follows `data` in the file; otherwise the stretch may end early, `starved`, at a record that needs the bytes to come.
    """
    stretch = SlowStretch(end=start, line=line)
    while stretch.end < stop:
        at = stretch.end
        line_end = data.find(b"\n", at)
        if line_end == at or (line_end == at + 1 and data[at] == 0x0D):
            stretch.end, stretch.line = line_end + 1, stretch.line + 1
            continue
        outcome = judge(data, at, delimiter, width, complete=complete)
        if isinstance(outcome, MoreNeeded):
            stretch.starved = True
            break
        if isinstance(outcome, Refusal):
            text = as_received(without_carriage_return(data[at:line_end]))
            stretch.malformed.append(Malformed(number=stretch.line, text=text, reason=outcome.reason))
            stretch.end, stretch.line = line_end + 1, stretch.line + 1
            continue
        stretch.numbers.append(stretch.line)
        stretch.rows.append([value.decode() for value in outcome.fields])
        stretch.line += data.count(b"\n", at, outcome.end)
        stretch.end = outcome.end
    return stretch


def judge(data: bytes, at: int, delimiter: bytes, width: int, *, complete: bool) -> Record | Refusal | MoreNeeded:
    """The record starting at `at`, or why its first line is refused."""
    line_end = data.find(b"\n", at)
    if line_end < 0:
        return MoreNeeded()
    outcome: Record | Refusal | MoreNeeded
    if data.find(b'"', at, line_end) < 0:
        outcome = Record(fields=without_carriage_return(data[at:line_end]).split(delimiter), end=line_end + 1)
    else:
        outcome = scan(data, at, delimiter, width, complete=complete)
    if not isinstance(outcome, Record):
        return outcome
    if len(outcome.fields) != width:
        return Refusal(reason=wrong_width(len(outcome.fields), width))
    whole = data[at : outcome.end]
    if b"\0" in whole:
        return Refusal(reason="a NUL byte")
    if not whole.isascii() and not is_utf8(whole):
        return Refusal(reason="not UTF-8 text")
    return outcome


def scan(data: bytes, at: int, delimiter: bytes, width: int | None, *, complete: bool) -> Record | Refusal | MoreNeeded:
    """Split the record at `at` by RFC 4180; `width` bounds how far a record over several lines is followed."""
    fields: list[bytes] = []
    first_line_end = data.find(b"\n", at)
    line_end = first_line_end
    while True:
        if line_end < at:
            line_end = data.find(b"\n", at)
        if line_end < 0 and not complete and data.find(b'"', at, at + 1) < 0:
            return MoreNeeded()
        if width is not None and len(fields) >= width and at > first_line_end >= 0:
            return Refusal(reason=f"more than {width} fields, over several lines")
        if data[at : at + 1] != b'"':
            stop = data.find(delimiter, at, line_end)
            value = data[at:stop] if stop >= 0 else without_carriage_return(data[at:line_end])
            if b'"' in value:
                return Refusal(reason="broken quotes: a quote inside a field that is not quoted")
            fields.append(value)
            if stop < 0:
                return Record(fields=fields, end=line_end + 1)
            at = stop + 1
            continue
        close = closing_quote(data, at, line_end, complete=complete)
        if not isinstance(close, int):
            return close
        after = data[close + 1 : close + 3]
        fields.append(data[at + 1 : close].replace(b'""', b'"'))
        if after[:1] == delimiter:
            at = close + 2
        elif after[:1] == b"\n":
            return Record(fields=fields, end=close + 2)
        elif after == b"\r\n":
            return Record(fields=fields, end=close + 3)
        elif not complete and after in (b"", b"\r"):
            return MoreNeeded()
        else:
            return Refusal(reason="broken quotes: text after a closing quote")


def closing_quote(data: bytes, opening: int, line_end: int, *, complete: bool) -> int | Refusal | MoreNeeded:
    """Offset of the quote that closes the one at `opening`, doubled quotes skipped."""
    limit = max(opening + MAX_FIELD_BYTES, line_end if line_end >= 0 else len(data))
    at = opening + 1
    while (at := data.find(b'"', at, limit)) >= 0:
        if at + 1 == len(data) and not complete:
            return MoreNeeded()
        if data[at + 1 : at + 2] != b'"':
            return at
        at += 2
    if not complete and limit >= len(data):
        return MoreNeeded()
    return Refusal(reason="broken quotes: a quote that never closes")


def without_carriage_return(line: bytes) -> bytes:
    """A line without the carriage return of a CRLF line end."""
    return line[:-1] if line.endswith(b"\r") else line


def wrong_width(count: int, width: int) -> str:
    """The reason given for a line with too many or too few fields."""
    return f"{count} field{'' if count == 1 else 's'} where the header has {width}"


def is_utf8(data: bytes) -> bool:
    """Whether bytes are well-formed UTF-8."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
