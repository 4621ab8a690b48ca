"""Excel workbooks: cells as a person would have typed them."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from openpyxl.utils.datetime import CALENDAR_MAC_1904, CALENDAR_WINDOWS_1900
from polars.testing import assert_frame_equal

from mlpipe_assets.readers.blocks import UnreadableFileError
from mlpipe_assets.readers.open import read_blocks
from mlpipe_assets.readers.options import ReadOptions
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
        (True, None, "true"),
        (datetime(2026, 1, 5, 1, 2, 3), None, "2026-01-05T01:02:03"),
        (datetime(2026, 1, 5), "yyyy-mm-dd hh:mm", "2026-01-05T00:00:00"),
        (datetime(2026, 1, 5), "yyyy-mm-dd", "2026-01-05"),
        (datetime(2026, 1, 5), '[$-809]d mmm yyyy "hs"', "2026-01-05"),
        (time(1, 2), None, "01:02:00"),
        (timedelta(hours=30), None, "30:00:00"),
        ("#N/A", None, None),
        ("#REF!", "00000", None),
        (345, "00000", "00345"),
        (123456789, "00000", "123456789"),
        (123456789, "000-00-0000", "123-45-6789"),
        (42, '"K-"0000', "K-0042"),
        (42, "\\K0000;[Red]-0", "K0042"),
        (7, "0", "7"),
        (5, "0.00", "5"),
        (1234, "#,##0", "1234"),
        (-345, "00000", "-345"),
        (345.5, "00000", "345.5"),
        (0.125, "0.00%", "0.125"),
        (1.1 * 3, None, "3.3"),
        (0.1 + 0.2, None, "0.3"),
        (1e-7, None, "0.0000001"),
        (1234567.125, None, "1234567.125"),
        (False, None, "false"),
        (" x ", None, " x "),
    ],
)
def test_a_cell_becomes_text(tmp_path: Path, value: object, number_format: str | None, text: str | None) -> None:
    book = openpyxl.Workbook()
    cell = book.active.cell(2, 1, value)
    book.active.cell(1, 1, "a")
    if number_format:
        cell.number_format = number_format
    book.save(tmp_path / "o.xlsx")

    read = read_file(tmp_path / "o.xlsx")

    assert read.text is not None
    assert_frame_equal(read.text, pl.DataFrame({"a": [text]}, schema={"a": pl.String}))


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


KNOWN = frozenset({"id", "amount", "day"})


def sheets(path: Path, **rows: Sequence[Sequence[object]]) -> Path:
    """A workbook with these sheets; one whose name begins with `hidden` is hidden."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, lines in rows.items():
        sheet = book.create_sheet(name)
        for line in lines:
            sheet.append(line)
        if name.startswith("hidden"):
            sheet.sheet_state = "hidden"
    book.save(path)
    return path


def notes(path: Path) -> list[str]:
    return [note for block in read_blocks(path, ReadOptions(columns=KNOWN)) for note in block.notes]


def test_all_visible_sheets_with_the_tables_header_are_read_and_the_others_named(tmp_path: Path) -> None:
    path = sheets(
        tmp_path / "o.xlsx",
        cover=[["Report", "Report"], ["of January"]],
        hidden=[["id", "amount"], ["h", 0]],
        jan=[["id", "amount"], ["a", 1], [], ["b", 2]],
        feb=[["amount", "id", "remark"], [3, "c", "late"]],
        empty=[],
        totals=[["amount"], [6]],
    )
    known = frozenset({"id", "amount", "day", "shop"})

    read = read_file(path, columns=known)

    assert_frame_equal(
        read.records,
        records(
            (2, '{"id":"a","amount":"1","remark":""}'),
            (4, '{"id":"b","amount":"2","remark":""}'),
            (6, '{"id":"c","amount":"3","remark":"late"}'),
        ),
    )


def test_sheets_that_are_not_read_are_named_by_their_place(tmp_path: Path) -> None:
    path = sheets(tmp_path / "o.xlsx", cover=[["Report"]], hidden=[["id"]], jan=[["id", "amount", "day"], ["a", 1, 2]])

    assert notes(path) == [
        "sheet 1 (hidden ones counted) was not read: it has another header",
        "sheet 2 (hidden ones counted) was not read: it is hidden",
    ]


