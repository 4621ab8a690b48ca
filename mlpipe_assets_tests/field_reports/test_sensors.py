"""Reports about sensors that lose or repeat runs, re-created with the decisions of ours."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from mlpipe_assets.automation.requests import Asked, Wish, choose, read_asked, run_requests, write_asked
from mlpipe_assets_tests.planted import day

NOW = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)
WISH = Wish(table="interim/orders", job="daily_job", days=(day(3), day(4)), state="a")


def keys(stored: Mapping[str, Any], minutes: float, *wishes: Wish) -> tuple[list[str], dict[str, Any]]:
    """Run keys asked for at a look, and what is on record after it."""
    chosen, asked, _ = choose([wishes], read_asked(stored), NOW + timedelta(minutes=minutes))
    return [str(request.run_key) for request in run_requests(chosen, {}, "lake")], write_asked(asked)


def test_a_run_that_failed_is_asked_for_again_under_a_key_that_was_never_used() -> None:
    first, stored = keys({}, 0, WISH)
    later = [keys(stored, minute, WISH)[0] for minute in (5, 30)]

    assert len(first) == 1
    assert later[0] == []  # its time has not come
    assert len(later[1]) == 1
    assert set(later[1]).isdisjoint(first)


def test_requests_of_one_look_have_keys_of_their_own_however_many_stretches_there_are() -> None:
    wishes = [
        Wish(table=f"interim/t{n}", job="daily_job", days=(day(1), day(3), day(5 + n)), state="a") for n in range(3)
    ]

    found, _ = keys({}, 0, *wishes)

    assert len(found) == len(set(found)) > 3


def test_what_an_earlier_catalog_asked_for_is_not_asked_for_any_more() -> None:
    gone = {"interim/gone": Asked(state="x", days="y", tries=1, number=7, at=NOW - timedelta(days=2))}

    found, stored = keys(write_asked(gone), 0)

    assert found == []
    assert read_asked(stored)["interim/gone"].state == ""
