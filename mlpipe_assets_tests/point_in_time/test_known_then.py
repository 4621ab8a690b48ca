"""The rows of a source as they were known: what a lake held that had only the files known by then."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.errors import DamagedError
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.partitions import days_between
from mlpipe_assets.point_in_time.known_then import KnownRows, find_lives, read_known_rows
from mlpipe_assets.point_in_time.source_days import SourceDays
from mlpipe_assets.stages.interim.plan import interim_work_with_history
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import JAN_5, JAN_6, JAN_7, build, drop, order, orders_csv, take
from mlpipe_assets_tests.stages.test_histories import (
    HISTORY,
    NEAR,
    PROPERTY,
    Drop,
    catch_up,
    fresh_lake,
    play,
    put,
)

DAYS = days_between(date(2026, 1, 5), date(2026, 1, 9))
JAN_20 = date(2026, 1, 20)
SHOWN = ["date", "order_id", "amount"]


def known_rows(lake: Lake, source: Source, moment: datetime) -> pl.DataFrame:
    """The rows that held at a moment, read off what the lake holds now."""
    days = SourceDays(lake=lake, source=source)
    there = [day for day in DAYS if day in days.present]
    found = read_known_rows(days, Ledger.load(lake, source.name), there)
    whole = [lake.read("interim", source.name, day).with_columns(date=pl.lit(day)) for day in found.whole]
    others = found.others.filter((pl.col("known_until") > moment).fill_null(value=True))
    rows = pl.concat([*whole, others.drop("known_until")]) if whole else others.drop("known_until")
    return rows.filter(pl.col("known_at") <= moment).select(SHOWN).sort(SHOWN)


def rows_now(lake: Lake, source: Source) -> pl.DataFrame:
    """The rows that hold."""
    days = [day for day in DAYS if day in set(lake.days("interim", source.name))]
    parts = [lake.read("interim", source.name, day).with_columns(date=pl.lit(day)).select(SHOWN) for day in days]
    none = pl.DataFrame(schema=[("date", pl.Date), ("order_id", pl.String), ("amount", pl.Decimal(18, 2))])
    return pl.concat([none, *parts]).sort(SHOWN)


def known_by_then(lake: Lake, source: Source, history: Sequence[Drop], moment: datetime) -> pl.DataFrame:
    """The rows that a lake holds which has only those files of a history that were known by a moment."""
    for each in history:
        put(lake, source, each)
        take(lake, source)
    ledger = Ledger.load(lake, source.name)
    for delivery in ledger.deliveries.values():
        if ledger.shown[delivery.delivery] > moment:
            (lake.root / keys.delivery(source.name, delivery.delivery)).unlink()
    catch_up(lake, source)
    return rows_now(lake, source)


@PROPERTY
@given(history=HISTORY, data=st.data())
def test_rows_as_known_at_any_moment_are_those_of_a_lake_with_the_files_known_by_then(
    history: list[Drop], data: st.DataObject
) -> None:
    with fresh_lake() as lake:
        play(lake, NEAR, history, data)
        moments = {*Ledger.load(lake, NEAR.name).shown.values()}
        for moment in sorted({*moments, *(m - timedelta(microseconds=1) for m in moments)}):
            with fresh_lake() as then:
                assert_frame_equal(known_rows(lake, NEAR, moment), known_by_then(then, NEAR, history, moment))


def test_a_correction_takes_the_place_of_a_row_from_when_it_was_known(lake: Lake) -> None:
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1", amount="10.00"), order("o2", amount="20.00")))
    drop(lake, "orders_2026-01-07.csv", orders_csv(order("o1", amount="11.00")))
    take(lake)
    build(lake, [JAN_5])

    found = known_versions(lake, JAN_5)

    assert found.whole == [JAN_5]
    assert found.others.select("order_id", "amount", "known_at", "known_until").rows() == [
        ("o1", Decimal("10.00"), end_of(JAN_5), end_of(JAN_7)),
    ]


def test_a_file_written_over_under_its_dated_name_is_not_read_before_it_was_written(lake: Lake) -> None:
    first = orders_csv(order("o1", amount="10.00"), order("o2", amount="20.00"))
    drop(lake, "orders_2026-01-05.csv", first, modified=datetime(2026, 1, 6, 2, tzinfo=UTC))
    take(lake)
    written = datetime(2026, 1, 20, 9, 30, tzinfo=UTC)
    second = orders_csv(order("o1", amount="11.00"), order("o2", amount="20.00"), order("o3", amount="30.00"))
    drop(lake, "orders_2026-01-05.csv", second, modified=written)
    take(lake)
    build(lake, [JAN_5])

    found = known_versions(lake, JAN_5).others.select("order_id", "amount", "known_at", "known_until")

    assert found.sort("order_id", "known_at").rows() == [
        ("o1", Decimal("10.00"), end_of(JAN_5), written),
        ("o1", Decimal("11.00"), written, None),
        ("o2", Decimal("20.00"), end_of(JAN_5), written),
        ("o2", Decimal("20.00"), written, None),
        ("o3", Decimal("30.00"), written, None),
    ]


def test_a_file_written_over_by_an_older_one_is_read_right_after_it(lake: Lake) -> None:
    rows = orders_csv(order("o1", amount="10.00"))
    drop(lake, "orders_2026-01-05.csv", rows, modified=datetime(2026, 1, 20, tzinfo=UTC))
    take(lake)
    restored = orders_csv(order("o1", amount="9.00"))
    drop(lake, "orders_2026-01-05.csv", restored, modified=datetime(2026, 1, 1, tzinfo=UTC))
    take(lake)
    build(lake, [JAN_5])

    found = known_versions(lake, JAN_5)

    after = end_of(JAN_5) + timedelta(microseconds=1)
    assert found.whole == [JAN_5]
    assert found.others.select("amount", "known_at", "known_until").rows() == [(Decimal("10.00"), end_of(JAN_5), after)]
    assert lake.read("interim", "orders", JAN_5)["known_at"].to_list() == [after]


def test_a_row_that_came_back_holds_twice(lake: Lake) -> None:
    drop(lake, "a_2026-01-20.csv", orders_csv(order("o1", "2026-01-20T10:00:00Z", amount="10.00")))
    drop(lake, "b_2026-01-21.csv", orders_csv(order("o1", "2026-01-20T10:00:00Z", amount="11.00")))
    take(lake)
    moved = orders_csv(order("o1", "2026-01-06T10:00:00Z", amount="12.00"))
    drop(lake, "b_2026-01-21.csv", moved, modified=datetime(2026, 2, 2, tzinfo=UTC))
    take(lake)
    build(lake, [JAN_6, JAN_20])

    found = known_versions(lake, JAN_20)

    corrected = datetime(2026, 2, 2, tzinfo=UTC)
    assert found.whole == []
    assert found.others.select("amount", "known_at", "known_until").sort("known_at").rows() == [
        (Decimal("10.00"), end_of(JAN_20), end_of(date(2026, 1, 21))),
        (Decimal("11.00"), end_of(date(2026, 1, 21)), corrected),
        (Decimal("10.00"), corrected, None),
    ]


def known_versions(lake: Lake, day: date) -> KnownRows:
    """What is known of the orders of a day."""
    return read_known_rows(SourceDays(lake=lake, source=orders), Ledger.load(lake, "orders"), [day])


def end_of(day: date) -> datetime:
    """When a file with a date in its name is known."""
    return datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC)


def test_of_ten_thousand_rows_of_one_file_only_the_last_of_a_key_ever_held() -> None:
    moment = datetime(2026, 1, 5, tzinfo=UTC)
    rows = pl.DataFrame({"k": ["a"] * 10_000, "record_number": range(10_000)}).with_columns(
        date=pl.lit(JAN_5), known_at=pl.lit(moment).cast(pl.Datetime("us", "UTC")), delivery=pl.lit("d"),
        replaced_at=pl.lit(None, dtype=pl.Datetime("us", "UTC")), now=pl.col("record_number") == 9_999,
    )  # fmt: skip

    found = find_lives(rows, ["k"], timedelta(0), {"d": 0})

    assert found.select("record_number", "since", "known_until").rows() == [(9_999, moment, None)]


def test_without_the_rows_beside_a_partition_the_past_is_not_guessed_and_the_day_is_built_again(lake: Lake) -> None:
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1", amount="10.00")))
    drop(lake, "orders_2026-01-07.csv", orders_csv(order("o1", amount="11.00")))
    take(lake)
    build(lake, [JAN_5])
    lake.path("interim", "orders", JAN_5, keys.SUPERSEDED).unlink()

    with pytest.raises(
        DamagedError, match=r"interim/orders \[2026-01-05\]: the rows that others took the place of are not beside"
    ):
        known_versions(lake, JAN_5)
    assert interim_work_with_history(lake, orders, lambda _: True).days == (JAN_5,)

    build(lake, [JAN_5])
    assert known_versions(lake, JAN_5).others.height == 1
    assert interim_work_with_history(lake, orders, lambda _: True).days == ()
