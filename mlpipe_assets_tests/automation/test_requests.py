"""Asking once per state of things, and again ever more rarely when it did not help."""

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from mlpipe_assets.automation.requests import Asked, Wish, choose, range_tags, read_asked, run_requests, write_asked
from mlpipe_assets.partitions import days_between
from mlpipe_assets_tests.planted import day

NOW = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)
WISH = Wish(table="interim/orders", job="daily_job", days=(day(3), day(4)), state="a")


def play(looks: list[tuple[float, list[Wish]]]) -> list[list[int]]:
    """Numbers under which wishes were asked for, at looks so many minutes after NOW."""
    stored: dict[str, Any] = {}
    numbers: list[list[int]] = []
    for minutes, wishes in looks:
        chosen, asked, _ = choose([wishes], read_asked(stored), NOW + timedelta(minutes=minutes))
        stored = write_asked(asked)
        numbers.append([number for _, number in chosen])
    return numbers


def changed(state: str) -> Wish:
    return Wish(table=WISH.table, job=WISH.job, days=WISH.days, state=state)


def test_the_same_state_is_asked_for_once() -> None:
    assert play([(0, [WISH]), (1, [WISH]), (9, [WISH])]) == [[1], [], []]


def test_what_did_not_help_is_asked_for_again_ever_more_rarely() -> None:
    asked = play([(minute, [WISH]) for minute in range(0, 24 * 60, 5)])

    assert [5 * n for n, numbers in enumerate(asked) if numbers] == [0, 20, 60, 140, 300, 620, 1260]


@pytest.mark.parametrize("jump", [-3600, -30 * 24 * 3600, 3600, 10 * 365 * 24 * 3600])
def test_a_clock_that_jumped_holds_no_request_back_for_longer_than_the_usual_pause(jump: float) -> None:
    wrong = NOW + timedelta(seconds=jump)
    _, asked, _ = choose([[WISH]], {}, wrong)

    chosen, _, _ = choose([[WISH]], asked, NOW + timedelta(minutes=21))

    assert [wish.table for wish, _ in chosen] == ["interim/orders"]


def test_another_state_is_asked_for_at_once() -> None:
    assert play([(0, [WISH]), (1, [changed("b")]), (2, [changed("c")])]) == [[1], [2], [3]]


def test_a_state_that_changes_with_each_run_and_never_ends_is_slowed_down() -> None:
    looks = [(float(n), [changed(f"{n}")]) for n in range(120)]

    assert sum(len(numbers) for numbers in play(looks)) == 4  # three at once, one after eighty minutes


def test_a_table_that_was_up_to_date_in_between_is_asked_for_at_once() -> None:
    assert play([(0, [WISH]), (1, []), (2, [WISH])]) == [[1], [], [2]]  # a new number: Dagster runs a key only once


def test_the_first_stage_with_something_to_ask_for_goes_first_and_one_that_waits_holds_up_nobody() -> None:
    later = Wish(table="features/spend", job="daily_job", days=(day(3),), state="f")
    stages = [[WISH], [later]]

    first, asked, _ = choose(stages, {}, NOW)
    second, asked, waiting = choose(stages, asked, NOW + timedelta(minutes=1))
    third, asked, _ = choose([[WISH]], asked, NOW + timedelta(minutes=2))

    assert ([w.table for w, _ in first], [w.table for w, _ in second], third) == (
        ["interim/orders"],
        ["features/spend"],
        [],
    )
    assert waiting == ["interim/orders was asked for at 08:00 UTC, again after 01 May 08:20"]
    assert (asked["interim/orders"].tries, asked["features/spend"].tries) == (1, 0)


def test_a_crash_between_the_request_and_the_cursor_asks_under_the_same_number() -> None:
    first = choose([[WISH]], {}, NOW)[0]
    again = choose([[WISH]], {}, NOW + timedelta(seconds=30))[0]

    assert [r.run_key for r in run_requests(first, {}, "lake")] == [r.run_key for r in run_requests(again, {}, "lake")]


def test_each_stretch_of_days_is_one_run_shared_by_tables() -> None:
    days = (*days_between(day(1), day(3)), day(9))
    orders, customers = dg.AssetKey(["interim", "orders"]), dg.AssetKey(["interim", "customers"])
    check = dg.AssetCheckKey(orders, "contract_holds")
    wishes = [
        Wish(table="interim/orders", job="daily_job", days=days, state="a", also=("monitoring/report",)),
        Wish(table="interim/customers", job="daily_job", days=(day(9),), state="a"),
    ]

    long, short = run_requests([(wishes[0], 4), (wishes[1], 1)], {orders: [check]}, "lake")

    report = dg.AssetKey(["monitoring", "report"])
    assert (long.job_name, long.asset_selection, long.tags) == (
        "daily_job",
        [orders, report],
        {"dagster/asset_partition_range_start": "2026-01-01", "dagster/asset_partition_range_end": "2026-01-03"},
    )
    assert (short.asset_selection, short.tags) == ([orders, customers, report], {"dagster/partition": "2026-01-09"})
    assert short.asset_check_keys == [check]
    assert short.run_key == "lake daily_job 2026-01-09 2026-01-09: interim/orders 4, interim/customers 1"


def test_what_was_asked_for_is_read_back_as_it_was_written() -> None:
    asked = {"interim/orders": Asked(state="a", days="d", tries=2, number=7, at=NOW)}

    assert read_asked(write_asked(asked)) == asked
    assert read_asked({}) == {}


def test_one_day_is_a_partition_and_more_are_a_range() -> None:
    assert range_tags(day(1), day(1)) == {"dagster/partition": "2026-01-01"}
    assert set(range_tags(day(1), day(2))) == {
        "dagster/asset_partition_range_start",
        "dagster/asset_partition_range_end",
    }
