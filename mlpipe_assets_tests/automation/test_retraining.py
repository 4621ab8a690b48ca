"""When drift asks for a new model: after enough bad days in a row, once per reference, and not again at once."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_assets.automation.retraining import (
    DriftWindow,
    Request,
    Retraining,
    Skip,
    decide_retraining,
    merge,
    tags_of,
)
from mlpipe_assets.catalog.declarations import Monitor
from mlpipe_assets_tests.planted import day

MONITOR = Monitor(
    table="interim/orders",
    retrains=("returning",),
    window=timedelta(days=1),
    persist=3,
    cooldown=timedelta(days=7),
)
WEEKLY = replace(MONITOR, window=timedelta(days=7))
REFERENCE = "interim/orders@v1"


def window(on: date, *, bad: bool, reference: str = "v1") -> DriftWindow:
    return DriftWindow(
        table="interim/orders",
        day=on,
        drift_score=0.25 if bad else 0.0,
        bad=bad,
        reference=reference,
        evidence=("amount against the baseline: psi 0.9, threshold 0.1",) if bad else (),
    )


def windows(verdicts: str, first: int = 1) -> list[DriftWindow]:
    """A window a day from the `first` on: x is bad, anything else is good."""
    return [window(day(first + n), bad=verdict == "x") for n, verdict in enumerate(verdicts)]


def test_three_bad_windows_in_a_row_ask_for_a_retraining_with_the_evidence() -> None:
    assert decide_retraining("returning", MONITOR, windows("..xxx"), []) == Retraining(
        model="returning",
        references=(REFERENCE,),
        day=day(5),
        evidence=("amount against the baseline: psi 0.9, threshold 0.1",),
    )


def test_one_bad_window_of_a_week_asks_because_it_is_bad_without_its_oddest_days() -> None:
    found = decide_retraining("returning", WEEKLY, windows("..x"), [])

    assert isinstance(found, Retraining)
    assert found.day == day(3)


@pytest.mark.parametrize(("length", "odd", "in_a_row"), [(1, 0, 3), (2, 1, 2), (3, 2, 1), (7, 2, 1)])
def test_a_window_too_short_to_leave_days_out_is_bad_in_a_row_instead(length: int, odd: int, in_a_row: int) -> None:
    monitor = replace(MONITOR, window=timedelta(days=length))

    assert (monitor.odd_days, monitor.in_a_row) == (odd, in_a_row)


@pytest.mark.parametrize(("monitor", "verdicts", "asks"), [(WEEKLY, "..x", True), (MONITOR, ".xx", False)])
def test_performance_asks_after_as_many_windows_as_drift_does(monitor: Monitor, verdicts: str, *, asks: bool) -> None:
    worse = [replace(found, by_performance=True) for found in windows(verdicts)]

    assert isinstance(decide_retraining("returning", monitor, worse, []), Retraining) == asks


@pytest.mark.parametrize(
    ("verdicts", "reason"),
    [
        ("xx", "interim/orders: 2 windows so far, it takes 3"),
        ("", "interim/orders: 0 windows so far, it takes 3"),
        (".xx", "interim/orders: 2 of 3 windows bad (2026-01-01 0.00, 2026-01-02 0.25, 2026-01-03 0.25)"),
        ("xxx.", "interim/orders: 2 of 3 windows bad (2026-01-02 0.25, 2026-01-03 0.25, 2026-01-04 0.00)"),
        ("xx.x", "interim/orders: 2 of 3 windows bad (2026-01-02 0.25, 2026-01-03 0.00, 2026-01-04 0.25)"),
    ],
)
def test_fewer_do_not(verdicts: str, reason: str) -> None:
    assert decide_retraining("returning", MONITOR, windows(verdicts), []) == Skip(reason=reason)


def test_days_missing_between_bad_ones_are_not_in_a_row() -> None:
    found = [window(day(n), bad=True) for n in (1, 2, 4)]

    assert decide_retraining("returning", MONITOR, found, []) == Skip(
        reason="interim/orders: bad windows from 2026-01-01 to 2026-01-04 with days missing between"
    )


def test_windows_held_against_different_baselines_are_not_in_a_row() -> None:
    found = [*windows("xx"), window(day(3), bad=True, reference="v2")]

    assert decide_retraining("returning", MONITOR, found, []) == Skip(
        reason="interim/orders: the baseline changed within the last 3 windows"
    )


def test_a_reference_is_asked_for_once_however_long_the_drift_lasts() -> None:
    asked = [Request(reference=REFERENCE, day=day(3))]

    for last in (4, 20, 200):
        assert decide_retraining("returning", MONITOR, windows("x" * last), asked) == Skip(
            reason=f"returning: was retrained for the drift of {REFERENCE}", drifting=True
        )


def test_another_reference_waits_for_the_cooldown() -> None:
    asked = [Request(reference="features/spend@v9", day=day(3))]

    assert decide_retraining("returning", MONITOR, windows("x" * 9), asked) == Skip(
        reason="returning: was retrained as of 2026-01-03, cooling down until 2026-01-10", drifting=True
    )
    found = decide_retraining("returning", MONITOR, windows("x" * 10), asked)
    assert isinstance(found, Retraining)
    assert found.day == day(10)


def test_a_request_of_which_no_model_came_is_made_again_after_the_cooldown_three_times_in_all() -> None:
    asked: list[Request] = []

    for last in range(3, 60):
        found = decide_retraining("returning", MONITOR, windows("x" * last), asked)
        if isinstance(found, Retraining):
            asked.append(Request(reference=REFERENCE, day=found.day, met=False))

    assert [request.day for request in asked] == [day(3), day(10), day(17)]
    assert decide_retraining("returning", MONITOR, windows("x" * 60), asked) == Skip(
        reason=f"returning: was asked for 3 times for the drift of {REFERENCE}, and no model came of it", drifting=True
    )


def test_one_request_that_was_met_ends_the_asking_however_many_failed_before() -> None:
    asked = [Request(reference=REFERENCE, day=day(3), met=False), Request(reference=REFERENCE, day=day(10))]

    assert decide_retraining("returning", MONITOR, windows("x" * 60), asked) == Skip(
        reason=f"returning: was retrained for the drift of {REFERENCE}", drifting=True
    )


@given(st.text("x.", max_size=30), st.randoms())
def test_the_order_of_windows_does_not_matter_and_only_the_newest_count(verdicts: str, chance: object) -> None:
    found = windows(verdicts)
    shuffled = sorted(found, key=lambda _: chance.random())  # type: ignore[attr-defined]

    decision = decide_retraining("returning", MONITOR, shuffled, [])

    assert decision == decide_retraining("returning", MONITOR, found[-3:], [])
    assert isinstance(decision, Retraining) == verdicts.endswith("xxx")


def test_tables_that_drift_together_make_one_retraining_whose_tags_tell_of_both() -> None:
    one = Retraining(model="returning", references=(REFERENCE,), day=day(5), evidence=("amount moved",))
    other = replace(one, references=("features/spend@v9",), day=day(6), evidence=("spend moved",))

    tags = tags_of(merge([one, other]))

    assert tags == {
        "mlpipe/model": "returning",
        "mlpipe/drifted_from": "interim/orders@v1, features/spend@v9",
        "mlpipe/drifted_on": "2026-01-06",
        "mlpipe/evidence": "amount moved, spend moved",
    }
