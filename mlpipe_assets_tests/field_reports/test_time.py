"""Reports about days, clocks and partitions, re-created with times of our own."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.partitions import last_partition
from mlpipe_assets.stages.daily import DAILY
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.transforms.events import event_dates
from mlpipe_assets_tests.frames import JAN_5, build, drop, order, orders_csv, take

SPRING_AND_AUTUMN = {
    "Europe/Berlin": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),  # half an hour
    "Asia/Kolkata": (date(2026, 3, 29),),  # half an hour from UTC, and no change
}


def exists(moment: datetime, zone: ZoneInfo) -> bool:
    """Whether a clock in the zone ever shows a reading."""
    return moment.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == moment


@pytest.mark.parametrize(("name", "days"), SPRING_AND_AUTUMN.items())
def test_each_reading_of_a_clock_that_changes_lands_on_its_utc_day(name: str, days: tuple[date, ...]) -> None:
    zone = ZoneInfo(name)
    readings = [
        datetime.combine(day, datetime.min.time()) + timedelta(minutes=10 * n) for day in days for n in range(6 * 24)
    ]

    found = event_dates(
        pl.DataFrame({"order_ts": [f"{reading:%Y-%m-%dT%H:%M:%S}" for reading in readings]}),
        replace(orders, time_zone=name),
    ).to_list()

    # A reading that comes twice is the earlier one (fold 0), one that never comes is nothing.
    assert found == [
        reading.replace(tzinfo=zone).astimezone(UTC).date() if exists(reading, zone) else None for reading in readings
    ]


def test_the_newest_partition_is_today_and_the_one_before_is_yesterday() -> None:
    today = datetime.now(tz=UTC).date()

    assert last_partition() in (today, today + timedelta(days=1))  # midnight may pass in between
    assert DAILY.get_partition_keys()[-2:] == [f"{last_partition() - timedelta(days=1)}", f"{last_partition()}"]


def test_a_third_copy_of_a_row_with_a_later_file_is_the_one_that_counts(lake: Lake) -> None:
    for n, amount in enumerate(("1.00", "2.00", "3.00"), start=6):
        drop(lake, f"orders_2026-01-{n:02}.csv", orders_csv(order("o1", amount=amount)))

    take(lake)
    build(lake, [JAN_5])

    rows = lake.read("interim", "orders", JAN_5)
    assert rows.select("order_id", pl.col("amount").cast(pl.String)).rows() == [("o1", "3.00")]
