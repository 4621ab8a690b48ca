"""What a person accepted stays on record, and is never guessed at."""

import pytest

from mlpipe_assets.errors import LakeError
from mlpipe_assets.store.acceptances import NOTHING_CAME, accept, acceptances
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import JAN_5, JAN_6


@pytest.mark.parametrize("line", ['{"source": "ord', "[]", '{"source": "orders"}', '{"source": "orders", "date": 5}'])
def test_a_record_that_cannot_be_read_is_named_by_its_line_and_left_to_a_person(lake: Lake, line: str) -> None:
    accept(lake, "orders", [JAN_5], "a holiday")
    path = lake.root / "meta" / "acceptances.jsonl"
    before = path.read_text() + line
    path.write_text(before)

    for ask in (lambda: acceptances(lake, "customers"), lambda: accept(lake, "orders", [JAN_6], "late")):
        with pytest.raises(LakeError, match=r"acceptances\.jsonl cannot be read: line 2: .+\. Mend that line by hand"):
            ask()

    assert path.read_text() == before


def test_a_last_line_left_open_by_an_editor_does_not_swallow_the_next(lake: Lake) -> None:
    accept(lake, "orders", [JAN_5], "a holiday")
    path = lake.root / "meta" / "acceptances.jsonl"
    path.write_text(path.read_text().rstrip())

    accept(lake, "orders", [JAN_6], "late")

    assert {day: a.reason for day, a in acceptances(lake, "orders").items()} == {JAN_5: "a holiday", JAN_6: "late"}


def test_a_record_of_the_version_before_holds_for_a_day_on_which_nothing_came(lake: Lake) -> None:
    path = lake.root / "meta" / "acceptances.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text('{"source": "orders", "date": "2026-01-05", "reason": "a holiday", "accepted_at": "2026-01-06"}\n')

    accepted = acceptances(lake, "orders")[JAN_5]

    assert accepted.holds_for(NOTHING_CAME)
    assert not accepted.holds_for("what was refused")
