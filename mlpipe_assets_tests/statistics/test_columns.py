from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlpipe_assets.statistics.columns import Categories, Kind, Numbers, Opaque, kinds_of, read_column, spell_time


def test_the_type_of_a_column_says_its_kind() -> None:
    schema: dict[str, Any] = {
        "whole": pl.Int16(),
        "float": pl.Float32(),
        "money": pl.Decimal(18, 2),
        "text": pl.String(),
        "flag": pl.Boolean(),
        "enumeration": pl.Enum(["a"]),
        "category": pl.Categorical(),
        "day": pl.Date(),
        "instant": pl.Datetime("us", "UTC"),
        "list": pl.List(pl.Int64()),
        "bytes": pl.Binary(),
        "nothing": pl.Null(),
    }

    assert kinds_of(schema) == {
        "whole": "number",
        "float": "number",
        "money": "number",
        "text": "category",
        "flag": "category",
        "enumeration": "category",
        "category": "category",
        "day": "time",
        "instant": "time",
        "list": "opaque",
        "bytes": "opaque",
        "nothing": "opaque",
    }


@pytest.mark.parametrize(
    ("series", "kind", "values", "repeats"),
    [
        (pl.Series([3, None, 1, 2], dtype=pl.Int8), "number", [1, 2, 3], None),
        (pl.Series([2, 1, 2, 2], dtype=pl.UInt64), "number", [1.0, 2.0], [1, 3]),
        (pl.Series([2.5, float("nan"), float("-inf"), None]), "number", [float("-inf"), 2.5], None),
        (pl.Series([Decimal("1.10"), Decimal("-2.20")]), "number", [-2.2, 1.1], None),
        (pl.Series([date(1970, 1, 2)]), "time", [86_400_000_000], None),
        (pl.Series([datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)], dtype=pl.Datetime("ms", "UTC")), "time", [1e6], None),
        (pl.Series([timedelta(seconds=1)]), "time", [1_000_000], None),
        (pl.Series([time(0, 0, 1)]), "time", [1_000_000], None),
        (pl.Series([], dtype=pl.Float64), "number", [], []),
        (pl.Series([None, None], dtype=pl.Int64), "number", [], []),
    ],
)
def test_numbers_and_times_are_read_in_order(
    series: pl.Series, kind: Kind, values: list[float], repeats: list[int] | None
) -> None:
    column = read_column(series, kind)

    assert isinstance(column, Numbers)
    assert column.runs.values.tolist() == values
    assert (None if column.runs.repeats is None else column.runs.repeats.tolist()) == repeats
    assert column.different == len(values)
    assert column.rows == column.nulls + column.nans + column.runs.rows


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        (pl.Series(["b", "a", None, "b"]), {"name": ["b", "a"], "rows": [2, 1]}),
        (pl.Series([True, False, None, False]), {"name": ["false", "true"], "rows": [2, 1]}),
        (pl.Series(["y", "x"], dtype=pl.Enum(["x", "y"])), {"name": ["x", "y"], "rows": [1, 1]}),
        (pl.Series([7, 7, 3]), {"name": ["7", "3"], "rows": [2, 1]}),
        (pl.Series([], dtype=pl.String), {"name": [], "rows": []}),
    ],
)
def test_categories_are_counted_the_most_frequent_first(series: pl.Series, expected: dict[str, list[Any]]) -> None:
    column = read_column(series, "category")

    assert isinstance(column, Categories)
    assert_frame_equal(column.counted, pl.DataFrame(expected, schema={"name": pl.String, "rows": pl.Int64}))


def test_of_an_opaque_column_only_nulls_are_counted() -> None:
    assert read_column(pl.Series([[1], None]), "opaque") == Opaque(rows=2, nulls=1)


def test_a_time_is_spelled_without_what_is_zero() -> None:
    at = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp() * 1e6)
    assert spell_time(at) == "2026-01-05"
    assert spell_time(at + 37_800_000_000) == "2026-01-05T10:30:00"
