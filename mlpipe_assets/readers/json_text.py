"""JSON lines and JSON arrays: each object's text verbatim, each broken one set apart."""

from collections.abc import Iterator
from pathlib import Path

from mlpipe_assets.readers.blocks import Block, Malformed, as_received, malformed_frame, records_frame
from mlpipe_assets.readers.byte_stream import MAX_LINE_BYTES, ByteStream, too_long
from mlpipe_assets.readers.json_array import read_array
from mlpipe_assets.readers.json_check import JSON_BLANKS, refusal

_BLANK_BYTES = JSON_BLANKS.encode()


def read_json(path: Path, *, block_bytes: int) -> Iterator[Block]:
    """Blocks of a JSON file: an array if its first filled character is a bracket, else one object a line.

    Raises: UnreadableFileError for a binary file or a broken gzip.
    """
    with ByteStream(path) as stream:
        head = stream.read(block_bytes)
        while head and not head.strip(_BLANK_BYTES):
            more = stream.read(block_bytes)
            if not more:
                break
            head += more
        if head.lstrip(_BLANK_BYTES).startswith(b"["):
            yield from read_array(stream, head, block_bytes=block_bytes)
        else:
            yield from _read_lines(stream, head, path, block_bytes=block_bytes)


def _read_lines(stream: ByteStream, data: bytes, path: Path, *, block_bytes: int) -> Iterator[Block]:
    number, yielded, complete = 1, False, not data
    while True:
        cut = len(data) if complete else data.rfind(b"\n") + 1
        if not cut and len(data) > MAX_LINE_BYTES:
            raise too_long(path, number)
        lines = data[:cut].removesuffix(b"\n").split(b"\n") if cut else []
        block = _lines_block(lines, number)
        if block.records.height or block.malformed.height or (complete and not yielded):
            yielded = True
            yield block
        if complete:
            return
        number += len(lines)
        rest = data[cut:]
        chunk = stream.read(max(block_bytes, len(rest)))
        data, complete = rest + chunk, not chunk


def _lines_block(lines: list[bytes], first: int) -> Block:
    numbers: list[int] = []
    payloads: list[str] = []
    malformed: list[Malformed] = []
    for number, line in enumerate(lines, start=first):
        content = line.strip(_BLANK_BYTES)
        if not content:
            continue
        try:
            text = content.decode()
        except UnicodeDecodeError:
            malformed.append(Malformed(number=number, text=as_received(content), reason="not UTF-8 text"))
            continue
        reason = refusal(text)
        if reason is None:
            numbers.append(number)
            payloads.append(text)
        else:
            malformed.append(Malformed(number=number, text=text, reason=reason))
    return Block(records=records_frame(numbers, payloads), text=None, malformed=malformed_frame(malformed))
