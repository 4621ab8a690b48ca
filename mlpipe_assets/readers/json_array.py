"""A JSON array read element by element from a bounded buffer, so that a broken element costs only itself."""

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from mlpipe_assets.readers.blocks import Block, Malformed, malformed_frame, records_frame
from mlpipe_assets.readers.byte_stream import ByteStream
from mlpipe_assets.readers.json_check import DECODER, NotFiniteError, explain, refusal_of_value

MAX_MALFORMED_CHARACTERS = 64 << 10
_MAX_ELEMENT = 16 << 20
_MIN_LIMIT = 1 << 20
_CHUNK_BYTES = 1 << 20
_LONGEST_TOKEN = 16
"""A parse error this near the end of the buffer may only mean that a token is cut there."""

_SEPARATORS = re.compile(r"[ \t\r\n,]*")
_TOKENS = re.compile(r'[{}\[\]]|"(?:[^"\\]+|\\.)*+"?', re.DOTALL)
_WHOLE_TOKEN = re.compile(r'[{}\[\]:,"]')
_BETWEEN = re.compile(r"\}\s*,\s*\{")
_NEXT_OBJECT = re.compile(r'[,}\]\n]\s*(\{\s*["}])')
_FIRST_KEY = re.compile(r'\{\s*("(?:[^"\\]+|\\.)*+"\s*:)', re.DOTALL)


@dataclass(kw_only=True)
class _Buffer:
    """The text at hand; bytes that are not UTF-8 are in it as lone surrogates (surrogateescape)."""

    stream: ByteStream
    chunk_bytes: int
    text: str = ""
    at: int = 0
    complete: bool = False
    decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("surrogateescape")
    )

    def add(self, data: bytes) -> None:
        """Drop what was read and append `data`; no data means the end of the file."""
        self.complete = not data
        self.text, self.at = self.text[self.at :] + self.decoder.decode(data, final=self.complete), 0

    def more(self) -> None:
        """At least as much again as is unread, so that parsing again stays linear."""
        self.add(self.stream.read(max(self.chunk_bytes, len(self.text) - self.at)))


@dataclass(kw_only=True)
class _Found:
    """What a block will hold."""

    numbers: list[int] = field(default_factory=list)
    payloads: list[str] = field(default_factory=list)
    malformed: list[Malformed] = field(default_factory=list)
    size: int = 0

    def block(self) -> Block:
        return Block(
            records=records_frame(self.numbers, self.payloads), text=None, malformed=malformed_frame(self.malformed)
        )


def read_array(stream: ByteStream, head: bytes, *, block_bytes: int) -> Iterator[Block]:
    """Blocks of the objects of a JSON array, numbered from 1; `head` is the start of the text, up to its bracket at least.

    A broken element is refused with its text (64 KB of it at most) and reading goes on at the next plausible element; an array that
    is never closed keeps its whole elements and says so in one refused row. Commas too many or missing between elements cost nothing.
    """
    buffer = _Buffer(stream=stream, chunk_bytes=min(block_bytes, _CHUNK_BYTES))
    buffer.add(head)
    buffer.at = buffer.text.index("[") + 1
    found, number, limit, yielded = _Found(), 0, _MAX_ELEMENT, False
    while (opening := _next_character(buffer)) not in ("", "]"):
        number += 1
        start = len(found.malformed)
        limit = _read_element(buffer, found, number, limit)
        swallowed = len(found.malformed) > start and buffer.complete and buffer.at == len(buffer.text)
        if found.size >= block_bytes:
            yield found.block()
            found, yielded = _Found(), True
        if swallowed:
            break
    else:
        _read_end(buffer, found, number + 1, closed=opening == "]")
    if found.numbers or found.malformed or not yielded:
        yield found.block()


def _next_character(buffer: _Buffer) -> str:
    """The first character of the next element, or the closing bracket; empty at the end of the file."""
    while True:
        match = _SEPARATORS.match(buffer.text, buffer.at)
        buffer.at = match.end() if match else buffer.at
        if buffer.at < len(buffer.text) or buffer.complete:
            return buffer.text[buffer.at : buffer.at + 1]
        buffer.more()


