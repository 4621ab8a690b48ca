"""Refused days: a marker that cannot be read bars nothing in silence."""

import pytest

from mlpipe_assets.errors import LakeError
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.refusals import refusal_of, refuse
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
