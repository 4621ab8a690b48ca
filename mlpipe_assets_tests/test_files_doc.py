"""docs/files.md is a promise: every row of its tables has a test that tries it.

To add a row there: add its first cell here, with the test that tries just that as `path/to/test_module.py::test_name` (or a row of
TEXT_FILES or VALUES below, which are tried in this module). A row without a test fails, and so does a test that is not there.
"""

import ast
import io
import os
import re
import stat
from dataclasses import replace
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Annotated

import openpyxl
import pandera.polars as pa
import polars as pl
import pytest

from mlpipe_assets.catalog.declarations import Source, Tolerance
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.contracts.sourced import Sourced
from mlpipe_assets.intake.drop_zone import DropZone, undeclared_folders
from mlpipe_assets.readers.blocks import UnreadableFileError
from mlpipe_assets.readers.open import read_blocks
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.transforms.casts import cast_column
from mlpipe_assets_tests.frames import HEADER, JAN_5, JAN_6, build, drop, events, order, orders_csv, take
from mlpipe_assets_tests.readers.reading import read_bytes

DOCUMENT = Path(__file__).parents[1] / "docs" / "files.md"
TESTS = Path(__file__).parent

UNREADABLE = "unreadable"
TEXT_FILES: dict[str, list[tuple[bytes, object]]] = {
    "byte order mark": [(b"\xef\xbb\xbfa,b\n1,2\n", [(2, "1", "2")])],
    "UTF-16 with its mark": [("a,b\n1,é\n".encode("utf-16"), [(2, "1", "é")])],
    "CRLF, or the lone CR of old Macs": [(b"a,b\r\n1,2\r\n", [(2, "1", "2")]), (b"a,b\r1,2\r", [(2, "1", "2")])],
    "no line end after the last line": [(b"a,b\n1,2", [(2, "1", "2")])],
    "empty lines, also before the header": [(b"\n\na,b\n\n1,2\n", [(5, "1", "2")])],
    "comma, semicolon, tab or bar as delimiter": [
        (f"a{mark}b\n1{mark}2\n".encode(), [(2, "1", "2")]) for mark in ",;\t|"
    ],
    "quoted fields with delimiters, line feeds, doubled quotes": [
        (b'a,b\n"1,""x""\n",2\n3,4\n', [(2, '1,"x"\n', "2"), (4, "3", "4")])
    ],
    "a line with more or fewer fields than the header": [
        (b"a,b\n1,2,3\n4,5\n", [(3, "4", "5")]),
        (b"a,b\n1\n4,5\n", [(3, "4", "5")]),
    ],
    "broken quotes": [(b'a,b\n"1"x,2\n"3,4\n5,6\n', [(4, "5", "6")])],
    "bytes that are not UTF-8": [(b"a,b\n\xe9,2\n3,4\n", [(3, "3", "4")]), (b"\xe9,b\n3,4\n", UNREADABLE)],
    "a NUL byte": [
        (b"a,b\n\0,2\n3,4\n", UNREADABLE),
        (b"a,b\n" + b"\n" * 70_000 + b"\0,2\n3,4\n", [(70_003, "3", "4")]),
    ],
    "a column name twice in the header": [(b"a,a\n1,2\n", UNREADABLE)],
    "white space around column names": [(b" a ,\tb\n1,2\n", [(2, "1", "2")])],
    "no row of it can be read": [(b"a,b\n1\n", UNREADABLE), (b"a,b\n1\n2\n3\n", UNREADABLE)],
}
DECIMAL = pl.Decimal(18, 2)
VALUES: dict[str, list[tuple[object, str, object]]] = {
    "`1e2` or `12.345` for a decimal of two places, `2.0` for a whole number": [
        (DECIMAL, "1e2", None),
        (DECIMAL, "12.345", None),
        (pl.Int64(), "2.0", None),
    ],
    "`1,5` or `1 000`": [(pl.Float64(), "1,5", None), (pl.Int64(), "1 000", None), (DECIMAL, "1 000", None)],
    "`007` as a whole number": [(pl.Int64(), "007", 7), (pl.String(), "007", "007")],
    "`true t yes y 1`, `false f no n 0`, any case": [
        *((pl.Boolean(), text, True) for text in ("true", "T", "Yes", "y", "1")),
        *((pl.Boolean(), text, False) for text in ("False", "f", "NO", "n", "0")),
        *((pl.Boolean(), text, None) for text in ("2", "on", "")),
    ],
}
_DELIMITED, _JSON = "readers/test_delimited.py", "readers/test_json_text.py"
_EXCEL, _PARQUET = "readers/test_spreadsheet.py", "readers/test_columnar.py"
_RAW, _INTERIM, _POLICY = "stages/test_raw.py", "stages/test_interim.py", "stages/test_interim_policy.py"
_PLACEMENT = "stages/test_raw_placement.py"
_ZONE, _KNOWN, _TIMES, _CASTS = (
    "intake/test_drop_zone.py",
    "intake/test_known_at.py",
    "transforms/test_times.py",
    "transforms/test_casts.py",
)
_HERE = Path(__file__).name
TRIED: dict[str, str] = {
    "a line that must hold many records: carriage returns between them among line feeds, or ten times the fields of the header": (
        f"{_DELIMITED}::test_a_line_that_must_hold_many_records_makes_the_file_unreadable"
    ),
    "a column without a name": f"{_HERE}::test_a_column_without_a_name_is_called_by_its_position",
    "columns in another order": (
        f"{_INTERIM}::test_columns_of_several_files_of_a_day_may_stand_in_any_order_and_number"
    ),
    "columns the contract does not know": (
        f"{_INTERIM}::test_columns_of_several_files_of_a_day_may_stand_in_any_order_and_number"
    ),
    "a column of the contract that is not there": (
        f"{_POLICY}::test_row_1_a_missing_column_stops_the_run_and_leaves_yesterdays_partition_in_place"
    ),
    "the column of the event time is not there": (
        f"{_POLICY}::test_row_1_a_file_without_the_event_time_column_is_an_error_that_names_it"
    ),
    "a column that `Source.prepare` needs is not there": (
        f"{_RAW}::test_a_source_whose_prepare_needs_a_column_names_it"
    ),
    "a column that came into the contract later": (
        f"{_HERE}::test_a_column_that_came_later_is_null_or_its_default_on_days_before"
    ),
    "header only, or an empty file": f"{_RAW}::test_a_header_alone_or_an_empty_list_is_a_delivery_of_no_rows",
    "nothing in common with the contract: a log-in page, a notice, a cover text, a header in another language, another table": (
        f"{_RAW}::test_a_file_that_has_nothing_in_common_with_the_contract_is_unreadable"
    ),
    "far more than its size says: contents, refused rows, values or columns beyond `Files(limits=…)`": (
        "readers/test_options.py::test_a_file_that_unpacks_to_far_more_than_its_size_is_unreadable"
    ),
    "gzip cut short, empty, or not gzip at all": f"{_DELIMITED}::test_a_broken_gzip_refuses_the_file",
    "another extension (`.pdf`, `.xls`, `.zip`)": (
        f"{_RAW}::test_files_that_cannot_be_read_are_named_with_the_reason_while_others_go_on"
    ),
    "JSON objects and lists, one after another": f"{_JSON}::test_objects_and_lists_one_after_another_are_all_read",
    'a list of records inside other JSON (`{"data": [...]}`)': (
        f"{_JSON}::test_records_inside_other_json_are_read_by_their_declared_path"
    ),
    'a table by columns (`{"id": [1, 2], ...}`), a list of objects inside the list': (
        f"{_RAW}::test_a_file_that_has_nothing_in_common_with_the_contract_is_unreadable"
    ),
    "a broken line or element, one that is no object, `NaN`": (
        f"{_JSON}::test_a_broken_element_is_refused_alone_in_lines_and_arrays"
    ),
    "a list or a wrapper that is never closed": (
        f"{_JSON}::test_a_list_that_is_never_closed_makes_the_file_unreadable"
    ),
    "missing or doubled commas between elements": (
        f"{_JSON}::test_an_array_keeps_its_whole_elements_whatever_is_broken"
    ),
    "an empty list": f"{_RAW}::test_a_header_alone_or_an_empty_list_is_a_delivery_of_no_rows",
    "digits of JSON numbers": f"{_RAW}::test_json_numbers_keep_their_digits",
    "a field that one object lacks": (
        "transforms/test_events.py::test_payloads_become_text_and_numbers_keep_the_digits_they_were_written_with"
    ),
    "nested objects and arrays": "transforms/test_events.py::test_a_nested_value_is_its_json_verbatim",
    "numbers and dates in Excel": f"{_EXCEL}::test_a_cell_becomes_text",
    'Excel: number formats of zeros and literals (`00000`, `000-00-0000`, `"K-"0000`)': (
        f"{_EXCEL}::test_a_cell_becomes_text"
    ),
    "Excel: a whole number of more than 15 digits": (
        f"{_EXCEL}::test_a_number_of_more_than_15_digits_is_refused_where_digits_count"
    ),
    "Excel: error cells (`#N/A`, `#REF!`, a date before 1900)": f"{_EXCEL}::test_a_cell_becomes_text",
    "Excel: empty rows": f"{_EXCEL}::test_rows_of_the_first_filled_sheet_keep_their_numbers",
    "Excel: several sheets": (
        f"{_EXCEL}::test_all_visible_sheets_with_the_tables_header_are_read_and_the_others_named"
    ),
    "Excel: hidden sheets, chart sheets, hidden rows": (
        f"{_HERE}::test_hidden_sheets_and_charts_are_not_read_and_hidden_rows_are"
    ),
    "Excel: merged cells": (
        f"{_EXCEL}::test_of_merged_cells_the_first_holds_the_value_and_a_formula_never_computed_holds_none"
    ),
    "Excel: dates of the 1900 and of the 1904 calendar": f"{_EXCEL}::test_dates_of_both_calendars_are_read",
    "typed dates and times of Excel and Parquet under `Source.time_formats`": (
        f"{_HERE}::test_a_typed_date_needs_its_iso_form_beside_the_one_that_people_type"
    ),
    "Excel: formulas": (
        f"{_EXCEL}::test_of_merged_cells_the_first_holds_the_value_and_a_formula_never_computed_holds_none"
    ),
    "old `.xls` format or a password, saved as `.xlsx`": f"{_EXCEL}::test_what_is_no_workbook_is_unreadable",
    "Parquet times, nested values": f"{_PARQUET}::test_a_value_becomes_text_and_null_stays_null",
    "Parquet: bytes without the mark of text": (
        f"{_PARQUET}::test_text_without_its_mark_is_text_and_a_value_that_is_none_refuses_its_row_where_the_table_knows_the_column"
    ),
    "Parquet: whole numbers written as floats or decimals": (
        f"{_PARQUET}::test_twelve_is_one_value_whatever_type_it_was_written_as"
    ),
    "Parquet: floats from 2^53 on, `NaN`, infinity": (
        f"{_PARQUET}::test_a_float_too_large_to_be_exact_is_refused_where_digits_count"
    ),
    "logs: a line that the pattern of `Files(lines=…)` does not match from end to end": (
        "readers/test_log_lines.py::test_a_line_that_the_pattern_does_not_match_from_end_to_end_is_refused_with_its_number"
    ),
    "logs: a group that takes no part in a line; empty lines": (
        "readers/test_log_lines.py::test_named_groups_are_columns_and_a_group_that_is_not_there_is_null"
    ),
    "logs: a `.log` where no pattern is declared": (
        "readers/test_log_lines.py::test_a_log_without_a_pattern_and_one_of_nothing_else_than_other_lines_are_told"
    ),
    "Parquet: categories, dictionaries, unsigned numbers": (
        f"{_PARQUET}::test_twelve_is_one_value_whatever_type_it_was_written_as"
    ),
    "damaged workbook or Parquet file": f"{_PARQUET}::test_what_is_no_parquet_file_is_unreadable",
    "subfolders": f"{_ZONE}::test_files_in_subfolders_are_found_and_hidden_ones_and_transfers_are_not",
    "a folder called `x.csv`, a named pipe, a device": (
        f"{_HERE}::test_what_is_no_file_is_reported_and_the_rest_is_read"
    ),
    "a name that is not UTF-8": f"{_HERE}::test_what_is_no_file_is_reported_and_the_rest_is_read",
    "a link to a file inside the source's folder": f"{_HERE}::test_what_is_no_file_is_reported_and_the_rest_is_read",
    "a link that leads out of it, nowhere or back to itself": (
        f"{_ZONE}::test_a_link_that_leads_nowhere_is_named_and_the_files_beside_it_are_read"
    ),
    "`.hidden`, `~$lock`, `.tmp`, `.part`, `.partial`, `.crdownload`, `.swp`, `name~`": (
        f"{_ZONE}::test_files_in_subfolders_are_found_and_hidden_ones_and_transfers_are_not"
    ),
    "a folder below `raw/` that no source is declared for": (
        f"{_ZONE}::test_folders_no_source_is_declared_for_are_named"
    ),
    "still being written": f"{_RAW}::test_a_file_still_being_written_waits_for_the_next_run_while_others_go_on",
    "a file taken away": f"{_HERE}::test_a_file_taken_away_leaves_its_events",
    "a file that comes late": f"{_RAW}::test_a_late_file_touches_exactly_its_days",
    "many days in one file, many files for a day": (
        f"{_INTERIM}::test_the_split_of_rows_among_files_never_changes_the_table"
    ),
    "white space around values": f"{_CASTS}::test_text_is_trimmed_and_the_texts_that_mean_null_are_null",
    "texts that mean null": f"{_CASTS}::test_text_is_trimmed_and_the_texts_that_mean_null_are_null",
    "event time null or unreadable": (
        f"{_RAW}::test_rows_without_a_readable_event_time_are_quarantined_under_the_day_they_arrived"
    ),
    "event time before `MLPIPE_START_DATE` or after today": (
        f"{_RAW}::test_events_outside_the_partitions_are_kept_and_reported"
    ),
    "event time after the file was known, by more than `Source.ahead_within` (one day)": (
        f"{_PLACEMENT}::test_an_event_dated_after_it_could_be_known_is_kept_and_not_processed"
    ),
    "a day all of whose rows were refused": (
        "automation/test_catch_up.py::test_a_day_all_of_whose_rows_are_refused_is_neither_the_first_nor_the_newest"
    ),
    "`time_zone`, `time_formats` or `prepare` changed": (
        f"{_PLACEMENT}::test_another_declaration_moves_the_rows_to_its_days_and_leaves_none_behind"
    ),
    "`MLPIPE_START_DATE` moved later": (
        "test_start_date.py::test_days_before_a_later_start_are_out_everywhere_and_in_again_when_it_moves_back"
    ),
    "times with an offset": f"{_CASTS}::test_times_without_an_offset_are_of_the_sources_zone",
    "a clock reading that does not exist when clocks go forward": (
        f"{_TIMES}::test_a_clock_reading_is_the_earlier_instant_of_its_zone_or_none"
    ),
    "one that comes twice when they go back": (
        f"{_TIMES}::test_a_clock_reading_is_the_earlier_instant_of_its_zone_or_none"
    ),
    "a date alone where a time belongs": (
        f"{_TIMES}::test_a_date_alone_is_the_first_moment_of_its_day_also_where_clocks_skip_midnight"
    ),
    "ISO 8601, the default": f"{_TIMES}::test_every_form_of_iso_8601_is_its_instant",
    "`24:00`": f"{_TIMES}::test_the_end_of_a_day_is_the_first_moment_of_the_next_also_where_clocks_skip_midnight",
    "`23:59:60` in UTC": f"{_TIMES}::test_every_form_of_iso_8601_is_its_instant",
    "a year that has not four digits, or a sign (`24-01-05`, `-2024-01-05`)": (
        f"{_TIMES}::test_a_declared_format_reads_years_of_four_digits_and_no_sixtieth_second"
    ),
    "years 0001 to 9999": f"{_TIMES}::test_every_form_of_iso_8601_is_its_instant",
    "other date formats": f"{_CASTS}::test_formats_are_tried_in_order_value_by_value",
    "a Parquet date or time outside the years 1 to 9999": (
        f"{_PARQUET}::test_a_date_outside_the_calendar_is_its_stored_number"
    ),
    "`NaN` or an infinity in a float column": f"{_CASTS}::test_floats",
    "a key twice in one file": f"{_POLICY}::test_row_5_duplicates_are_resolved_and_counted",
    "a key on two days within `dedupe_within`": (
        f"{_INTERIM}::test_a_key_sent_again_with_another_event_date_leaves_the_day_it_was_on"
    ),
    "the same file again: the same content and base name in another folder, or touched": (
        f"{_RAW}::test_a_touched_file_with_the_same_content_is_no_new_delivery"
    ),
    "the same content under another name": (
        f"{_RAW}::test_the_same_content_under_another_name_is_named_and_not_counted_twice"
    ),
    "a file without a date in its name, touched after other content came": (
        f"{_RAW}::test_content_that_comes_back_under_its_name_is_the_senders_last_word"
    ),
    "other content under a known name": (
        f"{_RAW}::test_changed_content_under_a_known_name_is_a_new_delivery_that_wins_every_tie"
    ),
    "a corrected file under another name": (
        f"{_INTERIM}::test_of_two_files_of_one_day_the_one_modified_later_wins_whatever_its_name"
    ),
    "two files that only their names can tell apart, with other values for a key, or with a key on two days": (
        f"{_INTERIM}::test_a_full_tie_goes_to_the_later_name_as_people_order_names_and_then_to_the_later_record"
    ),
    "no date in the file's name, or none that is plausible": (
        f"{_KNOWN}::test_what_was_not_taken_for_a_date_is_said_and_which_of_several_was"
    ),
    "a date in the name (`2026-01-05`, `20260105`, `2026_01_05`, `2026.01.05`, no digit beside it)": (
        f"{_KNOWN}::test_which_digits_of_a_name_are_a_date_and_a_time"
    ),
    "a time of day after it (`T0730Z`, `T07:30+01:00`, `_073000`, ` 07.30`, `20260105073000`)": (
        f"{_KNOWN}::test_which_digits_of_a_name_are_a_date_and_a_time"
    ),
    "`_9999`, `_240000` after a date; `_0001` to `_0059`, `_000001` to `_000059`": (
        f"{_KNOWN}::test_which_digits_of_a_name_are_a_date_and_a_time"
    ),
    "several dates in a name (`p_2026-01-05_2026-01-11`)": (
        f"{_KNOWN}::test_which_digits_of_a_name_are_a_date_and_a_time"
    ),
    "a date more than a year before `MLPIPE_START_DATE`, or more than 31 days after the file's modification": (
        f"{_KNOWN}::test_a_date_long_before_the_start_or_long_after_the_modification_is_none"
    ),
    "other digits (`e_1768010200`, `batch_0000001234`)": (
        f"{_KNOWN}::test_which_digits_of_a_name_are_a_date_and_a_time"
    ),
    "several files of a snapshot source on one day": (
        "stages/test_histories.py::test_a_day_of_a_snapshot_is_the_last_table_of_that_day_and_no_day_repeats_the_one_before"
    ),
    "a snapshot with the content of the one before": (
        "stages/test_histories.py::test_a_day_of_a_snapshot_is_the_last_table_of_that_day_and_no_day_repeats_the_one_before"
    ),
    "the first file of a snapshot source without a date in its name": (
        f"{_RAW}::test_the_first_snapshot_without_a_date_stands_for_all_days_since_the_start"
    ),
}