def _read_end(buffer: _Buffer, found: _Found, number: int, *, closed: bool) -> None:
    if not closed:
        found.malformed.append(
            Malformed(number=number, text="", reason="the array is never closed: the file may be cut short")
        )
        return
    buffer.at += 1
    rest = ""
    while True:
        rest = (rest + buffer.text[buffer.at :]).lstrip()[:MAX_MALFORMED_CHARACTERS]
        buffer.at = len(buffer.text)
        if buffer.complete:
            break
        buffer.more()
    if rest:
        found.malformed.append(
            Malformed(number=number, text=_received(rest.rstrip()), reason="text after the end of the array")
        )


def _read_element(buffer: _Buffer, found: _Found, number: int, limit: int) -> int:
    """Take the element at hand; the answer is how long the next one may be.

    A missing bracket makes an element swallow its followers up to the limit, so each one that did halves it: many of them stay linear.
    """
    while True:
        rest = len(buffer.text) - buffer.at
        try:
            value, end = DECODER.raw_decode(buffer.text, buffer.at)
        except (json.JSONDecodeError, NotFiniteError, RecursionError) as error:
            position = error.pos if isinstance(error, json.JSONDecodeError) else buffer.at
            open_string = isinstance(error, json.JSONDecodeError) and error.msg.startswith("Unterminated string")
            cut = open_string or (
                isinstance(error, json.JSONDecodeError) and position >= len(buffer.text) - _LONGEST_TOKEN
            )
            if cut and not buffer.complete and rest < limit:
                buffer.more()
                continue
            if buffer.complete and not open_string and _WHOLE_TOKEN.search(buffer.text, position):
                cut = False
            text = _skip_broken(buffer, position - buffer.at, runaway=cut)
            found.malformed.append(Malformed(number=number, text=_received(text), reason=explain(error)))
            found.size += len(text)
            return max(_MIN_LIMIT, limit // 2) if cut else limit
        if not isinstance(value, dict) and end >= len(buffer.text) - _LONGEST_TOKEN and not buffer.complete:
            buffer.more()
            continue
        text = buffer.text[buffer.at : end]
        buffer.at = end
        reason = refusal_of_value(value, text) if text.isascii() or _is_utf8(text) else "not UTF-8 text"
        found.size += len(text)
        if reason is None:
            found.numbers.append(number)
            found.payloads.append(text)
        else:
            found.malformed.append(
                Malformed(number=number, text=_received(text[:MAX_MALFORMED_CHARACTERS]), reason=reason)
            )
        return limit


def _skip_broken(buffer: _Buffer, error_at: int, *, runaway: bool) -> str:
    """Move to the next plausible element and return the text passed over, shortened; `error_at` counts from the element's start."""
    while len(buffer.text) - buffer.at < MAX_MALFORMED_CHARACTERS and not buffer.complete:
        buffer.more()
    start = buffer.at
    end = _balanced_end(buffer.text, start)
    if end is not None:
        buffer.at = end
        return buffer.text[start:end]
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
            buffer.at = end
            return kept.rstrip(", \t\r\n")
        # A start may straddle the end of the buffer: keep a piece of it for the next search, already counted in `kept`.
        tail = min(1024, end - buffer.at)
        kept = kept if len(kept) == MAX_MALFORMED_CHARACTERS else kept[: len(kept) - tail]
        buffer.at = end - tail
        buffer.more()
        start, earliest = 0, 0


def _balanced_end(text: str, start: int) -> int | None:
    """Where the brackets opened at `start` are all closed, if that is near and a comma or bracket follows."""
    if text[start] not in "{[":
        stop = re.compile(r"[,\]{\n]").search(text, start + 1)
        return stop.start() if stop else len(text)
    open_brackets: list[str] = []
    for token in _TOKENS.finditer(text, start, start + MAX_MALFORMED_CHARACTERS):
        mark = token[0]
        if _BETWEEN.search(mark):
            return None  # a stray quote turned strings inside out: this one spans the gap between two elements
        if mark in "{[":
            open_brackets.append("}" if mark == "{" else "]")
        elif mark in "}]" and open_brackets.pop() != mark:
            return None
        if not open_brackets:
            following = _SEPARATORS.match(text, token.end())
            passed = following[0] if following else ""
            after = text[token.end() + len(passed) :][:1]
            return token.end() if "," in passed or after in ("]", "") else None
    return None


def _received(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
