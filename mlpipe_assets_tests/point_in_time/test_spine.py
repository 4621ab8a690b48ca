"""The rows features are asked for: from frames and files, their times as instants, their keys as the view has them."""

from datetime import UTC, date, datetime
from pathlib import Path

import pandera.polars as pa
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlpipe_assets.catalog.asked import RetrievalError
from mlpipe_assets.point_in_time.spine import read_spine, spine_keys, spine_times
from mlpipe_assets.rules import columns


class Numbered(pa.DataFrameModel):
    """Keys of several types."""

    number: pl.Int32
    text: str
    day: pl.Date


_COLUMNS = {column.name: column for column in columns(Numbered)}
_NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def times(values: list[object], dtype: pl.DataType | type[pl.DataType], zone: str | None = None) -> list[object]:
    return spine_times(pl.DataFrame({"t": pl.Series(values, dtype=dtype)}), "t", zone).to_list()


def key(name: str, values: list[object], dtype: pl.DataType | type[pl.DataType]) -> list[object]:
    frame = pl.DataFrame({name: pl.Series(values, dtype=dtype)})
    return spine_keys(frame, [_COLUMNS[name]], "a_view")[name].to_list()


def test_times_of_a_zone_are_converted() -> None:
    assert times([_NOON, None], pl.Datetime("ns", "Asia/Tokyo")) == [_NOON, None]
    assert times(["2026-01-05T13:00:00+01:00", "2026-01-05 12:00Z", None], pl.String) == [_NOON, _NOON, None]


def test_times_without_a_zone_are_read_in_the_declared_one() -> None:
    assert times([datetime(2026, 1, 5, 13)], pl.Datetime("ms"), "Europe/Berlin") == [_NOON]
    assert times(["2026-01-05T13:00:00"], pl.String, "Europe/Berlin") == [_NOON]
    assert times([date(2026, 1, 5)], pl.Date, "Europe/Berlin") == [datetime(2026, 1, 4, 23, tzinfo=UTC)]
    assert times(["2026-01-05"], pl.String, "UTC") == [datetime(2026, 1, 5, tzinfo=UTC)]


def test_of_an_hour_that_repeats_the_earlier_is_meant_so_that_nothing_later_is_seen() -> None:
    assert times([datetime(2026, 10, 25, 2, 30)], pl.Datetime("us"), "Europe/Berlin") == [
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    ]


@pytest.mark.parametrize(
    ("values", "dtype", "zone", "said"),
    [
        ([None, datetime(2026, 1, 5)], pl.Datetime("us"), None, "1 time without a zone (e.g. row 2)"),
        ([date(2026, 1, 5)], pl.Date, None, "1 date without a zone (e.g. row 1)"),
        (["2026-01-05T12:00:00Z", "2026-01-05T12:00:00"], pl.String, None, "1 time without a zone (e.g. row 2)"),
        ([datetime(2026, 1, 5)], pl.Datetime("us"), "Berlin", "time_zone='Berlin' is no time zone"),
        (
            [datetime(2026, 3, 29, 2, 30)],
            pl.Datetime("us"),
            "Europe/Berlin",
            "1 value of 1 cannot be read as a time that clocks",
        ),
        (["2026-01-05T12:00:00Z", "5 January"], pl.String, None, "1 value of 2 cannot be read as a time"),
        ([1767614400], pl.Int64, None, "is Int64, which is no time"),
    ],
)
def test_times_nobody_can_be_sure_of_are_refused(
    values: list[object], dtype: pl.DataType, zone: str | None, said: str
) -> None:
    with pytest.raises(RetrievalError) as raised:
        times(values, dtype, zone)

    assert said in str(raised.value)


def test_a_time_column_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(RetrievalError, match=r"no column 'event_time' .* it has event_tim. Is 'event_tim' meant\?"):
        spine_times(pl.DataFrame({"event_tim": []}), "event_time", None)


def test_keys_are_cast_where_nothing_is_lost() -> None:
    assert key("number", [7, None], pl.Int64) == [7, None]
    assert key("number", ["7", None], pl.String) == [7, None]
    assert key("number", [7.0, None, float("nan")], pl.Float64) == [7, None, None]
    assert key("text", [7, None], pl.UInt8) == ["7", None]
    assert key("text", ["a"], pl.Categorical) == ["a"]
    assert key("day", ["2026-01-05"], pl.String) == [date(2026, 1, 5)]
    assert key("text", [None], pl.Null) == [None]


@pytest.mark.parametrize(
    ("name", "values", "dtype", "said"),
    [
        ("number", [7, 3_000_000_000], pl.Int64, "1 value cannot be read as that (e.g. row 2)"),
        ("number", ["7", "007"], pl.String, "1 value cannot be read as that (e.g. '007' in row 2)"),
        ("number", [7.5], pl.Float64, "1 value cannot be read as that (e.g. '7.5' in row 1)"),
        ("day", ["5 Jan"], pl.String, "1 value cannot be read as that (e.g. row 1)"),
        ("text", [7.0], pl.Float64, "is Float64, and String in a_view: the one cannot be read as the other"),
    ],
)
def test_a_key_that_would_change_is_refused_with_its_row(
    name: str, values: list[object], dtype: pl.DataType, said: str
) -> None:
    with pytest.raises(RetrievalError) as raised:
        key(name, values, dtype)

    assert said in str(raised.value)


def test_csv_keeps_what_a_number_would_lose(tmp_path: Path) -> None:
    path = tmp_path / "spine.csv"
    path.write_text("id,zip,amount,flag,t,empty\n1,00123,1.50,true,20260105,\n22,77,2e-3,,2026-01-05,\n")

    assert_frame_equal(
        read_spine(path, "t"),
        pl.DataFrame(
            {
                "id": [1, 22],
                "zip": ["00123", "77"],
                "amount": [1.5, 0.002],
                "flag": [True, None],
                "t": ["20260105", "2026-01-05"],
                "empty": pl.Series([None, None], dtype=pl.String),
            }
        ),
    )


def test_what_hands_out_arrow_is_a_spine() -> None:
    class Handed:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return pl.DataFrame({"a": [1]}).__arrow_c_stream__(requested_schema)

    assert read_spine(Handed()).rows() == [(1,)]
    assert read_spine(pl.LazyFrame({"a": [1]})).rows() == [(1,)]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("spine.txt", b"a", "is neither Parquet nor CSV by its name: .parquet, .pq, .csv"),
        ("none.csv", None, "There is no spine"),
        ("spine.parquet", b"no parquet", "cannot be read as Parquet"),
        ("spine.csv", b"a,a\n1,2\n", "has two columns 'a'"),
        ("spine.csv", b"a\n\xff\n", "cannot be read as CSV"),
        ("spine.csv", b"", "cannot be read as CSV"),
        ("spine.csv", b"who;at\nann;2026-01-05\n", "is separated by semicolons. Save it with commas"),
    ],
)
def test_a_file_that_is_no_spine_says_why(name: str, content: bytes | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(RetrievalError) as raised:
        read_spine(path)

    assert said in str(raised.value)


def test_anything_else_is_refused_by_its_type() -> None:
    with pytest.raises(RetrievalError, match="The spine is a list"):
        read_spine([1])