def rows_of_the_document() -> list[str]:
    """First cells of all rows of its tables."""
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    return [line[2:].split(" | ")[0] for line in lines if line.startswith("| ") and not line.startswith("| oddity |")]


@cache
def functions_of(path: str) -> set[str]:
    tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", rows_of_the_document())
def test_every_row_of_the_document_has_a_test(row: str) -> None:
    if row in TEXT_FILES or row in VALUES:
        return
    assert row in TRIED, "add the row to TRIED with the test that tries it"
    path, _, name = TRIED[row].partition("::")
    assert name in functions_of(path)


def test_no_test_is_named_for_a_row_that_is_not_there() -> None:
    assert {*TRIED, *TEXT_FILES, *VALUES} - set(rows_of_the_document()) == set()


@pytest.mark.parametrize(
    ("row", "content", "expected"), [(row, *case) for row, cases in TEXT_FILES.items() for case in cases]
)
def test_a_text_file_is_read_as_its_row_says(tmp_path: Path, row: str, content: bytes, expected: object) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    try:
        blocks = list(read_blocks(tmp_path / "a.csv"))
    except UnreadableFileError:
        assert expected == UNREADABLE
        return

    text = pl.concat([block.text for block in blocks if block.text is not None])
    numbers = pl.concat([block.records for block in blocks])["record_number"]
    assert text.columns == ["a", "b"]
    assert [(number, *values) for number, values in zip(numbers, text.rows(), strict=True)] == expected


