"""Excel workbooks: cells as a person would have typed them."""

from datetime import datetime, time, timedelta
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlpipe_assets.readers.blocks import UnreadableFileError
from mlpipe_assets_tests.readers.reading import malformed, read_bytes, read_file, records


def workbook(path: Path, rows: dict[int, list[object]]) -> Path:
    """A workbook whose second sheet has these rows."""
    book = openpyxl.Workbook()
    sheet = book.create_sheet("filled")
    for number, row in rows.items():
        for column, value in enumerate(row, start=1):
            sheet.cell(number, column, value)
    book.save(path)
    return path


def test_rows_of_the_first_filled_sheet_keep_their_numbers(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "o.xlsx", {2: ["id", " amount "], 4: ["000123", 5.0], 6: ["2", None], 7: ["3", 1, None, "extra"]}
    )

    read = read_file(path)

    assert_frame_equal(read.records, records((4, '{"id":"000123","amount":"5"}'), (6, '{"id":"2","amount":""}')))
    assert read.text is not None
    assert_frame_equal(read.text, pl.DataFrame({"id": ["000123", "2"], "amount": ["5", ""]}))
    assert_frame_equal(read.malformed, malformed((7, '["3", "1", "", "extra"]', "4 fields where the header has 2")))


@pytest.mark.parametrize(
    ("value", "number_format", "text"),
    [
        (5, None, "5"),
        (0.1, None, "0.1"),
        (1e20, None, "100000000000000000000"),
        (True, None, "true"),
        (datetime(2026, 1, 5, 1, 2, 3), None, "2026-01-05T01:02:03"),
        (datetime(2026, 1, 5), "yyyy-mm-dd hh:mm", "2026-01-05T00:00:00"),
        (datetime(2026, 1, 5), "yyyy-mm-dd", "2026-01-05"),
        (datetime(2026, 1, 5), '[$-809]d mmm yyyy "hs"', "2026-01-05"),
        (time(1, 2), None, "01:02:00"),
        (timedelta(hours=30), None, "30:00:00"),
        ("#N/A", None, "#N/A"),
        (" x ", None, " x "),
    ],
)
def test_a_cell_becomes_text(tmp_path: Path, value: object, number_format: str | None, text: str) -> None:
    book = openpyxl.Workbook()
    cell = book.active.cell(2, 1, value)
    book.active.cell(1, 1, "a")
    if number_format:
        cell.number_format = number_format
    book.save(tmp_path / "o.xlsx")

    read = read_file(tmp_path / "o.xlsx")

    assert read.text is not None
    assert_frame_equal(read.text, pl.DataFrame({"a": [text]}))


def test_blocks_are_cut_by_size_and_an_empty_workbook_is_one_empty_block(tmp_path: Path) -> None:
    path = workbook(tmp_path / "o.xlsx", {1: ["a"], 2: [1], 3: [2]})

    assert_frame_equal(read_file(path, block_bytes=1).records, records((2, '{"a":"1"}'), (3, '{"a":"2"}')))
    assert_frame_equal(read_file(workbook(tmp_path / "e.xlsx", {})).records, records())


@pytest.mark.parametrize("content", [b"", b"a,b\n", b"PK\x03\x04junk", b"\xd0\xcf\x11\xe0encrypted"])
def test_what_is_no_workbook_is_unreadable(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UnreadableFileError, match=r"o\.xlsx: .*workbook"):
        read_bytes(tmp_path, content, "o.xlsx")


def test_a_column_named_twice_refuses_the_workbook(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="named twice"):
        read_file(workbook(tmp_path / "o.xlsx", {1: ["a", "a "]}))
