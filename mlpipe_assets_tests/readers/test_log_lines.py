"""Logs by a declared pattern: each line is a row, or refused alone."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpipe_assets.readers.blocks import Block, UnreadableFileError
from mlpipe_assets.readers.open import read_blocks
from mlpipe_assets.readers.options import Limits, ReadOptions

ACCESS = r'(?P<host>\S+) \S+ \S+ \[(?P<at>[^\]]+)\] "(?P<request>[^"]*)" (?P<status>\d{3}) (?P<bytes>\d+)?-?'
LINE = '10.0.0.1 - - [05/Jan/2026:08:00:00 +0000] "GET /a\\b HTTP/1.1" 200 -'


def read(
    path: Path, *, lines: str | None = ACCESS, block_bytes: int = 1 << 20, limits: Limits | None = None
) -> list[Block]:
    return list(read_blocks(path, ReadOptions(lines=lines, limits=limits or Limits()), block_bytes=block_bytes))


def rows(blocks: Sequence[Block]) -> list[tuple[int, str]]:
    return [row for block in blocks for row in block.records.rows()]


def refused(blocks: Sequence[Block]) -> list[tuple[int, str, str]]:
    return [row for block in blocks for row in block.malformed.rows()]


def test_named_groups_are_columns_and_a_group_that_is_not_there_is_null(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_text(f"{LINE}\r\n\n{LINE[:-1]}17")

    blocks = read(path)

    [(first, payload), (second, last)] = rows(blocks)
    assert (first, second) == (1, 3)
    assert json.loads(last)["bytes"] == "17"
    assert json.loads(payload) == {
        "host": "10.0.0.1",
        "at": "05/Jan/2026:08:00:00 +0000",
        "request": "GET /a\\b HTTP/1.1",
        "status": "200",
        "bytes": None,
    }
    assert blocks[0].text is not None
    assert blocks[0].text.columns == ["host", "at", "request", "status", "bytes"]


def test_a_line_that_the_pattern_does_not_match_from_end_to_end_is_refused_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(f"{LINE}\nx {LINE} y\nTraceback\n".encode() + b"\xff\xfe bytes\n")

    blocks = read(path)

    assert [number for number, _ in rows(blocks)] == [1]
    assert refused(blocks) == [
        (2, f"x {LINE} y", "not a line of the pattern"),
        (3, "Traceback", "not a line of the pattern"),
        (4, r"\xff\xfe bytes", "not UTF-8"),
    ]


def test_zipped_logs_and_texts_are_read_by_the_pattern_and_other_files_as_ever(tmp_path: Path) -> None:
    (tmp_path / "a.log.gz").write_bytes(gzip.compress(f"{LINE}\n".encode()))
    (tmp_path / "a.txt").write_text(f"{LINE}\n")
    (tmp_path / "a.csv").write_text("host,at\nh,now\n")

    assert [len(rows(read(tmp_path / name))) for name in ("a.log.gz", "a.txt", "a.csv")] == [1, 1, 1]
    assert rows(read(tmp_path / "a.csv")) == [(2, '{"host":"h","at":"now"}')]


def test_a_log_without_a_pattern_and_one_of_nothing_else_than_other_lines_are_told(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_text("other\n" * 3)

    with pytest.raises(UnreadableFileError, match="a log is read by a pattern of its lines: declare feed=Files"):
        read(path, lines=None)
    with pytest.raises(UnreadableFileError, match="no row of it can be read: 3 refused, the first because: not a line"):
        read(path)
    with pytest.raises(UnreadableFileError, match="more than 2 of its rows cannot be read"):
        read(path, limits=Limits(refused=2))


def test_an_empty_log_has_the_columns_of_the_pattern(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.touch()

    [block] = read(path)

    assert block.text is not None
    assert (block.text.height, block.text.columns[0], block.records.height) == (0, "host", 0)
    assert block.text.schema["status"] == pl.String


@settings(deadline=None)
@given(
    lines=st.lists(st.sampled_from(["a 1", "b 22", "", "broken", "ü 3"]), max_size=30),
    block_bytes=st.integers(1, 20),
    ended=st.booleans(),
)
def test_where_blocks_are_cut_makes_no_difference(
    tmp_path_factory: pytest.TempPathFactory, *, lines: list[str], block_bytes: int, ended: bool
) -> None:
    path = tmp_path_factory.mktemp("logs") / "a.log"
    path.write_text("\n".join(["z 0", *lines]) + ("\n" if ended else ""))

    blocks = read(path, lines=r"(?P<name>\w) (?P<n>\d+)", block_bytes=block_bytes)

    there = list(enumerate(["z 0", *lines], start=1))
    fits = {"a 1": ("a", "1"), "b 22": ("b", "22"), "ü 3": ("ü", "3"), "z 0": ("z", "0")}
    assert [(n, tuple(json.loads(payload).values())) for n, payload in rows(blocks)] == [
        (n, fits[line]) for n, line in there if line in fits
    ]
    assert [n for n, _, _ in refused(blocks)] == [n for n, line in there if line == "broken"]
