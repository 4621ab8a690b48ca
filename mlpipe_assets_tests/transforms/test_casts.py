"""Text to types: exactly, or not at all."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal, assert_series_equal

from mlpipe_assets.transforms.casts import cast_column, explain_uncast, trim

INSTANT = pl.Datetime("us", "UTC")


def cast(values: Sequence[str | None], dtype: pl.DataType, **options: object) -> list[object]:
    series = cast_column(pl.Series("x", values, dtype=pl.String), dtype, **options)  # type: ignore[arg-type]
    assert (series.dtype, series.name, series.len()) == (dtype, "x", len(values))
    return series.to_list()


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "dtype", [pl.String(), pl.Boolean(), pl.Date(), INSTANT, pl.Decimal(18, 2), pl.Int64(), pl.Float64()]
)
def test_no_rows_and_nulls_stay_what_they_are(dtype: pl.DataType) -> None:
    assert cast([], dtype) == []
    assert cast([None], dtype) == [None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-05T10:00:00Z", "2026-01-05T10:00:00"),
        ("2026-01-05T10:00:00+01:00", "2026-01-05T09:00:00"),
        ("2026-01-05 10:00:00.123456-05:30", "2026-01-05T15:30:00.123456"),
        ("2026-01-05T10:00:00+0100", "2026-01-05T09:00:00"),
        ("2026-01-05T10:00:00", "2026-01-05T10:00:00"),
        ("2026-01-05 10:00:00.5", "2026-01-05T10:00:00.500000"),
        ("2026-01-05T10:00", "2026-01-05T10:00:00"),
        ("2026-01-05 10:00", "2026-01-05T10:00:00"),
        ("2026-01-05", "2026-01-05T00:00:00"),
        ("2024-02-29T23:59:59Z", "2024-02-29T23:59:59"),
    ],
)
def test_iso_times_become_utc_instants(text: str, expected: str) -> None:
    assert cast([text], INSTANT) == [utc(expected)]


@pytest.mark.parametrize(
    "text", ["2026-02-30", "2026-01-05T25:00:00", "05.01.2026", "1767607200", "soon", "2026-01-05T10:00:00Zx", ""]
)
def test_what_is_no_time_is_null(text: str) -> None:
    assert cast([text], INSTANT) == [None]


def test_formats_are_tried_in_order_value_by_value() -> None:
    formats = ("%d.%m.%Y %H:%M", "%m/%d/%Y %H:%M")

    assert cast(["05.01.2026 10:00", "01/06/2026 11:00", "2026-01-07"], INSTANT, formats=formats) == [
        utc("2026-01-05T10:00:00"),
        utc("2026-01-06T11:00:00"),
        None,
    ]
    assert cast(["05.01.2026", "01/06/2026"], pl.Date(), formats=("%d.%m.%Y", "%m/%d/%Y")) == [
        date(2026, 1, 5),
        date(2026, 1, 6),
    ]


def test_times_without_an_offset_are_of_the_sources_zone() -> None:
    assert cast(
        ["2026-01-05T10:00:00", "2026-07-05T10:00:00", "2026-07-05T10:00:00Z"], INSTANT, time_zone="Europe/Berlin"
    ) == [
        utc("2026-01-05T09:00:00"),
        utc("2026-07-05T08:00:00"),
        utc("2026-07-05T10:00:00"),
    ]


def test_a_clock_hour_that_repeats_is_the_earlier_and_one_that_does_not_exist_is_null() -> None:
    times = [
        "2026-03-29T01:59:59",
        "2026-03-29T02:30:00",
        "2026-03-29T03:00:00",
        "2026-10-25T02:30:00",
        "2026-10-25T03:00:00",
    ]

    assert cast(times, INSTANT, time_zone="Europe/Berlin") == [
        utc("2026-03-29T00:59:59"),
        None,
        utc("2026-03-29T01:00:00"),
        utc("2026-10-25T00:30:00"),
        utc("2026-10-25T02:00:00"),
    ]


def test_times_without_a_zone_are_utc_clock_times() -> None:
    assert cast(["2026-01-05T10:00:00+01:00"], pl.Datetime("us")) == [datetime(2026, 1, 5, 9)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.10", "1.10"),
        ("+1", "1.00"),
        (".5", "0.50"),
        ("7.", "7.00"),
        ("-0.01", "-0.01"),
        ("1.1000", "1.10"),
        ("9999999999999999.99", "9999999999999999.99"),
        ("0012", "12.00"),
        ("99999999999999999.99", None),
        ("1.005", None),
        ("1,5", None),
        ("1e2", None),
        ("nan", None),
        ("-", None),
        (".", None),
        ("1.2.3", None),
        ("٣", None),
    ],
)
def test_decimals_are_exact_or_null(text: str, expected: str | None) -> None:
    assert cast([text], pl.Decimal(18, 2)) == [Decimal(expected) if expected else None]


@given(st.decimals(min_value=Decimal("-9999999999999999.99"), max_value=Decimal("9999999999999999.99"), places=2))
def test_every_amount_of_two_decimals_survives(amount: Decimal) -> None:
    assert cast([f"{amount}"], pl.Decimal(18, 2)) == [amount]


def test_decimals_may_be_whole() -> None:
    assert cast(["12", "12.0", "12.5", ".0"], pl.Decimal(18, 0)) == [Decimal(12), Decimal(12), None, None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7", 7),
        ("-7", -7),
        ("+7", 7),
        ("007", 7),
        ("7.0", None),
        ("7.5", None),
        ("1e3", None),
        ("9223372036854775808", None),
        ("x", None),
        ("", None),
    ],
)
def test_whole_numbers_have_no_fraction(text: str, expected: int | None) -> None:
    assert cast([text], pl.Int64()) == [expected]


def test_booleans_come_in_a_few_words() -> None:
    words = ["true", "TRUE", "t", "Yes", "y", "1", "false", "F", "no", "N", "0", "maybe", "2", None]

    assert cast(words, pl.Boolean()) == [True] * 6 + [False] * 5 + [None] * 3


def test_floats() -> None:
    assert cast(["1.5", "-2", "1e3", "x"], pl.Float64()) == [1.5, -2.0, 1000.0, None]


def test_text_is_trimmed_and_the_texts_that_mean_null_are_null() -> None:
    text = pl.DataFrame({"a": [" x ", "NA", "", None, "\tnull"], "b": ["n/a", " NA ", "x y", " ", "0"]})

    expected = pl.DataFrame({"a": ["x", None, None, None, "null"], "b": ["n/a", None, "x y", None, "0"]})
    assert_frame_equal(trim(text, ("", "NA")), expected)


def test_trimming_twice_changes_nothing() -> None:
    once = trim(pl.DataFrame({"a": ["  x  y ", "NA"]}), ("", "NA"))

    assert_frame_equal(trim(once, ("", "NA")), once)


def test_text_stays_text() -> None:
    series = pl.Series("x", ["007", None])

    assert_series_equal(cast_column(series, pl.String()), series)


@pytest.mark.parametrize(
    ("dtype", "words"),
    [
        (
            pl.Decimal(18, 2),
            {
                "abc": "not a number with at most 2 decimals",
                "1.005": "not a number with at most 2 decimals",
                "12345678901234567.5": "more than 16 digits before the point",
            },
        ),
        (pl.Int8(), {"abc": "not a whole number", "1.0": "not a whole number", "128": "not between -128 and 127"}),
        (pl.UInt8(), {"-1": "not between 0 and 255"}),
        (pl.Float64(), {"abc": "not a number", "1e999": "NaN, or too large for a float"}),
        (pl.Boolean(), {"maybe": "not true or false: none of true, t, yes, y, 1, false, f, no, n, 0"}),
        (pl.Date(), {"soon": "not a date", "2026-01-05 10:00": "not a date", "2026-02-30": "no day of the calendar"}),
        (
            INSTANT,
            {
                "soon": "not a date and time",
                "2026-02-30": "no day of the calendar, or no time of the day",
                "2026-03-01T25:00": "no day of the calendar, or no time of the day",
                "2026-03-29T02:30:00": "a time that does not exist in Europe/Berlin, whose clocks skip it",
                "0001-01-01T00:00:00+05:00": "outside the years 1 to 9999",
            },
        ),
    ],
)
def test_what_a_value_is_not_is_said_for_each_by_itself(dtype: pl.DataType, words: dict[str, str]) -> None:
    assert cast([*words], dtype, time_zone="Europe/Berlin") == [None] * len(words)

    assert explain_uncast(pl.Series([*words]), dtype, time_zone="Europe/Berlin").to_list() == [*words.values()]


def test_what_is_not_of_a_declared_format_is_told_which_there_are() -> None:
    reasons = explain_uncast(pl.Series(["2026-01-05", "30.02.2026"]), pl.Date(), formats=("%d.%m.%Y", "%d.%m.%y"))

    assert reasons.to_list() == ["not a date as declared: %d.%m.%Y or %d.%m.%y", "no day of the calendar"]
