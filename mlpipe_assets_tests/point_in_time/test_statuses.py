"""The status of a feature: four words, and one function for offline and online."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_assets.point_in_time.statuses import Status, status_expr, status_of

_NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
_UTC_TIME = pl.Datetime("us", "UTC")
_times = st.none() | st.integers(0, 100).map(lambda hours: datetime(2026, 1, 5, tzinfo=UTC) + timedelta(hours=hours))


@pytest.mark.parametrize(
    ("as_of", "is_null", "ttl", "expected"),
    [
        (_NOON, False, None, Status.PRESENT),
        (_NOON, True, None, Status.NULL_VALUE),
        (None, False, None, Status.NOT_FOUND),
        (_NOON - timedelta(days=1), False, timedelta(days=1), Status.PRESENT),
        (_NOON - timedelta(days=1, microseconds=1), False, timedelta(days=1), Status.OUTSIDE_MAX_AGE),
        (_NOON - timedelta(days=2), True, timedelta(days=1), Status.OUTSIDE_MAX_AGE),
        (_NOON - timedelta(days=9999), False, None, Status.PRESENT),
    ],
)
def test_a_row_of_exactly_the_greatest_age_counts(
    *, as_of: datetime | None, is_null: bool, ttl: timedelta | None, expected: Status
) -> None:
    assert status_of(as_of=as_of, at=_NOON, is_null=is_null, ttl=ttl) is expected


def test_a_time_that_is_not_known_finds_nothing() -> None:
    assert status_of(as_of=_NOON, at=None, is_null=False, ttl=None) is Status.NOT_FOUND


@given(
    rows=st.lists(st.tuples(_times, _times, st.booleans()), max_size=6),
    ttl=st.none() | st.integers(1, 40).map(lambda hours: timedelta(hours=hours)),
)
def test_a_column_has_the_statuses_of_its_rows(
    rows: list[tuple[datetime | None, datetime | None, bool]], ttl: timedelta | None
) -> None:
    frame = pl.DataFrame(rows, schema={"as_of": _UTC_TIME, "at": _UTC_TIME, "is_null": pl.Boolean}, orient="row")

    found = frame.select(
        status_expr(as_of=pl.col("as_of"), at=pl.col("at"), is_null=pl.col("is_null"), ttl=ttl).alias("status")
    )

    assert found["status"].to_list() == [
        status_of(as_of=as_of, at=at, is_null=is_null, ttl=ttl) for as_of, at, is_null in rows
    ]
