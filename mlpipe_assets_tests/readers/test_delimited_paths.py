"""The fast paths of delimited text against the careful one, on random text."""

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from mlpipe_assets.readers import delimited
from mlpipe_assets_tests.readers.reading import Whole, read_bytes

PIECES = [
    "a",
    ",",
    '"',
    '""',
    "\n",
    "\r\n",
    "\r",
    "é",
    "\\",
    "\x01",
    "x^",
    "\t",
    "\ufeff",
    ',"d,e",',
    '"b\nc"',
    "1,2\n",
    '"a","b"\n',
    '"",""\r\n',
]
TEXTS = st.lists(st.sampled_from([piece.encode() for piece in PIECES] + [b"\xff"]), max_size=25).map(b"".join)
HEADERS = st.sampled_from([b"x\n", b"x,y\n", b"x,y,z\r\n"])
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def slowly(folder: Path, content: bytes) -> Whole:
    """What the careful path alone makes of a file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "read_simple", lambda *_: None)
        patch.setattr(delimited, "read_sound_prefix", lambda *_: None)
        return read_bytes(folder, content, delimiter=",")


def assert_same(left: Whole, right: Whole) -> None:
    """Both readings agree in every value."""
    assert_frame_equal(left.records, right.records)
    assert left.text is not None
    assert right.text is not None
    assert_frame_equal(left.text, right.text)
    assert_frame_equal(left.malformed, right.malformed)


@QUICK
@given(header=HEADERS, body=TEXTS, block_bytes=st.sampled_from([1, 3, 7, 16, 1 << 20]))
def test_fast_and_careful_paths_agree_for_any_block_size(
    tmp_path: Path, header: bytes, body: bytes, block_bytes: int
) -> None:
    assume(b"\r" not in body.replace(b"\r\n", b""))  # carriage returns between records make the file unreadable
    assert_same(
        read_bytes(tmp_path, header + body, delimiter=",", block_bytes=block_bytes), slowly(tmp_path, header + body)
    )


@QUICK
@given(header=HEADERS, body=TEXTS)
def test_payloads_are_what_json_dumps_writes(tmp_path: Path, header: bytes, body: bytes) -> None:
    assume(b"\r" not in body.replace(b"\r\n", b""))  # carriage returns between records make the file unreadable
    read = read_bytes(tmp_path, header + body, delimiter=",")

    assert read.text is not None
    expected = [json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in read.text.to_dicts()]
    assert read.records.get_column("payload").to_list() == expected


@QUICK
@given(body=TEXTS)
def test_every_filled_line_is_in_a_record_or_refused(tmp_path: Path, body: bytes) -> None:
    content = b"x,y\n" + body
    assume(b"\r" not in body.replace(b"\r\n", b""))  # carriage returns between records make the file unreadable
    read = read_bytes(tmp_path, content, delimiter=",")

    assert read.text is not None
    lines = (content if content.endswith(b"\n") else content + b"\n").split(b"\n")[:-1]
    numbers = read.records.get_column("record_number").to_list()
    spans = [sum(value.count("\n") for value in row) for row in read.text.rows()]
    accounted = {number + offset for number, span in zip(numbers, spans, strict=True) for offset in range(span + 1)}
    refused = read.malformed.get_column("record_number").to_list()
    filled = {number for number, line in enumerate(lines, start=1) if line.removesuffix(b"\r")} - {1}
    assert filled <= accounted | set(refused)
    assert len(set(refused) & accounted) == 0
    assert len(set(refused)) == len(refused)


@QUICK
@given(values=st.lists(st.tuples(st.text(), st.text()), max_size=8))
def test_any_text_written_as_csv_comes_back(tmp_path: Path, values: list[tuple[str, str]]) -> None:
    rows = [tuple(value.replace("\0", "").encode("utf-8", "ignore").decode() for value in row) for row in values]
    quoted = "".join(",".join('"' + value.replace('"', '""') + '"' for value in row) + "\n" for row in rows)

    read = read_bytes(tmp_path, b"x,y\n" + quoted.encode(), block_bytes=32)

    assert read.text is not None
    assert_frame_equal(read.text, pl.DataFrame(rows, schema={"x": pl.String, "y": pl.String}, orient="row"))
