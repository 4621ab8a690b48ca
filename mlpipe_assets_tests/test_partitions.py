"""Days, and which of them exist."""

from datetime import UTC, date, datetime, timedelta

import pytest

from mlpipe_assets.errors import MissingPartitionError
from mlpipe_assets.partitions import START_DATE, contiguous, days_between, existing_days, last_partition, spell_days
from mlpipe_assets_tests.frames import JAN_5, JAN_6, JAN_7, JAN_8


def test_partitions_run_to_today_included() -> None:
    assert last_partition() in {datetime.now(tz=UTC).date(), datetime.now(tz=UTC).date() - timedelta(days=1)}


def test_days_between_holds_both_ends() -> None:
    assert days_between(JAN_5, JAN_7) == [JAN_5, JAN_6, JAN_7]
    assert days_between(JAN_5, JAN_5) == [JAN_5]
    assert days_between(JAN_6, JAN_5) == []


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ([], []),
        ([JAN_6], [(JAN_6, JAN_6)]),
        ([JAN_8, JAN_5, JAN_6, JAN_5], [(JAN_5, JAN_6), (JAN_8, JAN_8)]),
        ([date(2026, 1, 31), date(2026, 2, 1)], [(date(2026, 1, 31), date(2026, 2, 1))]),
    ],
)
def test_contiguous_gives_stretches_without_a_gap(days: list[date], expected: list[tuple[date, date]]) -> None:
    assert list(contiguous(days)) == expected


def test_days_are_spelt_as_stretches() -> None:
    assert spell_days([JAN_8, JAN_5, JAN_6]) == "2026-01-05 to 2026-01-06, 2026-01-08"
    assert spell_days([]) == "no day"


def test_existing_days_come_in_order() -> None:
    assert existing_days(["2026-01-06", "2026-01-05"], "raw/orders") == [JAN_5, JAN_6]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("2025-12-31", f"raw/orders: partition 2025-12-31 does not exist; partitions run from {START_DATE}"),
        ("2200-01-01", "raw/orders: partition 2200-01-01 does not exist"),
        ("yesterday", "raw/orders: 'yesterday' is not a partition key"),
        ("2026-02-30", "raw/orders: '2026-02-30' is not a partition key"),
        ("20260105", "raw/orders: '20260105' is not a partition key"),
    ],
)
def test_a_partition_that_does_not_exist_is_refused(key: str, message: str) -> None:
    with pytest.raises(MissingPartitionError) as caught:
        existing_days([key], "raw/orders")

    assert str(caught.value).startswith(message)
