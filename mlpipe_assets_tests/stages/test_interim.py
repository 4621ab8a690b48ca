"""interim: one row per key whatever the order of files and runs, and every row received accounted for."""

import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from mlpipe_assets.catalog.declarations import Source, Tolerance
from mlpipe_assets.catalog.sources import customers, orders
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.stages.interim.plan import interim_work
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import (
    JAN_5,
    JAN_6,
    JAN_7,
    STRICT,
    build,
    counts,
    days_from,
    drop,
    events,
    file_digests,
    materialize,
    order,
    order_ids,
    orders_csv,
    quarantined,
    take,
)

ANYTHING = Tolerance(share=1.0)
NEAR = replace(orders, dedupe_within=timedelta(days=2), tolerance=ANYTHING, duplicate_tolerance=ANYTHING)
PROPERTY = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@contextmanager
def fresh_lake() -> Iterator[Lake]:
    with tempfile.TemporaryDirectory() as folder:
        yield Lake(data_dir=folder)


@dataclass(frozen=True, kw_only=True)
class Messy:
    """One delivery: the day its name tells, and its lines."""

    known: int
    lines: tuple[str, ...]

    @property
    def content(self) -> str:
        return orders_csv(*self.lines)


LINE = st.one_of(
    st.builds(
        lambda key, day, amount: order(f"o{key}", f"2026-01-{day:02}T10:00:00Z", amount),
        st.integers(0, 4),
        st.integers(3, 9),
        st.sampled_from(["1", "2.50", "3", "-1", "much"]),
    ),
    st.sampled_from(["cut off", order("o1", "soon"), order("o2", ""), '"never closed,c1']),
)
DELIVERIES = st.lists(
    st.builds(Messy, known=st.integers(3, 12), lines=st.lists(LINE, min_size=1, max_size=5).map(tuple)),
    min_size=1,
    max_size=6,
    unique_by=lambda messy: messy.lines,
)


def name_of(messy: Messy, number: int) -> str:
    return f"{number:02}_2026-01-{messy.known:02}.csv"


def catch_up(lake: Lake) -> None:
    """Build exactly the days that are behind, as `mlpipe run` does."""
    days = interim_work(lake, NEAR, lambda _: True).days
    if days:
        build(lake, days, NEAR)


@PROPERTY
@given(DELIVERIES)
def test_every_row_received_is_accepted_a_duplicate_or_quarantined_and_found_exactly_once(
    deliveries: list[Messy],
) -> None:
    with fresh_lake() as lake:
        for number, messy in enumerate(deliveries):
            drop(lake, name_of(messy, number), messy.content)
        found = take(lake, NEAR)
        ledger = Ledger.load(lake, "orders")
        days = sorted({*ledger.days(), *(d.arrived for d in found.new if d.quarantined)})

        outcomes = {o.day: o.counts for o in build(lake, days, NEAR)}

        kept = (
            events(lake)
            if any(d.events or d.ahead for d in found.new)
            else pl.DataFrame(schema={"delivery": pl.String, "record_number": pl.Int64})
        )
        on_arrival = sorted((lake.root / "validation" / "quarantine" / "orders").glob(f"date=*/{'?' * 64}-*.parquet"))
        refused = sorted((lake.root / "validation" / "quarantine" / "orders").glob("date=*/refused.parquet"))
        at_the_door = [row for path in on_arrival for row in pl.read_parquet(path)["delivery", "record_number"].rows()]
        judged_away = [row for path in refused for row in pl.read_parquet(path)["delivery", "record_number"].rows()]
        accepted = [
            row for day in days for row in lake.read("interim", "orders", day)["delivery", "record_number"].rows()
        ]
        received = [*kept["delivery", "record_number"].rows(), *at_the_door]

        assert max(Counter(received).values(), default=1) == 1  # nothing is received of a file that cannot be read
        ahead = sum(sum(d.ahead.values()) for d in found.new)
        assert len(received) == sum(d.received for d in found.new)
        assert sum(c["received"] for c in outcomes.values()) == len(received) - ahead
        assert max(Counter([*accepted, *judged_away, *at_the_door]).values(), default=1) == 1
        assert {*accepted, *judged_away, *at_the_door} <= set(received)
        for day, count in outcomes.items():
            assert count["received"] == count["accepted"] + count["duplicates"] + count["quarantined"]
            assert min(count.values()) >= 0
            assert count["accepted"] == lake.read("interim", "orders", day).height
            facts = lake.facts("interim", "orders", day)
            assert facts is not None
            assert {name: facts[name] for name in count} == count
        assert sum(c["quarantined"] for c in outcomes.values()) == len(judged_away) + len(at_the_door)


