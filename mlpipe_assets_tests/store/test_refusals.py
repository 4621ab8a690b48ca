"""Refused days: a marker that cannot be read bars nothing in silence."""

import pytest

from mlpipe_assets.errors import LakeError
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.refusals import refusal_of, refuse, refused_days
from mlpipe_assets_tests.frames import JAN_5


@pytest.mark.parametrize("content", ['{"problem": "too', "[]", "{}"])
def test_a_marker_that_cannot_be_read_is_named_with_what_deleting_it_does(lake: Lake, content: str) -> None:
    refuse(lake, "interim", "orders", JAN_5, problem="too many", inputs="abc")
    (path,) = lake.root.glob("meta/refused/**/*.json")
    path.write_text(content)

    with pytest.raises(
        LakeError,
        match=r"2026-01-05\.json cannot be read: .+\. Delete it and run again: interim/orders \[2026-01-05\] is tried again",
    ):
        refusal_of(lake, "interim", "orders", JAN_5)

    path.unlink()
    assert refusal_of(lake, "interim", "orders", JAN_5) is None


def test_only_records_themselves_make_days_refused_not_copies_that_somebody_keeps_of_them(lake: Lake) -> None:
    refuse(lake, "interim", "orders", JAN_5, problem="too many", inputs="abc")
    (path,) = lake.root.glob("meta/refused/**/*.json")
    for copy in (path.parent / "old" / "2026-01-06.json", path.with_name("2026-01-07.json~")):
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())

    assert refused_days(lake, "interim", "orders") == {JAN_5}

    path.with_name("notes.json").touch()
    with pytest.raises(LakeError, match=r"notes\.json is not the record of a refused day, .* Move it away"):
        refused_days(lake, "interim", "orders")
