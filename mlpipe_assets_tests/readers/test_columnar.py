"""Parquet files: values as text, nulls kept."""

import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlpipe_assets.readers.blocks import UnreadableFileError
from mlpipe_assets_tests.readers.reading import Whole, malformed, read_bytes, read_file, records


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("000123", "000123"),
        (5, "5"),
        (5.0, "5"),
        (-0.0, "0"),
        (1.5, "1.5"),
        (1e-7, "0.0000001"),
        (Decimal("12.00"), "12"),
        (True, "true"),
        (Decimal("1.10"), "1.10"),
        (date(2026, 1, 5), "2026-01-05"),
        (datetime(2026, 1, 5, 1, 2, 3), "2026-01-05T01:02:03"),
        (datetime(2026, 1, 5, 1, 2, 3, 400000), "2026-01-05T01:02:03.400000"),
        (datetime(2026, 1, 5, tzinfo=UTC), "2026-01-05T00:00:00+00:00"),
        (time(1, 2, 3, 4), "01:02:03.000004"),
        (b"caf\xc3\xa9", "café"),
        (timedelta(hours=30), "P1DT6H"),
        ([1, 2], "[1, 2]"),
        ({"k": "é"}, '{"k": "é"}'),
        ({"k": [Decimal("1.10"), Decimal("2.00")], "n": None}, '{"k": [1.10, 2.00], "n": null}'),
        ([datetime(2026, 1, 5)], '["2026-01-05T00:00:00"]'),
        ([1.0, float("nan"), float("inf")], "[1.0, null, null]"),
        ([b"a", b"\xff"], '["a", "ff"]'),
    ],
)
def test_a_value_becomes_text_and_null_stays_null(tmp_path: Path, value: object, text: str) -> None:
    pl.DataFrame({"a": [value, None]}).write_parquet(tmp_path / "o[1].parquet")

    read = read_file(tmp_path / "o[1].parquet")

    assert read.text is not None
    assert_frame_equal(read.text, pl.DataFrame({"a": [text, None]}, schema={"a": pl.String}))
    assert read.records.get_column("payload")[1] == '{"a":null}'


@pytest.mark.parametrize(
    ("dtype", "stored"),
    [
        (pl.Date, [2_932_897, -719_163, 2**31 - 1]),
        (pl.Datetime("ms"), [253_402_300_800_000, 2**63 - 1, -(2**63)]),
        (pl.Datetime("us", "UTC"), [253_402_300_800_000_000, 2**63 - 1, -(2**63)]),
    ],
)
def test_a_date_outside_the_calendar_is_its_stored_number(
    tmp_path: Path, dtype: pl.DataType, stored: list[int]
) -> None:
    numbers = pl.Series([0, *stored, None], dtype=pl.Int32 if dtype == pl.Date else pl.Int64)
    pl.DataFrame({"t": numbers.cast(dtype)}).write_parquet(tmp_path / "a.parquet")

    text = read_file(tmp_path / "a.parquet").text

    assert text is not None
    assert text["t"].str.head(10).to_list()[0] == "1970-01-01"
    assert text["t"].to_list()[1:] == [*map(str, stored), None]


@pytest.mark.parametrize("block_bytes", [1, 1 << 20])
def test_records_are_numbered_by_position(tmp_path: Path, block_bytes: int) -> None:
    pl.DataFrame({"a": ["x", 'y"', None], "b": [1, None, 3]}).write_parquet(tmp_path / "o.parquet")

    read = read_file(tmp_path / "o.parquet", block_bytes=block_bytes)

    expected = records((1, '{"a":"x","b":"1"}'), (2, '{"a":"y\\"","b":null}'), (3, '{"a":null,"b":"3"}'))
    assert_frame_equal(read.records, expected)
    assert_frame_equal(read.malformed, malformed())


def test_a_file_without_rows_is_one_empty_block(tmp_path: Path) -> None:
    pl.DataFrame(schema={"a": pl.Int64}).write_parquet(tmp_path / "o.parquet")

    read = read_file(tmp_path / "o.parquet")

    assert read.text is not None
    assert_frame_equal(read.text, pl.DataFrame(schema={"a": pl.String}))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"a,b\n1,2\n" * 9])
def test_what_is_no_parquet_file_is_unreadable(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UnreadableFileError, match=r"o\.parquet: not a readable Parquet file"):
        read_bytes(tmp_path, content, "o.parquet")


def read_frame(folder: Path, frame: pl.DataFrame, **options: Any) -> Whole:
    frame.write_parquet(folder / "o.parquet")
    return read_file(folder / "o.parquet", **options)


def test_text_without_its_mark_is_text_and_a_value_that_is_none_refuses_its_row_where_the_table_knows_the_column(
    tmp_path: Path,
) -> None:
    frame = pl.DataFrame({"id": [b"C1", b"caf\xe9", None], "hash": [b"\xff", b"ab", b"\xfe"]})

    read = read_frame(tmp_path, frame, columns=frozenset({"id"}))

    assert read.text is not None
    assert read.text.rows() == [("C1", "ff"), (None, "fe")]
    assert_frame_equal(read.malformed, malformed((2, '{"id":"636166e9","hash":"ab"}', "id: not UTF-8 text")))


@pytest.mark.parametrize(
    "dtype", [pl.Int8, pl.UInt64, pl.Float32, pl.Float64, pl.Decimal(10, 2), pl.Categorical, pl.Binary, pl.String]
)
def test_twelve_is_one_value_whatever_type_it_was_written_as(tmp_path: Path, dtype: pl.DataType) -> None:
    twelve = (
        pl.Series("id", ["12"]).cast(dtype)
        if dtype in (pl.Binary, pl.Categorical, pl.String)
        else pl.Series("id", [12]).cast(dtype)
    )

    read = read_frame(tmp_path, twelve.to_frame())

    assert read.records["payload"].to_list() == ['{"id":"12"}']


def test_a_float_too_large_to_be_exact_is_refused_where_digits_count(tmp_path: Path) -> None:
    frame = pl.DataFrame({"id": [2.0**53, 2.0**53 - 1], "amount": [2.0**60, 0.5]})

    read = read_frame(tmp_path, frame, exact=frozenset({"id"}))

    assert read.records["payload"].to_list() == ['{"id":"9007199254740991","amount":"0.5"}']
    assert read.malformed["payload"].to_list() == ['{"id":"9007199254740992","amount":"1152921504606847000"}']
    assert "id: a float too large" in read.malformed["reason"][0]


def test_what_is_not_finite_is_null_where_digits_count_and_named_elsewhere(tmp_path: Path) -> None:
    frame = pl.DataFrame({"id": [math.nan, math.inf, 1.0], "amount": [math.nan, math.inf, -math.inf]})

    read = read_frame(tmp_path, frame, exact=frozenset({"id"}))

    assert read.text is not None
    assert read.text.rows() == [(None, "NaN"), (None, "inf"), ("1", "-inf")]
