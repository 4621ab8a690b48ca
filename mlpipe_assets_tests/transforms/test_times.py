"""Text to instants and dates: ISO 8601 whole, declared formats strictly, and a wrong value is null."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlpipe_assets.transforms.casts import cast_column
from mlpipe_assets.transforms.times import days_of, read_dates, read_times

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Africa/Cairo", "Asia/Kolkata", "Australia/Lord_Howe")


def instants(
    texts: Sequence[str | None], formats: Sequence[str] | None = None, time_zone: str = "UTC"
) -> list[datetime | None]:
    text = pl.Series("t", texts, dtype=pl.String)
    return cast_column(text, pl.Datetime("us", "UTC"), formats=formats, time_zone=time_zone).to_list()


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-05T10:00:00", "2026-01-05T10:00:00"),
        ("2026-01-05t10:00:00z", "2026-01-05T10:00:00"),
        ("2026-01-05T10:00Z", "2026-01-05T10:00:00"),
        ("2026-01-05T10:00+01:00", "2026-01-05T09:00:00"),
        ("2026-01-05T10:00:00+01", "2026-01-05T09:00:00"),
        ("2026-01-05T10:00:00+0130", "2026-01-05T08:30:00"),
        ("2026-01-05 10:00:00 -0530", "2026-01-05T15:30:00"),
        ("2026-01-05 10:00:00 UTC", "2026-01-05T10:00:00"),
        ("2026-01-05T10:00:00-00:00", "2026-01-05T10:00:00"),
        ("2026-01-05T23:30:00-01:00", "2026-01-06T00:30:00"),
        ("2026-01-05 10:00:00,5", "2026-01-05T10:00:00.500000"),
        ("2026-01-05T10:00:00.123456789Z", "2026-01-05T10:00:00.123456"),
        ("2026-01-05T10:00:00.1", "2026-01-05T10:00:00.100000"),
        ("2026-01-05T10:30,5", "2026-01-05T10:30:30"),
        ("2026-01-05T10.25", "2026-01-05T10:15:00"),
        ("2026-01-05T10", "2026-01-05T10:00:00"),
        ("2026-01-05", "2026-01-05T00:00:00"),
        ("20260105T100000Z", "2026-01-05T10:00:00"),
        ("20260105T100000.250+0100", "2026-01-05T09:00:00.250000"),
        ("20260105T1000", "2026-01-05T10:00:00"),
        ("20260105", "2026-01-05T00:00:00"),
        ("2026-005T10:00:00", "2026-01-05T10:00:00"),
        ("2026005", "2026-01-05T00:00:00"),
        ("2024-366", "2024-12-31T00:00:00"),
        ("2026-W02-1T10:00:00Z", "2026-01-05T10:00:00"),
        ("2026W021T1000", "2026-01-05T10:00:00"),
        ("2020-W53-7", "2021-01-03T00:00:00"),
        ("2026-01-05T24:00:00", "2026-01-06T00:00:00"),
        ("2026-12-31T24:00Z", "2027-01-01T00:00:00"),
        ("2026-01-05T24:00:00+02:00", "2026-01-05T22:00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00"),
        ("2016-12-31T18:59:60.5-05:00", "2017-01-01T00:00:00.500000"),
        ("0001-01-01T00:00:00", "0001-01-01T00:00:00"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999"),
        ("2262-04-12T00:00:00", "2262-04-12T00:00:00"),
    ],
)
def test_every_form_of_iso_8601_is_its_instant(text: str, expected: str) -> None:
    assert instants([text]) == [utc(expected)]
    assert instants([None, text, "soon", "2026-01-05T00:00:00"]) == [None, utc(expected), None, utc("2026-01-05")]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "24-01-05",
            "2026-1-5",
            "+2026-01-05",
            "-2024-01-05",
            "-2024-01-05T10:00:00Z",
            "+002026-01-05",
            "02026-01-05",
        ),
        *("0000-01-01", "10000-01-01", "2026-13-01", "2026-02-30", "2026-00-10", "2025-366", "2026-000", "2025-W53-1"),
        *("2026-W02", "2026-W02-8", "2026-W00-1", "2026-01", "2026", "202601", "1768010200", "2026-0105", "202601-05"),
        *("2026-01-05T", "T10:00", "2026-01-05T1", "2026-01-05T10:0", "2026-01-05T10:00:0", "2026-01-05T25:00:00"),
        *("2026-01-05T10:60", "2026-01-05T10:00:60", "2026-01-05T10:00:61", "2026-01-05T24:00:01", "2026-01-05T24:30"),
        *("2026-01-05T24:00:00.5", "2026-01-05T10:0000", "2026-01-05T1000:00", "2026-01-05T10:00:00."),
        *("2026-01-05T10:00:00.1234567891", "2026-01-05T10:00:00+24:00", "2026-01-05T10:00:00+01:60"),
        *("2026-01-05T10:00:00+1", "2026-01-05T10:00:00+01:", "2026-01-05T10:00:00 CET", "2026-01-05  10:00:00"),
        *("2026-01- 5T10:00:00", "2026-01-05T 9:00:00", "2026-01-05T-1:00:00", "2026-01-05Z", "2026-01-05_10:00:00"),
        *("\uff12\uff10\uff12\uff16-01-05", "\u0662\u0660\u0662\u0666-01-05", "2026\u201301\u201305", "2026-01-05\n"),
        *("9999-12-31T24:00:00", "9999-12-31T23:30:00-01:00", "0001-01-01T00:30:00+01:00", "", " ", "soon"),
    ],
)
def test_what_is_no_iso_time_is_null_and_leaves_the_rows_beside_it(text: str) -> None:
    assert instants([text]) == [None]
    assert instants(["2026-01-05T10:00:00", text]) == [utc("2026-01-05T10:00:00"), None]


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("05/01/2026", "%d/%m/%Y", "2026-01-05T00:00:00"),
        ("5/1/2026 9:05", "%d/%m/%Y %H:%M", "2026-01-05T09:05:00"),
        ("05/01/26", "%d/%m/%y", "2026-01-05T00:00:00"),
        ("05/01/26", "%d/%m/%Y", None),
        ("05/01/+2026", "%d/%m/%Y", None),
        ("24-01-05", "%Y-%m-%d", None),
        ("-2024-01-05", "%Y-%m-%d", None),
        ("24-01-05", "%F", None),
        ("0024-01-05", "%F", "0024-01-05T00:00:00"),
        ("05 Jan 2026 10:00:00", "%d %b %Y %T", "2026-01-05T10:00:00"),
        ("01/05/2026 02:30 PM", "%m/%d/%Y %I:%M %p", "2026-01-05T14:30:00"),
        ("2026-01-05 10:00:60", "%Y-%m-%d %H:%M:%S", None),
        ("2016-12-31 23:59:60", "%Y-%m-%d %H:%M:%S", "2017-01-01T00:00:00"),
        ("2016-12-31 23:59:60 +0100", "%F %T %z", None),
        ("2017-01-01 00:59:60 +0100", "%F %T %z", "2017-01-01T00:00:00"),
        ("2026-01-05T10:00:00.5+01:00", "%+", "2026-01-05T09:00:00.500000"),
        ("2026-02-30", "%Y-%m-%d", None),
        ("20260105", "%Y%m%d", "2026-01-05T00:00:00"),
        ("260105", "%Y%m%d", None),
    ],
)
def test_a_declared_format_reads_years_of_four_digits_and_no_sixtieth_second(
    text: str, form: str, expected: str | None
) -> None:
    assert instants([text], (form,)) == [utc(expected) if expected else None]


def test_seconds_since_1970_are_instants_whatever_the_zone() -> None:
    assert instants(["1767607200", "-5", "x"], ("%s",), "Asia/Kolkata") == [utc("2026-01-05T10:00:00"), None, None]


@pytest.mark.parametrize(
    ("zone", "day", "expected"),
    [
        ("Africa/Cairo", "2024-04-26", "2024-04-25T22:00:00"),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00"),
        ("Asia/Beirut", "2024-03-31", "2024-03-30T22:00:00"),
        ("America/Toronto", "1919-03-31", "1919-03-31T04:30:00"),
        ("America/Havana", "2024-11-03", "2024-11-03T04:00:00"),
        ("Pacific/Apia", "2011-12-30", None),
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00"),
    ],
)
def test_a_date_alone_is_the_first_moment_of_its_day_also_where_clocks_skip_midnight(
    zone: str, day: str, expected: str | None
) -> None:
    want = [utc(expected) if expected else None]

    assert instants([day], None, zone) == want
    assert instants([day.replace("-", "")], None, zone) == want
    assert instants([f"{date.fromisoformat(day):%d/%m/%Y}"], ("%d/%m/%Y",), zone) == want


def test_the_end_of_a_day_is_the_first_moment_of_the_next_also_where_clocks_skip_midnight() -> None:
    assert instants(["2024-04-25T24:00:00", "2024-04-26T00:00:00"], None, "Africa/Cairo") == [
        utc("2024-04-25T22:00:00"),
        None,
    ]


def test_a_declared_fraction_is_of_any_length_as_in_python() -> None:
    texts = ["05.01.2026 10:00:00.5", "05.01.2026 10:00:00.000123"]

    assert instants(texts, ("%d.%m.%Y %H:%M:%S.%f",)) == [
        utc("2026-01-05T10:00:00.5"),
        utc("2026-01-05T10:00:00.000123"),
    ]


def test_a_time_that_a_zone_moves_out_of_the_calendar_is_of_the_nearest_day() -> None:
    late = read_times(pl.Series(["9999-12-31T23:59:59"]), None, "America/New_York")
    early = read_times(pl.Series(["0001-01-01T00:00:00"]), None, "Europe/Berlin")

    assert days_of(late).to_list() == [date(9999, 12, 31)]
    assert days_of(early).to_list() == [date(1, 1, 1)]


def test_dates_are_of_all_iso_forms_and_of_four_digits() -> None:
    texts = ["2026-01-05", "20260105", "2026-005", "2026-W02-1", "26-01-05", "-2026-01-05", "2026-01-05T10:00:00", None]

    assert read_dates(pl.Series(texts), None).to_list() == [date(2026, 1, 5)] * 4 + [None] * 4
    assert read_dates(pl.Series(["05/01/2026", "05/01/26"]), ("%d/%m/%Y",)).to_list() == [date(2026, 1, 5), None]


@given(
    moment=st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)),
    separator=st.sampled_from("Tt "),
    digits=st.integers(0, 9),
    offset=st.none() | st.integers(-23 * 60 - 59, 23 * 60 + 59),
    basic=st.booleans(),
    comma=st.booleans(),
    form=st.sampled_from(("calendar", "ordinal", "week")),
)
def test_a_time_written_in_any_form_is_read_back(
    *, moment: datetime, separator: str, digits: int, offset: int | None, basic: bool, comma: bool, form: str
) -> None:
    dash, colon = ("", "") if basic else ("-", ":")
    year, week, weekday = moment.isocalendar()
    day = {
        "calendar": f"{moment.year:04}{dash}{moment.month:02}{dash}{moment.day:02}",
        "ordinal": f"{moment.year:04}{dash}{moment.timetuple().tm_yday:03}",
        "week": f"{year:04}{dash}W{week:02}{dash}{weekday}",
    }[form]
    fraction = f"{moment.microsecond:06}000"[:digits]
    clock = f"{moment.hour:02}{colon}{moment.minute:02}{colon}{moment.second:02}"
    sign, size = "-" if (offset or 0) < 0 else "+", abs(offset or 0)
    zone = "" if offset is None else f"{sign}{size // 60:02}{colon}{size % 60:02}"
    text = f"{day}{separator}{clock}{('.,'[comma] + fraction) if fraction else ''}{zone}"
    kept = moment.replace(microsecond=int(f"{fraction:0<6}"[:6])) - timedelta(minutes=offset or 0)

    assert instants([text]) == [kept.replace(tzinfo=UTC)]


_NOT_PYTHONS = re.compile(  # forms of ISO 8601 that Python does not read
    r"^\d{4}-?\d{3}([Tt ]|$)|[Tt ]24|:?60|[Tt ]\d\d(:?\d\d)?[.,]|[Tt ]\d\d$|UTC$| [+-]|z$|^\d{8}[Tt ]\d\d:|^\d{4}-\S*[Tt ]\d{4}",
    re.ASCII,
)


@given(st.text("0123456789-:TtWZz+., UC", max_size=32) | st.text(max_size=12))
@example("2026-01-05T10:00:00+0100")
@example("20260105T10")
def test_any_text_is_null_or_what_python_reads(text: str) -> None:
    (found,) = instants([text])
    if found is None or _NOT_PYTHONS.search(text):
        return

    expected = datetime.fromisoformat(text)

    assert found == (expected if expected.tzinfo else expected.replace(tzinfo=UTC))


@given(st.lists(st.text("0123456789-:TW/Z+. ", max_size=24) | st.none(), max_size=8), st.sampled_from(ZONES))
def test_a_column_reads_as_its_values_alone_whatever_stands_beside_them(texts: list[str | None], zone: str) -> None:
    good: list[str | None] = ["2026-01-05T10:00:00", "2026-01-05", "2026-01-05 10:00:00Z"]
    together = [*good, *texts]
    formats = ("%d/%m/%Y %H:%M:%S", "%Y%m%d", "%F %T%z")

    assert instants(together, None, zone) == [instants([text], None, zone)[0] for text in together]
    assert instants(texts, formats, zone) == [instants([text], formats, zone)[0] for text in texts]


@given(st.datetimes(min_value=datetime(1971, 1, 2), max_value=datetime(2037, 12, 30)), st.sampled_from(ZONES))
def test_a_clock_reading_is_the_earlier_instant_of_its_zone_or_none(moment: datetime, zone: str) -> None:
    local = moment.replace(microsecond=0, tzinfo=ZoneInfo(zone), fold=0)
    exists = local.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) == local.replace(tzinfo=None)

    assert instants([f"{moment:%Y-%m-%dT%H:%M:%S}"], None, zone) == [local.astimezone(UTC) if exists else None]
