"""Any bytes under any name are rows with accounting, or an unreadable file with a reason: never a traceback of the reader's own."""

import gzip
import io
import tempfile
from datetime import datetime
from functools import cache
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpipe_assets.readers.blocks import UnreadableFileError
from mlpipe_assets.readers.open import SUFFIXES, read_blocks
from mlpipe_assets.readers.options import ReadOptions

_TOKENS = [
    b"\n",
    b"\r",
    b",",
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b"1",
    b'{"a":1}',
    b"\xff",
    b"\0",
    b"PK",
    b"\x1f\x8b",
    b"PAR1",
    b"\\u",
]
_KNOWN = frozenset({"a", "b"})
_QUICK = settings(max_examples=120, deadline=None, derandomize=True)
_LONG = settings(max_examples=4_000, deadline=None)


@cache
def valid(suffix: str) -> bytes:
    """A small sound file of a kind."""
    rows = [{"a": f"r{i}", "b": i, "n": {"x": [1.5, None]}, "t": datetime(2026, 1, 5, i)} for i in range(9)]
    flat = [{"a": row["a"], "b": row["b"], "t": row["t"]} for row in rows]
    out = io.BytesIO()
    if suffix == ".parquet":
        pl.DataFrame(rows).write_parquet(out)
        return out.getvalue()
    if suffix == ".xlsx":
        book = openpyxl.Workbook()
        for row in (list(flat[0]), *(list(row.values()) for row in flat)):
            book.active.append(row)
        book.save(out)
        return out.getvalue()
    text = pl.DataFrame(flat).write_csv() if "sv" in suffix or "txt" in suffix else pl.DataFrame(rows).write_ndjson()
    return gzip.compress(text.encode(), mtime=0) if suffix.endswith("gz") else text.encode()


def account(suffix: str, content: bytes, records: str | None, block_bytes: int) -> None:
    """Read a file as a run does: records and refused rows have numbers of their own, or the file is unreadable by name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"fuzz{suffix}"
        path.write_bytes(content)
        told = ""
        try:
            options = ReadOptions(columns=_KNOWN, exact=_KNOWN, records=records)
            blocks = list(read_blocks(path, options, block_bytes=block_bytes))
        except UnreadableFileError as error:
            told = str(error)
    if told:
        assert told.startswith("fuzz.")
        assert len(told) < 1_000
        return
    rows = pl.concat([block.records for block in blocks])
    refused = pl.concat([block.malformed for block in blocks])
    numbers = [*rows["record_number"], *refused["record_number"]]
    assert len(set(numbers)) == len(numbers)
    assert rows["payload"].null_count() == refused["reason"].null_count() == 0
    assert not refused.height or rows.height


def mutated(data: st.DataObject, content: bytes) -> bytes:
    """A sound file with a few bytes changed, cut out, doubled, or cut off."""
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, max(len(content) - 1, 0)))
        stop = min(len(content), start + data.draw(st.integers(0, 40)))
        piece = data.draw(st.sampled_from([b"", content[start:stop] * 2, *_TOKENS]) | st.binary(max_size=6))
        content = content[:start] + piece + content[stop:]
    return content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content


CONTENTS = st.binary(max_size=200) | st.lists(st.sampled_from(_TOKENS), max_size=30).map(b"".join)
WAYS = {"records": st.sampled_from([None, None, "a", "n.x"]), "block_bytes": st.sampled_from([1, 64, 1 << 20])}


@_QUICK
@given(st.sampled_from(SUFFIXES), CONTENTS, WAYS["records"], WAYS["block_bytes"])
def test_any_bytes_under_any_name_are_accounted_for(
    suffix: str, content: bytes, records: str | None, block_bytes: int
) -> None:
    account(suffix, gzip.compress(content) if suffix.endswith("gz") else content, records, block_bytes)


@_QUICK
@given(st.sampled_from(SUFFIXES), st.data(), WAYS["records"], WAYS["block_bytes"])
def test_a_sound_file_with_a_few_bytes_changed_is_accounted_for(
    suffix: str, data: st.DataObject, records: str | None, block_bytes: int
) -> None:
    account(suffix, mutated(data, valid(suffix)), records, block_bytes)


@pytest.mark.fuzz
@_LONG
@given(st.sampled_from(SUFFIXES), CONTENTS, WAYS["records"], WAYS["block_bytes"])
def test_any_bytes_for_long(suffix: str, content: bytes, records: str | None, block_bytes: int) -> None:
    account(suffix, gzip.compress(content) if suffix.endswith("gz") else content, records, block_bytes)


@pytest.mark.fuzz
@_LONG
@given(st.sampled_from(SUFFIXES), st.data(), WAYS["records"], WAYS["block_bytes"])
def test_changed_bytes_for_long(suffix: str, data: st.DataObject, records: str | None, block_bytes: int) -> None:
    account(suffix, mutated(data, valid(suffix)), records, block_bytes)
