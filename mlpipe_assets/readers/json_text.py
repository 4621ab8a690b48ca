"""JSON: objects one after another and lists of them, each object's text verbatim, each broken one set apart."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mlpipe_assets.readers.blocks import Block, Malformed, UnreadableFileError, malformed_frame, records_frame
from mlpipe_assets.readers.byte_stream import MAX_LINE_BYTES, ByteStream, too_long
from mlpipe_assets.readers.json_broken import MAX_MALFORMED_CHARACTERS, received, skip_in_list, skip_on_line
from mlpipe_assets.readers.json_buffer import CHUNK_BYTES, SEPARATORS, JsonBuffer
from mlpipe_assets.readers.json_check import DECODER, NotFiniteError, explain, is_tight, refusal_of_value
from mlpipe_assets.readers.json_wrapper import JsonWrapper
from mlpipe_assets.readers.options import Budget, ReadOptions

_MIN_LIMIT = 1 << 20
_LONGEST_TOKEN = 16
"""A parse error this near the end of the buffer may only mean that a token is cut there."""
_WHOLE_TOKENS = '{}[]:,"'
_BLANKS = re.compile(r"[ \t\r]*")
_BETWEEN_VALUES = ("", "\n", ",", "{", "[")


def read_json(path: Path, options: ReadOptions, budget: Budget, *, block_bytes: int) -> Iterator[Block]:
    """Blocks of a JSON file: objects and lists of objects, one after another, with or without line ends and commas between.

    The number of an object in a list is its place; that of any other its line, or one more than the object before it on that line.
    Raises: UnreadableFileError for a binary file, a broken gzip, a list that never ends, or no list where `options.records` says.
    """
    with ByteStream(path, budget) as stream:
        reader = _JsonReader(
            path=path,
            buffer=JsonBuffer(stream=stream, chunk_bytes=min(block_bytes, CHUNK_BYTES)),
            budget=budget,
            limit=budget.limits.cell_bytes,
        )
        yield from reader.read(options.records, block_bytes)


@dataclass(kw_only=True)
class _JsonReader:
    """One file being read: what is found until it makes a block."""

    path: Path
    buffer: JsonBuffer
    budget: Budget
    limit: int
    number: int = 0
    numbers: list[int] = field(default_factory=list)
    payloads: list[str] = field(default_factory=list)
    malformed: list[Malformed] = field(default_factory=list)
    size: int = 0
    closed: bool = False

    def read(self, records: str | None, block_bytes: int) -> Iterator[Block]:
        """All blocks; at least one."""
        buffer, yielded = self.buffer, False
        wrapper = JsonWrapper(path=self.path, buffer=buffer, names=tuple(records.split("."))) if records else None
        listed = False
        while True:
            self._take_sound(block_bytes, in_list=listed)
            character = buffer.next_character()
            if listed and (character == "]" or self.closed):
                if not self.closed:
                    buffer.move(buffer.at + 1)
                if wrapper:
                    wrapper.leave()
                listed, self.closed = False, False
            elif not character:
                break
            elif listed:
                self._take(in_list=True)
            elif wrapper:
                wrapper.enter()
                listed = True
            elif character == "[":
                buffer.move(buffer.at + 1)
                listed = True
            else:
                self._take(in_list=False)
            if self.size >= block_bytes:
                yield self._block()
                yielded = True
        if listed:
            raise UnreadableFileError(
                f"{self.path.name}: the list is never closed, so the file is cut short. Deliver it again; no row of it was used."
            )
        if self.numbers or self.malformed or not yielded:
            yield self._block()

    def _block(self) -> Block:
        block = Block(
            records=records_frame(self.numbers, self.payloads), text=None, malformed=malformed_frame(self.malformed)
        )
        self.numbers, self.payloads, self.malformed, self.size = [], [], [], 0
        return block

    def _take_sound(self, block_bytes: int, *, in_list: bool) -> None:
        """Take objects while they are sound and well inside the text at hand; the rest is for `_take`, which judges alike."""
        buffer = self.buffer
        text, at, line, number = buffer.text, buffer.at, buffer.line, self.number
        last, skip, size = len(text) - _LONGEST_TOKEN, SEPARATORS.match, self.size
        scan = DECODER.scan_once  # type: ignore[attr-defined]  # raw_decode without a call in Python
        tight = is_tight(text, " \t\r")
        take_number, take_payload, follows = self.numbers.append, self.payloads.append, text.startswith
        while size < block_bytes:
            next_line = follows("\n{", at)  # nearly always so, and far faster than to look for separators
            start = at + 1 if next_line else skip(text, at).end()  # type: ignore[union-attr]  # it matches the empty text too
            try:
                value, end = scan(text, start)
            except (StopIteration, json.JSONDecodeError, NotFiniteError, RecursionError):
                break
            if end >= last or not (in_list or text[end] == "\n" or follows("\r\n", end)):
                break
            payload = text[start:end]
            one_line = "\n" not in payload
            sound = payload.isascii() or _is_utf8(payload)
            if not sound or refusal_of_value(value, payload, tight=(tight and one_line) or None):
                break
            number += 1
            if not in_list:
                line += 1 if next_line else text.count("\n", at, start)
                number = max(line, number)
                if not one_line:
                    line += payload.count("\n")
            take_number(number)
            take_payload(payload)
            size += end - start
            at = end
        buffer.move(at)
        self.number, self.size = number, size

    def _take(self, *, in_list: bool) -> None:
        """Take the value at hand, or refuse it alone."""
        buffer = self.buffer
        number = self.number + 1 if in_list else max(self.number + 1, buffer.line)
        while True:
            text = buffer.text
            try:
                value, end = DECODER.raw_decode(text, buffer.at)
            except (json.JSONDecodeError, NotFiniteError, RecursionError) as error:
                if self._needs_more(error):
                    buffer.more()
                    continue
                self.number = number
                self._refuse_broken(error, in_list=in_list)
                return
            after = end if in_list else _BLANKS.match(text, end).end()  # type: ignore[union-attr]  # it matches the empty text too
            cut = after >= len(text) if isinstance(value, dict) and not in_list else end >= len(text) - _LONGEST_TOKEN
            if cut and not buffer.complete and not (in_list and isinstance(value, dict)):
                buffer.more()
                continue
            break
        self.number = number
        if not in_list and text[after : after + 1] not in _BETWEEN_VALUES:
            self._refuse_on_line(end - buffer.at, "text after the end of the object", sound=True)
            return
        if isinstance(value, list) and any(isinstance(item, dict) for item in value):
            raise UnreadableFileError(
                f"{self.path.name}: a list inside the list of records, near line {buffer.line:,}, holds objects of its own. "
                "Deliver one list of records; no row of the file was used."
            )
        payload = text[buffer.at : end]
        buffer.move(end)
        sound = payload.isascii() or _is_utf8(payload)
        reason = refusal_of_value(value, payload) if sound else "not UTF-8 text"
        if reason is None:
            self.size += len(payload)
            self.numbers.append(number)
            self.payloads.append(payload)
        else:
            self._refuse(payload, reason)

    def _needs_more(self, error: Exception) -> bool:
        """Whether a value may be broken only because the text at hand ends."""
        buffer = self.buffer
        if buffer.complete or len(buffer.text) - buffer.at >= self.limit or not isinstance(error, json.JSONDecodeError):
            return False
        return _is_open_string(error) or error.pos >= len(buffer.text) - _LONGEST_TOKEN

    def _refuse_broken(self, error: Exception, *, in_list: bool) -> None:
        """Refuse a value that cannot be parsed.

        In a list, a missing bracket makes a value swallow its followers up to the limit, so each one that did halves the limit: many
        of them stay linear.
        """
        buffer = self.buffer
        position = error.pos if isinstance(error, json.JSONDecodeError) else buffer.at
        if not in_list:
            self._refuse_on_line(position - buffer.at, explain(error), sound=False)
            return
        open_string = _is_open_string(error)
        runaway = open_string or (
            isinstance(error, json.JSONDecodeError) and position >= len(buffer.text) - _LONGEST_TOKEN
        )
        if buffer.complete and not open_string and any(mark in buffer.text[position:] for mark in _WHOLE_TOKENS):
            runaway = False
        text, self.closed = skip_in_list(buffer, position - buffer.at, runaway=runaway)
        self._refuse(text, explain(error))
        if runaway:
            self.limit = max(_MIN_LIMIT, self.limit // 2)

    def _refuse_on_line(self, offset: int, reason: str, *, sound: bool) -> None:
        """Refuse a value between others: broken at `offset` from its start, or sound up to there with odd text after it."""
        buffer = self.buffer
        buffer.fill(MAX_MALFORMED_CHARACTERS)
        line_end = buffer.line_end(MAX_LINE_BYTES)
        if line_end < 0:
            raise too_long(self.path, buffer.line)
        self._refuse(skip_on_line(buffer, line_end, offset, sound=sound), reason)

    def _refuse(self, text: str, reason: str) -> None:
        self.budget.refuse(1, reason)
        self.size += len(text)
        shown = received(text[:MAX_MALFORMED_CHARACTERS])
        self.malformed.append(Malformed(number=self.number, text=shown, reason=reason))


def _is_open_string(error: Exception) -> bool:
    return isinstance(error, json.JSONDecodeError) and error.msg.startswith("Unterminated string")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
