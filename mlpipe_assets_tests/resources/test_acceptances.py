"""What a person accepted stays on record, and is never guessed at."""

import pytest

from mlpipe_assets.errors import LakeError
from mlpipe_assets.resources.acceptances import accept, accepted_days
from mlpipe_assets.resources.lake import Lake
from mlpipe_assets_tests.frames import JAN_5, JAN_6


@pytest.mark.parametrize("line", ['{"source": "ord', "[]", '{"source": "orders"}', '{"source": "orders", "date": 5}'])
def test_a_record_that_cannot_be_read_is_named_by_its_line_and_left_to_a_person(lake: Lake, line: str) -> None:
    accept(lake, "orders", [JAN_5], "a holiday")
    path = lake.root / "meta" / "acceptances.jsonl"
    before = path.read_text() + line
    path.write_text(before)

    for ask in (lambda: accepted_days(lake, "customers"), lambda: accept(lake, "orders", [JAN_6], "late")):
        with pytest.raises(LakeError, match=r"acceptances\.jsonl cannot be read: line 2: .+\. Mend that line by hand"):
            ask()

    assert path.read_text() == before


def test_a_last_line_left_open_by_an_editor_does_not_swallow_the_next(lake: Lake) -> None:
    accept(lake, "orders", [JAN_5], "a holiday")
    path = lake.root / "meta" / "acceptances.jsonl"
    path.write_text(path.read_text().rstrip())

    accept(lake, "orders", [JAN_6], "late")

    assert accepted_days(lake, "orders") == {JAN_5: "a holiday", JAN_6: "late"}
