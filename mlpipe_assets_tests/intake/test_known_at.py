"""When a file was known: which digits of a name are a date, which a time, and which are neither."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_assets.intake.known_at import BY_MODIFICATION, BY_NAME, Reading, read_known_at
from mlpipe_assets.partitions import START_DATE

MODIFIED = datetime(2026, 1, 12, 8, 30, 15, tzinfo=UTC)
END = "T23:59:59"


def known(name: str, modified: datetime = MODIFIED, pattern: str | None = None) -> Reading:
    return read_known_at(name, int(modified.timestamp()) * 1_000_000_000 + 123_456_789, pattern)


def read(name: str, modified: datetime = MODIFIED, pattern: str | None = None) -> str | None:
    """What the name says, None where it says nothing and the modification time stands in."""
    reading = known(name, modified, pattern)
    if reading.by == BY_MODIFICATION:
        assert reading.known_at == modified
        return None
    return reading.known_at.replace(tzinfo=None).isoformat()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("orders_2026-01-05.csv", "2026-01-05" + END),
        ("orders_20260105.csv.gz", "2026-01-05" + END),
        ("orders_2026_01_05.csv", "2026-01-05" + END),
        ("orders.2026.01.05.csv", "2026-01-05" + END),
        ("2026-01-05.csv", "2026-01-05" + END),
        ("2026-01-05_orders.csv", "2026-01-05" + END),
        ("v20260105a.csv", "2026-01-05" + END),
        ("2026-01-09/orders_2026-01-05.csv", "2026-01-05" + END),
        # a range is known at its end, a copy as of its later date
        ("p_2026-01-05_2026-01-11.csv", "2026-01-11" + END),
        ("p_20260105-20260111.csv", "2026-01-11" + END),
        ("p_20260105_20260111.csv", "2026-01-11" + END),
        ("p_2026_01_05_2026_01_11.csv", "2026-01-11" + END),
        ("p_2026-01-05_to_2026-01-11_v2.csv", "2026-01-11" + END),
        ("batch_0000001234_2026-01-05.csv", "2026-01-05" + END),
        ("tx_99991231_2026-01-05.csv", "2026-01-05" + END),
        ("tx_2026-01-05_99991231.csv", "2026-01-05" + END),
        ("tx_2026-01-05_2026-13-45.csv", "2026-01-05" + END),
        # times of day
        ("o_2026-01-05T0730Z.csv", "2026-01-05T07:30:00"),
        ("o_2026-01-05T07:30:15.250Z.csv", "2026-01-05T07:30:15"),
        ("o_2026-01-05T07-30-15.csv", "2026-01-05T07:30:15"),
        ("o_2026-01-05t073015z.csv", "2026-01-05T07:30:15"),
        ("o_2026-01-05T0730+0100.csv", "2026-01-05T06:30:00"),
        ("o_20260105_073000.csv", "2026-01-05T07:30:00"),
        ("o_20260105-073000.csv", "2026-01-05T07:30:00"),
        ("o_20260105073000.csv", "2026-01-05T07:30:00"),
        ("o_202601050730.csv", "2026-01-05T07:30:00"),
        ("o_2026-01-05 07.30.csv", "2026-01-05T07:30:00"),
        ("o_20260105_0730.csv", "2026-01-05T07:30:00"),
        ("o_20260105_0730_001.csv", "2026-01-05T07:30:00"),
        ("o_2026-01-05T0000.csv", "2026-01-05T00:00:00"),
        ("o_2026-01-05_00-00-01.csv", "2026-01-05T00:00:01"),
        # counters, and what else is no time of day
        ("o_20260105_9999.csv", "2026-01-05" + END),
        ("o_20260105_000001.csv", "2026-01-05" + END),
        ("o_20260105_000059.csv", "2026-01-05" + END),
        ("o_20260105_0001.csv", "2026-01-05" + END),
        ("o_20260105_0059.csv", "2026-01-05" + END),
        ("o_20260105_001.csv", "2026-01-05" + END),
        ("o_20260105_240000.csv", "2026-01-05" + END),
        ("o_20260105_073000123.csv", "2026-01-05" + END),
        ("o_2026-01-05_2026-02.csv", "2026-01-05" + END),
        ("o_2026-01-05-12.csv", "2026-01-05" + END),
        # no date at all
        ("orders.csv", None),
        ("e_1768010200.csv", None),
        ("e_1768010200123.csv", None),
        ("tx_99991231_final.csv", None),
        ("tx_00010101.csv", None),
        ("batch_0000001234.csv", None),
        ("orders_12345678.csv", None),
        ("orders_2026-13-45.csv", None),
        ("orders_2026-1-5.csv", None),
        ("orders_12026-01-05.csv", None),
        ("orders_2026-01-051.csv", None),
        ("orders_2026-0105.csv", None),
        ("orders_\uff12\uff10\uff12\uff16-01-05.csv", None),
        ("orders_2026-01.csv", None),
        ("2026-01-05/orders.csv", None),
    ],
)
def test_which_digits_of_a_name_are_a_date_and_a_time(name: str, expected: str | None) -> None:
    assert read(name) == expected


@pytest.mark.parametrize(
    ("day", "is_date"),
    [
        (START_DATE - timedelta(days=365), True),
        (START_DATE - timedelta(days=366), False),
        (MODIFIED.date() + timedelta(days=31), True),
        (MODIFIED.date() + timedelta(days=32), False),
    ],
)
def test_a_date_long_before_the_start_or_long_after_the_modification_is_none(day: date, *, is_date: bool) -> None:
    assert read(f"orders_{day}.csv") == (f"{day}{END}" if is_date else None)


def test_a_modification_time_that_a_copy_has_lost_says_nothing_and_today_is_the_bound() -> None:
    lost = datetime(1980, 1, 1, tzinfo=UTC)

    assert read("orders_2026-01-05.csv", lost) == "2026-01-05T23:59:59"
    assert read("orders_2199-01-05.csv", lost) is None


@pytest.mark.parametrize("mtime_ns", [-(10**18), 0, 2**63 - 1])
def test_a_modification_time_that_no_calendar_holds_is_no_reason_to_stop(mtime_ns: int) -> None:
    assert read_known_at("orders.csv", mtime_ns).by == BY_MODIFICATION


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("o_1999-01-05.csv", r"(\d{4}-\d\d-\d\d)", "1999-01-05" + END),
        ("e20260105x7_20260109.csv", r"e(\d{8})x", "2026-01-05" + END),
        ("e20260105x_073000.csv", r"(\d{8}x_\d{6})", "2026-01-05T07:30:00"),
        ("o_1969-01-05.csv", r"(\d{4}-\d\d-\d\d)", None),
        ("o_2026-01-05.csv", r"day(\d{8})", None),
        ("o_2026-01-05.csv", r"(day\d{8})?", None),
    ],
)
def test_a_declared_pattern_is_searched_as_it_was_declared(name: str, pattern: str, expected: str | None) -> None:
    assert read(name, pattern=pattern) == expected


@pytest.mark.parametrize("name", ["payments_07-01-2026.csv", "p.7.1.2026.csv"])
def test_a_date_with_the_year_last_is_not_read_and_that_is_said(name: str) -> None:
    reading = known(name)

    assert (reading.known_at, reading.by) == (MODIFIED, BY_MODIFICATION)
    assert reading.note.endswith("2026 in its name is not read: a date is written with the year first")


def test_what_was_not_taken_for_a_date_is_said_and_which_of_several_was() -> None:
    far = known("tx_2099-12-31.csv")
    several = known("p_2026-01-05_2026-01-11.csv")
    plain = [known(name) for name in ("orders_2026-01-05.csv", "orders.csv")]

    assert (far.by, several.by) == (BY_MODIFICATION, BY_NAME)
    assert far.note == (
        "the date 2099-12-31 in its name is not plausible (after 2026-02-12, far later than the file was modified)"
    )
    assert several.note == "2 dates in the name, of which the last plausible one is taken"
    assert [reading.note for reading in plain] == ["", ""]


@given(
    st.dates(START_DATE, date(2027, 12, 31)),
    st.sampled_from(["{0:%Y-%m-%d}", "{0:%Y%m%d}", "{0:%Y_%m_%d}"]),
    st.sampled_from(["orders_", "2_", "x-", "part.7."]),
    st.sampled_from(["", "_v2", "-final", " (3)", "_x9999", ".1"]),
)
def test_a_date_is_read_wherever_it_stands_and_however_it_is_written(
    day: date, form: str, before: str, after: str
) -> None:
    name = f"{before}{form.format(day)}{after}.csv"

    assert read(name, datetime(2028, 1, 1, tzinfo=UTC)) == f"{day}{END}"


@given(st.text(alphabet="0123456789-_TZ.: x+", max_size=40))
def test_whatever_a_file_is_called_it_was_known_at_some_moment(name: str) -> None:
    reading = known(f"{name}.csv")

    assert reading.known_at.tzinfo is UTC
    assert reading.by == BY_NAME or reading.known_at == MODIFIED