def test_a_sheet_of_the_table_that_lacks_a_column_of_another_makes_the_workbook_unreadable(tmp_path: Path) -> None:
    path = sheets(tmp_path / "o.xlsx", jan=[["id", "amount", "day"], ["a", 1, 2]], feb=[["id", "amount"], ["b", 2]])

    with pytest.raises(
        UnreadableFileError, match=r"sheet 2 \(hidden ones counted\) has no column day, which another sheet has"
    ):
        read_file(path, columns=KNOWN)


def test_a_workbook_of_which_only_hidden_sheets_hold_anything_is_unreadable(tmp_path: Path) -> None:
    path = sheets(tmp_path / "o.xlsx", shown=[], hidden=[["id"], ["a"]])

    with pytest.raises(
        UnreadableFileError, match=r"only hidden sheets hold anything: sheet 2 \(hidden ones counted\)\. Unhide"
    ):
        read_file(path)


def test_without_a_contract_the_sheets_that_share_the_first_header_are_read(tmp_path: Path) -> None:
    path = sheets(tmp_path / "o.xlsx", one=[["a", "b"], [1, 2]], two=[["b", "a"], [3, 4]], three=[["c"], [5]])

    assert read_file(path).records["payload"].to_list() == ['{"a":"1","b":"2"}', '{"a":"4","b":"3"}']


def test_a_chart_sheet_is_passed_over(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.create_chartsheet("chart", 0)
    book.worksheets[0].append(["a"])
    book.worksheets[0].append([1])
    book.save(tmp_path / "o.xlsx")

    assert_frame_equal(read_file(tmp_path / "o.xlsx").records, records((2, '{"a":"1"}')))


def test_a_number_of_more_than_15_digits_is_refused_where_digits_count(tmp_path: Path) -> None:
    path = sheets(tmp_path / "o.xlsx", s=[["id", "amount"], [1234567890123456789, 1], ["1234567890123456789", 1e16]])

    read = read_file(path, columns=KNOWN, exact=frozenset({"id"}))

    assert_frame_equal(read.records, records((3, '{"id":"1234567890123456789","amount":"10000000000000000"}')))
    assert read.malformed["reason"].to_list() == [
        "id: a number of more than 15 digits, and Excel keeps 15; format the column as text"
    ]


def test_literals_of_a_number_format_count_only_where_digits_do(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["id", "amount"])
    for column in (1, 2):
        book.active.cell(2, column, 12).number_format = '"K-"0000'
    book.save(tmp_path / "o.xlsx")

    read = read_file(tmp_path / "o.xlsx", exact=frozenset({"id"}))

    assert read.records["payload"].to_list() == ['{"id":"K-0012","amount":"12"}']


@pytest.mark.parametrize(
    ("epoch", "serial", "text"), [(1900, 61, "1900-03-01"), (1900, 45292, "2024-01-01"), (1904, 43830, "2024-01-01")]
)
def test_dates_of_both_calendars_are_read(tmp_path: Path, epoch: int, serial: int, text: str) -> None:
    book = openpyxl.Workbook()
    book.epoch = CALENDAR_MAC_1904 if epoch == 1904 else CALENDAR_WINDOWS_1900
    book.active.append(["day"])
    book.active.cell(2, 1, serial).number_format = "yyyy-mm-dd"
    book.save(tmp_path / "o.xlsx")

    assert read_file(tmp_path / "o.xlsx").records["payload"].to_list() == [f'{{"day":"{text}"}}']


def test_of_merged_cells_the_first_holds_the_value_and_a_formula_never_computed_holds_none(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["a", "b", "c"], ["x", None, "=1+1"]):
        book.active.append(row)
    book.active.merge_cells("A2:B2")
    book.save(tmp_path / "o.xlsx")

    assert read_file(tmp_path / "o.xlsx").records["payload"].to_list() == ['{"a":"x","b":"","c":""}']


def test_a_cell_of_a_first_row_that_is_no_header_is_called_by_its_position(tmp_path: Path) -> None:
    path = workbook(tmp_path / "o.xlsx", {1: ["x", "Ann Smith"], 2: ["y", 12345678901234567890]})

    assert read_file(path).malformed["reason"][0].startswith("column 2: a number of more than 15 digits")