@pytest.mark.parametrize(
    ("row", "dtype", "text", "expected"), [(row, *case) for row, cases in VALUES.items() for case in cases]
)
def test_a_value_is_read_as_its_row_says(row: str, dtype: pl.DataType, text: str, expected: object) -> None:
    assert cast_column(pl.Series("v", [text]), dtype).to_list() == [expected]


def test_a_column_without_a_name_is_called_by_its_position(tmp_path: Path) -> None:
    assert read_bytes(tmp_path, b"a,,b\n1,2,3\n").records["payload"].to_list() == ['{"a":"1","_column_2":"2","b":"3"}']


def test_hidden_sheets_and_charts_are_not_read_and_hidden_rows_are(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.create_chartsheet("chart", 0)
    book.create_sheet("secret", 0).append(["a"])
    book["secret"].sheet_state = "hidden"
    for value in ("a", "seen", "hidden row"):
        book["Sheet"].append([value])
    book["Sheet"].row_dimensions[3].hidden = True
    book.save(tmp_path / "a.xlsx")

    blocks = list(read_blocks(tmp_path / "a.xlsx"))

    assert blocks[0].records["payload"].to_list() == ['{"a":"seen"}', '{"a":"hidden row"}']
    assert blocks[0].notes == ("sheet 1 (hidden ones counted) was not read: it is hidden",)


def test_what_is_no_file_is_reported_and_the_rest_is_read(tmp_path: Path) -> None:
    zone = tmp_path / "orders"
    (zone / "folder.csv").mkdir(parents=True)
    (zone / "a.csv").touch()
    (zone / "link.csv").symlink_to("a.csv")
    os.mkfifo(zone / "pipe.csv")
    (zone / "null.csv").symlink_to("/dev/null")
    os.close(os.open(os.fsencode(zone) + b"/caf\xe9.csv", os.O_CREAT))
    Path(os.fsdecode(os.fsencode(zone) + b"/f\xe9.csv")).mkdir()
    for name in ("loop.csv", "around"):
        (zone / name).symlink_to(name)

    files, problems = DropZone(folder=zone, source=orders).look({})

    assert [file.name for file in files] == ["a.csv", "link.csv"]
    named = {problem.name: problem.reason for problem in problems}
    assert set(named) == {"folder.csv", "pipe.csv", "null.csv", "caf\\xe9.csv", "f\\xe9.csv", "loop.csv", "around"}
    assert stat.S_ISFIFO((zone / "pipe.csv").stat().st_mode)
    assert undeclared_folders(tmp_path, []) == ["orders"]


def test_a_folder_beside_the_sources_that_is_a_link_to_itself_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "other").mkdir()

    assert undeclared_folders(tmp_path, ["orders"]) == ["other"]


