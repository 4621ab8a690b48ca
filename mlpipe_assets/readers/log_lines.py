"""Lines of a log by a pattern whose named groups are the columns, a block at a time."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from mlpipe_assets.readers.blocks import Block, Malformed, as_received, malformed_frame, records_frame
from mlpipe_assets.readers.byte_stream import MAX_LINE_BYTES, ByteStream, too_long
from mlpipe_assets.readers.options import Budget, ReadOptions
from mlpipe_assets.readers.payload import payloads


def read_lines(path: Path, options: ReadOptions, budget: Budget, *, block_bytes: int) -> Iterator[Block]:
    """Blocks of a text file in which each line is a record, or refused where the pattern does not match all of it.

    Empty lines are none. At least one block, with the pattern's columns, even without lines.

    Raises: UnreadableFileError for a binary file, a broken gzip, a line beyond all bounds.
    """
    pattern = whole_line(options.lines or "")
    with ByteStream(path, budget) as stream:
        data, number, yielded, complete = b"", 1, False, False
        while not complete:
            chunk = stream.read(max(block_bytes, len(data)))
            complete = not chunk
            data += chunk
            end = len(data) if complete else data.rfind(b"\n") + 1
            if end == 0 and len(data) > MAX_LINE_BYTES:
                raise too_long(path, number)
            if end == 0 and not (complete and not yielded):
                continue
            lines = data[:end].split(b"\n")
            if not lines[-1]:
                lines.pop()
            yield _block(lines, number, pattern, budget)
            data, number, yielded = data[end:], number + len(lines), True


def whole_line(pattern: str) -> str:
    """A pattern that matches a line from its beginning to its end."""
    return f"^(?:{pattern})$"


def columns_of_lines(pattern: str) -> list[str]:
    """The names of a pattern's groups, and numbers for those that have none.

    Raises: pl.exceptions.PolarsError for what is no pattern of Rust's regular expressions.
    """
    return list(pl.Series([""]).str.extract_groups(whole_line(pattern)).struct.fields)


def _block(lines: list[bytes], first: int, pattern: str, budget: Budget) -> Block:
    refused: list[Malformed] = []
    numbers: list[int] = []
    texts: list[str] = []
    for number, raw in enumerate(lines, start=first):
        line = raw.rstrip(b"\r")
        if not line.strip():
            continue
        try:
            texts.append(line.decode())
            numbers.append(number)
        except UnicodeDecodeError:
            refused.append(Malformed(number=number, text=as_received(line), reason="not UTF-8"))
    found = pl.DataFrame({"number": pl.Series(numbers, dtype=pl.Int64), "line": pl.Series(texts, dtype=pl.String)})
    found = found.with_columns(pl.col("line").str.contains(pattern).alias("fits"))
    odd = found.filter(~pl.col("fits"))
    refused += [
        Malformed(number=n, text=text, reason="not a line of the pattern")
        for n, text in odd.select("number", "line").rows()
    ]
    if refused:
        budget.refuse(len(refused), refused[0].reason)
    fitting = found.filter("fits")
    text = fitting["line"].str.extract_groups(pattern).struct.unnest()
    return Block(
        records=records_frame(fitting["number"], payloads(text)),
        text=text,
        malformed=malformed_frame(sorted(refused, key=lambda one: one.number)),
    )