@pytest.mark.long
@PROPERTY
@given(deliveries=DELIVERIES, data=st.data())
def test_the_order_of_files_and_runs_never_changes_a_byte(deliveries: list[Messy], data: st.DataObject) -> None:
    assume(len({messy.content for messy in deliveries}) == len(deliveries))
    with fresh_lake() as at_once, fresh_lake() as step_by_step:
        for number, messy in enumerate(deliveries):
            drop(at_once, name_of(messy, number), messy.content)
        take(at_once, NEAR)
        catch_up(at_once)

        numbers = data.draw(st.permutations(range(len(deliveries))))
        for number in numbers:
            drop(step_by_step, name_of(deliveries[number], number), deliveries[number].content)
            take(step_by_step, NEAR)
            if data.draw(st.booleans()):
                catch_up(step_by_step)
        for day in data.draw(st.permutations(interim_work(step_by_step, NEAR, lambda _: True).days)):
            build(step_by_step, [day], NEAR)

        below = ("interim", "raw/_events", "validation/quarantine")
        assert file_digests(step_by_step.root, *below) == file_digests(at_once.root, *below)
        assert interim_work(step_by_step, NEAR, lambda _: True).days == ()


@PROPERTY
@given(
    versions=st.lists(st.tuples(st.integers(0, 3), st.integers(3, 9)), min_size=1, max_size=8),
    data=st.data(),
)
def test_the_split_of_rows_among_files_never_changes_the_table(
    versions: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Each version of a key is known on a day of its own; which file of that day brings it does not matter."""
    with fresh_lake() as together, fresh_lake() as apart:
        rows = [
            (known, order(f"o{key}", f"2026-01-{day:02}T10:00:00Z", f"{known}"))
            for known, (key, day) in enumerate(versions, start=10)
        ]
        for known, line in rows:
            others = [order(f"x{known}{i}", "2026-01-06T10:00:00Z") for i in range(2)]
            drop(together, f"all_2026-01-{known}.csv", orders_csv(line, *others))
            cut = data.draw(st.integers(0, 2))
            for part, lines in enumerate((others[:cut], [line, *others[cut:]])):
                if lines:
                    drop(apart, f"{data.draw(st.integers(0, 9))}_{part}_2026-01-{known}.csv", orders_csv(*lines))
        for lake in (together, apart):
            take(lake, NEAR)
            catch_up(lake)

        days = together.days("interim", "orders")
        assert apart.days("interim", "orders") == days
        for day in days:
            left, right = (
                lake.read("interim", "orders", day).drop("delivery", "record_number") for lake in (together, apart)
            )
            assert_frame_equal(left, right)


@pytest.mark.parametrize(
    ("distance", "left"),
    [(7, {0: [], 7: ["o1"]}), (8, {0: ["o1"], 8: ["o1"]})],
    ids=["exactly dedupe_within apart", "a day further apart"],
)
@pytest.mark.parametrize("one_by_one", [False, True])
def test_a_key_sent_again_with_another_event_date_leaves_the_day_it_was_on(
    lake: Lake, distance: int, left: dict[int, list[str]], *, one_by_one: bool
) -> None:
    days = days_from(JAN_5, left)
    for day, known in zip(days, ("2026-01-20", "2026-01-21"), strict=True):
        drop(lake, f"orders_{known}.csv", orders_csv(order("o1", f"{day}T10:00:00Z")))
        if one_by_one:
            take(lake)
            build(lake, [day])
    if not one_by_one:
        take(lake)
        build(lake, days)

    assert distance in left
    assert {offset: order_ids(lake, day) for offset, day in zip(left, days, strict=True)} == left


def test_a_key_known_last_on_an_earlier_day_leaves_the_later_one(lake: Lake) -> None:
    drop(
        lake,
        "orders_2026-01-20.csv",
        orders_csv(order("o1", "2026-01-07T10:00:00Z"), order("o2", "2026-01-07T10:00:00Z")),
    )
    take(lake)
    build(lake, [JAN_7])
    drop(lake, "orders_2026-01-21.csv", orders_csv(order("o1", "2026-01-05T10:00:00Z")))
    take(lake)

    outcomes = build(lake, [JAN_5])

    assert [(o.day, o.counts, o.beyond_the_run) for o in outcomes] == [
        (JAN_5, counts(1, 1), False),
        (JAN_7, counts(2, 1, 1), True),
    ]
    assert (order_ids(lake, JAN_5), order_ids(lake, JAN_7)) == (["o1"], ["o2"])


def test_a_day_changed_beyond_the_run_is_reported_to_dagster(lake: Lake) -> None:
    drop(lake, "orders_2026-01-20.csv", orders_csv(order("o1", "2026-01-07T10:00:00Z")))
    materialize(lake, JAN_7)
    drop(lake, "orders_2026-01-21.csv", orders_csv(order("o1", "2026-01-05T10:00:00Z")))

    run = materialize(lake, JAN_5)

    assert run.materialized["interim/orders"] == ["2026-01-05", "2026-01-07"]


@pytest.mark.parametrize("order_of_runs", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0, 2)])
def test_a_chain_of_three_leaves_the_last_whatever_the_order_of_runs(lake: Lake, order_of_runs: Sequence[int]) -> None:
    """First and last lie further apart than dedupe_within; the middle one supersedes the first and loses to the last."""
    days = days_from(JAN_5, (0, 6, 12))
    for number in order_of_runs:
        drop(lake, f"orders_2026-01-2{number}.csv", orders_csv(order("o1", f"{days[number]}T10:00:00Z")))
        take(lake)
        build(lake, [days[number]])

    assert [order_ids(lake, day) for day in days] == [[], [], ["o1"]]


def test_a_refused_row_supersedes_nothing(lake: Lake) -> None:
    lenient = replace(orders, tolerance=ANYTHING)
    drop(lake, "orders_2026-01-20.csv", orders_csv(order("o1")))
    drop(
        lake,
        "orders_2026-01-21.csv",
        orders_csv(order("o1", amount="-1"), order("o1", "2026-01-06T10:00:00Z", amount="-1")),
    )
    take(lake, lenient)

    build(lake, [JAN_5, JAN_6], lenient)

    assert (order_ids(lake, JAN_5), order_ids(lake, JAN_6)) == (["o1"], [])


@pytest.mark.parametrize("later_one", ["t_2026-01-20_v10.csv", "t_2026-01-20_v9.csv", "t_2026-01-20.csv"])
def test_of_two_files_of_one_day_the_one_modified_later_wins_whatever_its_name(lake: Lake, later_one: str) -> None:
    names = ["t_2026-01-20_v10.csv", "t_2026-01-20_v9.csv", "t_2026-01-20.csv"]
    for number, name in enumerate([*(n for n in names if n != later_one), later_one]):
        path = drop(lake, name, orders_csv(order("o1", amount=f"{number}")))
        os.utime(path, ns=(0, 1_770_000_000_000_000_000 + number))
    take(lake)

    build(lake, [JAN_5])

    assert lake.read("interim", "orders", JAN_5)["amount"].cast(pl.String).to_list() == ["2.00"]


@pytest.mark.parametrize(
    ("names", "later_one"),
    [
        (("t_2026-01-20.csv", "t_2026-01-20_corrected.csv"), "t_2026-01-20_corrected.csv"),
        (("t_2026-01-20.csv", "t_2026-01-20-2.csv"), "t_2026-01-20-2.csv"),
        (("t_2026-01-20_v9.csv", "t_2026-01-20_v10.csv"), "t_2026-01-20_v10.csv"),
        (("t_2026-01-20.csv", "late/t_2026-01-20.csv"), "late/t_2026-01-20.csv"),
        (("9/t_2026-01-20.csv", "10/t_2026-01-20.csv"), "10/t_2026-01-20.csv"),
    ],
)
def test_a_full_tie_goes_to_the_later_name_as_people_order_names_and_then_to_the_later_record(
    lake: Lake, names: tuple[str, str], later_one: str
) -> None:
    for name in names:
        amount = "2" if name == later_one else "1"
        drop(lake, name, orders_csv(order("o1", amount=amount), order("o1", amount=f"{amount}.5")))
    take(lake)

    build(lake, [JAN_5])

    assert lake.read("interim", "orders", JAN_5)["amount"].cast(pl.String).to_list() == ["2.50"]


@pytest.mark.parametrize("source", [orders, STRICT], ids=["with the usual tolerance", "with none"])
def test_a_file_that_nothing_could_be_read_of_is_work_for_the_day_it_arrived(lake: Lake, source: Source) -> None:
    """Else nobody would hear of it: it brings no event, so no day would be behind, and once others came nothing but a gap."""
    drop(lake, "orders_2026-01-04.csv", orders_csv(order("o0", "2026-01-04T10:00:00Z")))
    drop(lake, "orders_2026-01-05.csv", orders_csv("o1,10.00", header="order_id,amount"))
    drop(lake, "orders_2026-01-06.csv", orders_csv(order("o2", "2026-01-06T10:00:00Z")))
    take(lake, source)

    before = interim_work(lake, source, lambda _: True)
    build(lake, before.days, source)
    after = interim_work(lake, source, lambda _: True)

    assert before.days == (date(2026, 1, 4), JAN_5, JAN_6)
    reason = "order_ts: column missing from the file (orders_2026-01-05.csv)"
    assert (after.days, after.blocked) == ((), ((JAN_5, reason),))


def test_its_corrected_file_takes_that_work_away(lake: Lake) -> None:
    drop(lake, "orders_2026-01-05.csv", orders_csv("o1,10.00", header="order_id,amount"))
    take(lake, STRICT)
    build(lake, interim_work(lake, STRICT, lambda _: True).days, STRICT)
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1", "2026-01-06T10:00:00Z")))
    take(lake, STRICT)

    build(lake, interim_work(lake, STRICT, lambda _: True).days, STRICT)

    work = interim_work(lake, STRICT, lambda _: True)
    assert (work.days, work.blocked) == ((), ())
    assert order_ids(lake, JAN_6) == ["o1"]


SNAPSHOT = "customer_id,email,age,region,signup_date\n"


@pytest.mark.parametrize(
    ("name", "content", "refused"),
    [
        (
            "customers_2026-01-05.csv",
            "age,b\n1,2\n3,4\n",
            "customer_id: column missing from the file (customers_2026-01-05.csv); email: column missing",
        ),
        ("customers_2026-01-05.jsonl", '{}\n{"age":1}\n', "2 of 2 rows refused, 0 tolerated"),
        ("customers_2026-01-05.csv", f"{SNAPSHOT}c1,x@y,200,north,2025-01-01\n", "1 of 1 rows refused, 0 tolerated"),
    ],
    ids=["one known column", "rows without fields", "a broken rule"],
)
def test_a_snapshot_that_does_not_hold_is_refused(lake: Lake, name: str, content: str, refused: str) -> None:
    source = replace(customers, tolerance=Tolerance(share=0.0))
    drop(lake, name, content, source="customers")
    take(lake, source)

    (outcome,) = build(lake, [JAN_5], source)

    assert outcome.refused is not None
    assert outcome.refused.startswith(refused)
    assert lake.days("interim", "customers") == []


def test_a_day_without_a_snapshot_carries_the_one_before(lake: Lake) -> None:
    drop(lake, "customers_2026-01-05.csv", f"{SNAPSHOT}c1,x@y,20,north,2025-01-01\n", source="customers")
    take(lake, customers)

    outcomes = build(lake, [JAN_5, JAN_6], customers)

    assert [(o.day, o.carried, o.written is not None) for o in outcomes] == [(JAN_5, False, True), (JAN_6, True, False)]


def test_personal_values_are_in_quarantine_only(lake: Lake) -> None:
    drop(
        lake,
        "customers_2026-01-05.csv",
        f"{SNAPSHOT}c1,secret@example.org,200,north,2025-01-01\n,hidden@example.org,20,north,2025-01-01\n",
        source="customers",
    )

    run = materialize(lake, JAN_5, source=customers)

    told = f"{run.report} {[c.description for c in run.checks.values()]} {[c.metadata for c in run.checks.values()]}"
    assert "age: >= 0 and <= 130 fails on 1 of 2 rows (e.g. 200)" in told
    assert "@example.org" not in told
    assert quarantined(lake, "customers").height == 2


def test_columns_of_several_files_of_a_day_may_stand_in_any_order_and_number(lake: Lake) -> None:
    drop(lake, "a_2026-01-05.csv", orders_csv(order("o1")))
    drop(
        lake,
        "b_2026-01-05.csv",
        orders_csv(
            "x,north,web,P00001,1,2.00,2026-01-05T10:00:00Z,c1,o2",
            header="extra,region,channel,product_id,quantity,amount,order_ts,customer_id,order_id",
        ),
    )
    take(lake)

    (outcome,) = build(lake, [JAN_5])

    assert outcome.counts == counts(2, 2)
    assert order_ids(lake, JAN_5) == ["o1", "o2"]


def test_known_at_is_when_the_winning_row_could_be_known(lake: Lake) -> None:
    drop(lake, "orders.csv", orders_csv(order("o1")), modified=datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC))
    take(lake)

    build(lake, [JAN_5])

    assert lake.read("interim", "orders", JAN_5)["known_at"].to_list() == [datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)]


@pytest.mark.parametrize("source", [STRICT, NEAR], ids=["no dedupe_within", "two days"])
@pytest.mark.parametrize("together", [True, False])
def test_a_correction_takes_its_row_away_however_far_it_moved(lake: Lake, source: Source, *, together: bool) -> None:
    source = replace(source, tolerance=ANYTHING)
    far = "2026-01-25T10:00:00Z"
    drop(lake, "a_2026-01-26.csv", orders_csv(order("o1", far, "10"), order("o2", far, "20")), modified=at(1))
    take(lake, source)
    build(lake, [date(2026, 1, 25)], source)
    assert order_ids(lake, date(2026, 1, 25)) == ["o1", "o2"]

    drop(lake, "a_2026-01-26.csv", orders_csv(order("o1", amount="10")), modified=at(2))
    take(lake, source)
    days = [JAN_5, date(2026, 1, 25)] if together else [JAN_5]
    outcomes = build(lake, days, source)

    assert order_ids(lake, JAN_5) == ["o1"]
    assert order_ids(lake, date(2026, 1, 25)) == ["o2"]  # which only the old file has: that is no statement
    assert {o.day: o.counts for o in outcomes} == {JAN_5: counts(1, 1), date(2026, 1, 25): counts(2, 1, duplicates=1)}
    assert [o.day for o in outcomes if o.beyond_the_run] == ([] if together else [date(2026, 1, 25)])
    assert interim_work(lake, source, lambda _: True).days == ()


def test_a_correction_reaches_through_several_versions_of_its_file_and_no_other_file(lake: Lake) -> None:
    for hour, day in ((1, 5), (2, 15), (3, 25)):
        drop(lake, "a_2026-01-26.csv", orders_csv(order("o1", f"2026-01-{day:02}T10:00:00Z")), modified=at(hour))
        take(lake)
    drop(lake, "b_2026-01-26.csv", orders_csv(order("o1", "2026-01-15T11:00:00Z", "7")), modified=at(1))
    take(lake)
    source = replace(orders, dedupe_within=timedelta(0))

    build(lake, [JAN_5, date(2026, 1, 15), date(2026, 1, 25)], source)

    assert order_ids(lake, JAN_5) == []
    assert lake.read("interim", "orders", date(2026, 1, 15))["amount"].cast(pl.String).to_list() == ["7.00"]
    assert order_ids(lake, date(2026, 1, 25)) == ["o1"]


def test_a_correction_that_is_refused_takes_nothing_away(lake: Lake) -> None:
    source = replace(orders, dedupe_within=timedelta(0))
    drop(lake, "a_2026-01-26.csv", orders_csv(order("o1", "2026-01-25T10:00:00Z")), modified=at(1))
    take(lake)
    drop(lake, "a_2026-01-26.csv", orders_csv(order("o1", amount="-1")), modified=at(2))
    take(lake)

    build(lake, [JAN_5, date(2026, 1, 25)], source)

    assert (order_ids(lake, JAN_5), order_ids(lake, date(2026, 1, 25))) == ([], ["o1"])


def test_where_only_names_decide_a_value_both_files_are_named(lake: Lake) -> None:
    lines = orders_csv(order("o1", amount="1"), order("o2", amount="5")), orders_csv(order("o1", amount="2"))
    for name, content in zip(("t_2026-01-20_v9.csv", "t_2026-01-20_v10.csv"), lines, strict=True):
        drop(lake, name, content)
    take(lake)

    (outcome,) = build(lake, [JAN_5])

    expected = (
        "t_2026-01-20_v9.csv and t_2026-01-20_v10.csv have other values for keys that both have: 1 (amount, for one). Both were "
        "known and modified at the same moment, so the names alone decided, for t_2026-01-20_v10.csv. If that is wrong, "
        "deliver the right file again"
    )
    assert outcome.remarks == [expected]
    assert outcome.refused is None


@pytest.mark.parametrize("built", [[JAN_5, JAN_6], [JAN_5], [JAN_6]], ids=["both", "the loser", "the winner"])
def test_where_only_names_decide_on_which_day_a_row_stands_both_files_are_named(lake: Lake, built: list[date]) -> None:
    drop(lake, "t_2026-01-20_v9.csv", orders_csv(order("o1")))
    drop(lake, "t_2026-01-20_v10.csv", orders_csv(order("o1", "2026-01-06T10:00:00Z"), order("o2")))
    take(lake)

    remarks = [(o.day, line) for o in build(lake, built) for line in o.remarks]

    expected = (
        "t_2026-01-20_v9.csv has the row of 1 key on 2026-01-05 and t_2026-01-20_v10.csv on 2026-01-06. Both files were known and "
        "modified at the same moment, so the names alone decided, for t_2026-01-20_v10.csv. If that is wrong, deliver the "
        "right file again"
    )
    assert remarks == [(built[0], expected)]


def test_rows_of_two_days_that_a_time_tells_apart_are_no_tie(lake: Lake) -> None:
    drop(lake, "t_2026-01-20_v9.csv", orders_csv(order("o1")), modified=at(1))
    drop(lake, "t_2026-01-20_v10.csv", orders_csv(order("o1", "2026-01-06T10:00:00Z")), modified=at(2))
    take(lake)

    assert [o.remarks for o in build(lake, [JAN_5, JAN_6])] == [[], []]


@pytest.mark.parametrize(
    "names", [("c_2026-01-05.csv", "c_2026-01-05.csv"), ("c_2026-01-05.csv", "d_2026-01-05.csv"), ("c.csv", "c.csv")]
)
def test_a_snapshot_delivered_again_is_the_whole_table_and_what_it_lacks_is_gone(
    lake: Lake, names: tuple[str, str]
) -> None:
    people = [f"c{n},c{n}@example.org,30,north,2025-12-01\n" for n in range(5)]
    header = "customer_id,email,age,region,signup_date\n"
    strict = replace(customers, duplicate_tolerance=Tolerance(share=0.0))
    for hour, (name, rows) in enumerate(zip(names, (people, people[:1]), strict=True)):
        drop(lake, name, header + "".join(rows), source="customers", modified=at(hour))
        take(lake, strict)
    day = Ledger.load(lake, "customers").days()[-1]

    (outcome,) = build(lake, [day], strict)

    assert lake.read("interim", "customers", day)["customer_id"].to_list() == ["c0"]
    assert outcome.counts == counts(6, 1, duplicates=5)
    pair = names[1] if names[0] != names[1] else f"{names[1]}, which has the same name"
    (remark,) = outcome.remarks
    assert remark == (
        f"4 of the 5 keys of the snapshot before, {names[0]}, are not in {pair}. They are taken as gone. If the file was cut "
        "short, deliver the whole one again"
    )


def test_a_snapshot_of_the_next_day_with_under_half_of_the_keys_is_named_beside_the_one_before(lake: Lake) -> None:
    people = [f"c{n},c{n}@example.org,30,north,2025-12-01\n" for n in range(5)]
    names = ("c_2026-01-05.csv", "c_2026-01-06.csv", "c_2026-01-07.csv")
    remarks = []
    for day, (name, count) in enumerate(zip(names, (5, 2, 1), strict=True), start=5):
        drop(lake, name, "customer_id,email,age,region,signup_date\n" + "".join(people[:count]), source="customers")
        take(lake, customers)
        remarks += [outcome.remarks for outcome in build(lake, [date(2026, 1, day)], customers)]

    start = "3 of the 5 keys of the snapshot before, c_2026-01-05.csv, are not in c_2026-01-06.csv. "
    assert [[line[: len(start)] for line in lines] for lines in remarks] == [[], [start], []]


@pytest.mark.parametrize("nothing", ["", "c0,x@example.org,300,north,2025-12-01\n", "cut off\n"])
def test_a_snapshot_without_a_valid_row_does_not_empty_the_table(lake: Lake, nothing: str) -> None:
    header = "customer_id,email,age,region,signup_date\n"
    source = replace(customers, tolerance=ANYTHING)
    for name, rows in (("c_2026-01-05.csv", "c0,c0@example.org,30,north,2025-12-01\n"), ("d_2026-01-05.csv", nothing)):
        drop(lake, name, header + rows, source="customers")
        take(lake, source)

    build(lake, [JAN_5], source)

    assert lake.read("interim", "customers", JAN_5)["age"].to_list() == [30]


def at(hour: int) -> datetime:
    """An hour of 2026-02-01, to modify files at."""
    return datetime(2026, 2, 1, hour, tzinfo=UTC)


def trimmed(text: pl.DataFrame) -> pl.DataFrame:
    """A prepare function that leaves the columns as they are."""
    return text.with_columns(pl.all().str.strip_chars("*"))


@pytest.mark.parametrize(
    ("header", "lacks"),
    [("customer_id,email,Age,region,signup_date", "age"), ("customer_id,email,region,signup_date", "age")],
)
def test_a_column_that_is_missing_after_prepare_is_missing(lake: Lake, header: str, lacks: str) -> None:
    source = replace(customers, prepare=trimmed, tolerance=ANYTHING)
    width = header.count(",") + 1
    drop(
        lake,
        "customers_2026-01-05.csv",
        f"{header}\n{','.join(['c1', 'x@y', '7', 'north', '2025-01-01'][:width])}\n",
        source="customers",
    )
    take(lake, source)

    (outcome,) = build(lake, [JAN_5], source)

    assert str(outcome.refused).startswith(f"{lacks}: column missing from the file (customers_2026-01-05.csv)")


def test_a_day_that_is_written_though_every_row_of_a_file_was_refused_says_so(lake: Lake) -> None:
    source = replace(orders, tolerance=ANYTHING)
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1")))
    drop(lake, "orders_2026-01-06.csv", orders_csv(order("o2", amount="x"), order("o3", amount="y")))
    take(lake, source)

    (outcome,) = build(lake, [JAN_5], source)

    assert outcome.written
    assert [line.partition(";")[0] for line in outcome.remarks] == [
        "every row of orders_2026-01-06.csv was refused (2 rows"
    ]