@pytest.mark.parametrize(
    ("more", "read"),
    [((), {JAN_6: 1}), (("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"), {JAN_5: 2, JAN_6: 1})],
    ids=["one form", "both"],
)
def test_a_typed_date_needs_its_iso_form_beside_the_one_that_people_type(
    tmp_path: Path, more: tuple[str, ...], read: dict[date, int]
) -> None:
    lake, book = Lake(data_dir=str(tmp_path)), io.BytesIO()
    workbook = openpyxl.Workbook()
    workbook["Sheet"].append(HEADER.split(","))
    for time in (datetime(2026, 1, 5, 10), date(2026, 1, 5), "06.01.2026 10:00"):
        workbook["Sheet"].append(["o1", "c1", time, 1, 1, "P00001", "web", "north"])
    workbook.save(book)
    drop(lake, "orders_2026-01-06.xlsx", book.getvalue())

    found = take(lake, replace(orders, time_formats=("%d.%m.%Y %H:%M", *more)))

    assert found.new[0].events == read


def test_a_file_taken_away_leaves_its_events(tmp_path: Path) -> None:
    lake = Lake(data_dir=str(tmp_path))
    path = drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1")))
    take(lake)
    path.unlink()

    assert take(lake).problems == []
    assert events(lake).height == 1


