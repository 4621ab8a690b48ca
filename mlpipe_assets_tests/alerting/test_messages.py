"""What is told of problems: one message when something breaks, one when it heals, none in between."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from mlpipe_assets.alerting.messages import Message, OpenAlert, Problem, decide

NOW = datetime(2026, 5, 3, 8, 0, tzinfo=UTC)
LATE = Problem(
    key="raw/orders",
    what="no partition of 2026-05-01",
    where="raw/orders",
    how_many="3 tables late: raw/orders, interim/orders, features/spend",
    example="the newest partition is 2026-04-30",
    since=datetime(2026, 5, 3, 6, 0, tzinfo=UTC),
    to_do="see why no file of orders came",
)
OTHER = replace(LATE, key="raw/customers", where="raw/customers", since=None)


def play(looks: Sequence[Sequence[Problem]], pause: timedelta = timedelta(minutes=1)) -> list[list[Message]]:
    """What is told at each of several looks."""
    known: dict[str, OpenAlert] = {}
    told: list[list[Message]] = []
    for number, problems in enumerate(looks):
        messages, known = decide("freshness", known, problems, NOW + number * pause)
        told.append(messages)
    return told


def test_a_problem_is_told_with_what_where_how_many_since_when_and_what_to_do() -> None:
    [[message]] = play([[LATE]])

    assert message == Message(
        scope="freshness",
        kind="broken",
        at=NOW,
        keys=("raw/orders",),
        title="raw/orders: no partition of 2026-05-01",
        body=(
            "raw/orders: no partition of 2026-05-01\n"
            "how many: 3 tables late: raw/orders, interim/orders, features/spend\n"
            "example: the newest partition is 2026-04-30\n"
            "since: 2026-05-03 06:00 UTC\n"
            "what to do: see why no file of orders came"
        ),
    )


def test_it_is_told_once_and_once_when_it_is_healed() -> None:
    told = play([[LATE], [LATE], [replace(LATE, how_many="9 tables late")], [], []])

    assert [[m.kind for m in messages] for messages in told] == [["broken"], [], [], ["healed"], []]
    [healed] = told[3]
    assert healed.title == "healed: raw/orders: no partition of 2026-05-01"
    assert (
        healed.body == "raw/orders: no partition of 2026-05-01\nhealed after 2 hours"
    )  # since six, it is three past eight


def test_what_breaks_again_is_told_again() -> None:
    told = play([[LATE], [], [LATE]])

    assert [[m.kind for m in messages] for messages in told] == [["broken"], ["healed"], ["broken"]]


def test_problems_that_appear_together_make_one_message() -> None:
    [[message]] = play([[LATE, OTHER]])

    assert message.title == "2 new problems with freshness: raw/orders, raw/customers"
    assert message.keys == ("raw/orders", "raw/customers")
    assert message.body.count("what to do: ") == 2
    assert "since: 2026-05-03 08:00 UTC" in message.body  # of the one that does not say since when


def test_several_problems_of_one_place_are_told_apart_in_the_title() -> None:
    [[message]] = play([[LATE, replace(LATE, key="k", what="run failed"), OTHER]])

    assert message.title == (
        "3 new problems with freshness: raw/orders (no partition of 2026-05-01), raw/orders (run failed), raw/customers"
    )


def test_one_heals_while_another_breaks() -> None:
    told = play([[LATE], [OTHER]])

    assert [(m.kind, m.keys) for m in told[1]] == [("broken", ("raw/customers",)), ("healed", ("raw/orders",))]


def test_a_problem_that_stays_is_recalled_once_a_week() -> None:
    told = play([[LATE]] * 16, pause=timedelta(days=1))

    kinds = [[m.kind for m in messages] for messages in told]
    assert [day for day, found in enumerate(kinds) if found] == [0, 7, 14]
    assert (kinds[0], kinds[7], kinds[14]) == (["broken"], ["reminder"], ["reminder"])
    assert told[7][0].title == "still open: raw/orders: no partition of 2026-05-01"


def test_of_very_many_problems_a_message_lists_ten() -> None:
    [[message]] = play([[replace(LATE, key=f"{n}", where=f"raw/t{n}") for n in range(25)]])

    assert message.body.count("what to do: ") == 10
    assert message.body.endswith("and 15 more, see meta/alerts.json")
    assert len(message.keys) == 25


@given(st.lists(st.sets(st.sampled_from("abc")), max_size=12))
def test_each_stretch_of_trouble_is_one_broken_and_at_most_one_healed(looks: list[set[str]]) -> None:
    told = play([[replace(LATE, key=key) for key in sorted(look)] for look in looks])

    for key in "abc":
        present = [key in look for look in looks]
        begins = [n for n, now in enumerate(present) if now and not (n and present[n - 1])]
        ends = [n for n, now in enumerate(present) if not now and n and present[n - 1]]
        assert [n for n, ms in enumerate(told) for m in ms if m.kind == "broken" and key in m.keys] == begins
        assert [n for n, ms in enumerate(told) for m in ms if m.kind == "healed" and key in m.keys] == ends


def test_a_new_cause_of_an_open_problem_is_reported_once_and_a_returning_one_is_not() -> None:
    one, both, other = (replace(LATE, causes=causes) for causes in (("a",), ("a", "b"), ("b",)))

    told = play([[one], [one], [both], [other], [one], []])

    assert [[m.kind for m in messages] for messages in told] == [["broken"], [], ["broken"], [], [], ["healed"]]
    assert told[2][0].title == "raw/orders: no partition of 2026-05-01, for another reason"


def test_a_clock_that_was_years_ahead_neither_repeats_a_problem_nor_keeps_its_reminder_for_ever() -> None:
    _, known = decide("freshness", {}, [LATE], NOW + timedelta(days=4000))

    now, known = decide("freshness", known, [LATE], NOW)
    later, _ = decide("freshness", known, [LATE], NOW + timedelta(days=7))

    assert (now, [m.kind for m in later]) == ([], ["reminder"])


def test_a_clock_that_is_set_back_before_a_table_was_late_heals_nothing() -> None:
    _, known = decide("freshness", {}, [LATE], NOW)
    assert LATE.since

    set_back, known = decide("freshness", known, [], LATE.since - timedelta(minutes=10))
    right_again, known = decide("freshness", known, [LATE], NOW + timedelta(minutes=5))
    healed, _ = decide("freshness", known, [], NOW + timedelta(minutes=6))

    assert (set_back, right_again, [m.kind for m in healed]) == ([], [], ["healed"])
