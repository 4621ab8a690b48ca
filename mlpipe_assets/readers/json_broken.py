"""Where a broken JSON value ends, so that it costs itself alone: in a list, and between values on lines of their own."""

import re

from mlpipe_assets.readers.json_buffer import SEPARATORS, JsonBuffer

MAX_MALFORMED_CHARACTERS = 64 << 10
_NEAR = 4 << 10

_TOKENS = re.compile(r'[{}\[\]]|"(?:[^"\\]+|\\.)*+"?', re.DOTALL)
_BETWEEN = re.compile(r"\}\s*,\s*\{")
_NEXT_OBJECT = re.compile(r'[,}\]\n]\s*(\{\s*["}])')
_ANY_OBJECT = re.compile(r'(\{\s*["}])')
_FIRST_KEY = re.compile(r'\{\s*("(?:[^"\\]+|\\.)*+"\s*:)', re.DOTALL)
_MARGIN_OBJECT = re.compile(r"\n[{\[]")


def skip_in_list(buffer: JsonBuffer, error_at: int, *, runaway: bool) -> tuple[str, bool]:
    """Move to the next plausible element; the text passed over, shortened, and whether it may hold the end of the list.

    `error_at` counts from the element's start; `runaway` says that the element never ended.
    """
    buffer.fill(MAX_MALFORMED_CHARACTERS)
    start = buffer.at
    end = _balanced_end(buffer.text, start)
    if end is not None:
        text = buffer.text[start:end]
        buffer.move(end)
        return text, False
    kept = ""
    pattern, earliest = _NEXT_OBJECT, start + max(1, error_at)
    key = _FIRST_KEY.match(buffer.text, start)
    if runaway:
        # Everything up to the end fitted into the element: only its own first key tells its followers from what is nested in it.
        earliest = start + 1
        pattern = re.compile(r"[,}\]\n]\s*(\{\s*" + re.escape(key[1]) + ")") if key else pattern
    while True:
        begin = max(start, earliest - MAX_MALFORMED_CHARACTERS)
        match = next((hit for hit in pattern.finditer(buffer.text, begin) if hit.start(1) >= earliest), None)
        end = match.start(1) if match else len(buffer.text)
        kept = (kept + buffer.text[buffer.at : end])[:MAX_MALFORMED_CHARACTERS]
        if match or buffer.complete:
            closed = match is None and buffer.text[buffer.at : end].rstrip().endswith("]")
            buffer.move(end)
            return kept.rstrip(", \t\r\n"), closed
        # A start may straddle the end of the buffer: keep a piece of it for the next search, already counted in `kept`.
        tail = min(1024, end - buffer.at)
        kept = kept if len(kept) == MAX_MALFORMED_CHARACTERS else kept[: len(kept) - tail]
        buffer.move(end - tail)
        buffer.more()
        start, earliest = 0, 0


def skip_on_line(buffer: JsonBuffer, line_end: int, offset: int, *, sound: bool) -> str:
    """Move past a refused value that begins at `at`, between other values; the text passed over, shortened.

    A broken one (at `offset` from its start) ends with its brackets, or before the next object of the same first key on its line, or
    with the line. It ends on a later line only when none between begins with an object at the margin: that would be the next record.
    A sound one (up to `offset`) goes with the odd text after it.
    """
    text, start = buffer.text, buffer.at
    error_at = start + offset
    # Looking far ahead for each of many broken lines would take minutes.
    limit = line_end if error_at < line_end else error_at + _NEAR
    end = None if sound else _balanced_end(text, start, limit=limit)
    if end is not None and end > line_end and _MARGIN_OBJECT.search(text, start, end):
        end = None
    if end is None:
        key = _FIRST_KEY.match(text, start)
        follower = re.compile(r"(\{\s*" + re.escape(key[1]) + ")") if key else _ANY_OBJECT
        begin = start + (offset if sound else 1)
        match = follower.search(text, begin, line_end)
        end = match.start(1) if match else max(line_end, begin)
    passed = text[start:end]
    buffer.move(end)
    return passed[:MAX_MALFORMED_CHARACTERS].rstrip(", \t\r\n")


def received(text: str) -> str:
    r"""A text with the bytes that are not UTF-8 as \xNN."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _balanced_end(text: str, start: int, *, limit: int | None = None) -> int | None:
    """Where the brackets opened at `start` are all closed: before `limit`, or else near and with a comma or bracket after them."""
    if text[start] not in "{[":
        if limit is not None:
            return None
        stop = re.compile(r"[,\]{\n]").search(text, start + 1)
        return stop.start() if stop else len(text)
    open_brackets: list[str] = []
    for token in _TOKENS.finditer(text, start, min(limit or len(text), start + MAX_MALFORMED_CHARACTERS)):
        mark = token[0]
        if _BETWEEN.search(mark):
            return None  # a stray quote turned strings inside out: this one spans the gap between two elements
        if mark in "{[":
            open_brackets.append("}" if mark == "{" else "]")
        elif mark in "}]" and open_brackets.pop() != mark:
            return None
        if not open_brackets:
            if limit is not None:
                return token.end()
            following = SEPARATORS.match(text, token.end())
            passed = following[0] if following else ""
            after = text[token.end() + len(passed) :][:1]
            return token.end() if "," in passed or after in ("]", "") else None
    return None