class Shops(Sourced):
    """Shops. Grain: shop_id. channel is null before it was recorded."""

    shop_id: str
    seen_at: Annotated[pl.Datetime, "us", "UTC"]
    channel: str = pa.Field(nullable=True, metadata={"since": "2026-01-06"})
    country: str = pa.Field(metadata={"default": "DE"})
    tier: str = pa.Field(nullable=True, metadata={"since": date(2026, 1, 6), "default": "basic"})

    class Config:
        strict = True


class Strict(Sourced):
    """Shops. Grain: shop_id."""

    shop_id: str
    seen_at: Annotated[pl.Datetime, "us", "UTC"]
    channel: str = pa.Field(metadata={"since": "2026-01-06"})
    country: str = pa.Field(nullable=True)

    class Config:
        strict = True


SHOPS = Source(name="orders", contract=Shops, key=("shop_id",), event_time="seen_at", tolerance=Tolerance(share=0.0))


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_column_that_came_later_is_null_or_its_default_on_days_before(tmp_path: Path, kind: str) -> None:
    lake = Lake(data_dir=str(tmp_path))
    old = pl.DataFrame({"shop_id": ["s1", "s2"], "seen_at": ["2026-01-05T10:00:00Z", "2026-01-06T10:00:00Z"]})
    new = old[1:].with_columns(channel=pl.lit("web"), country=pl.lit("FR"), tier=pl.lit("gold"), shop_id=pl.lit("s3"))
    drop(lake, f"old_2026-01-06.{kind}", old.write_csv() if kind == "csv" else old.write_ndjson())
    drop(lake, f"new_2026-01-06.{kind}", new.write_csv() if kind == "csv" else new.write_ndjson())
    take(lake, SHOPS)

    first, second = build(lake, [JAN_5, JAN_6], SHOPS)

    columns = ["shop_id", "channel", "country", "tier"]
    assert first.refused is None
    assert lake.read("interim", "orders", JAN_5).select(columns).rows() == [("s1", None, "DE", "basic")]
    if kind == "csv":  # a file that names its columns and lacks one it should have
        assert second.refused is not None
        assert second.refused.startswith(
            "channel: column missing from the file (old_2026-01-06.csv); if older files never had it"
        )
    else:  # an object without a name has null there
        assert lake.read("interim", "orders", JAN_6).select(columns).sort("shop_id").rows() == [
            ("s2", None, "DE", None),
            ("s3", "web", "FR", "gold"),
        ]


def test_a_column_that_may_not_be_null_stays_missing_and_the_way_out_is_named_where_there_is_one(
    tmp_path: Path,
) -> None:
    lake = Lake(data_dir=str(tmp_path))
    source = replace(SHOPS, contract=Strict)
    drop(lake, "a_2026-01-05.csv", "shop_id,seen_at\ns1,2026-01-05T10:00:00Z\n")
    take(lake, source)

    (outcome,) = build(lake, [JAN_5], source)

    assert outcome.refused is not None
    assert re.fullmatch(
        r"channel: column missing from the file \(a_2026-01-05\.csv\); country: column missing from the file "
        r'\(a_2026-01-05\.csv\); if older files never had it, declare metadata=\{"since": "2026-02-01"\} on its Field',
        outcome.refused,
    )
