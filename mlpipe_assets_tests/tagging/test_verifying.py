"""`mlpipe verify` reads what only tags name, too."""

from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.tagging.checkout import check_out
from mlpipe_assets.verification import Verified, verify
from mlpipe_assets_tests.frames import JAN_5, JAN_6, flip
from mlpipe_assets_tests.tagging.lakes import CATALOG, NOON, publish, tag


def verified(lake: Lake, table: str | None = None) -> Verified:
    return verify(Lake(data_dir=lake.data_dir), CATALOG, table, lambda _: None)


def test_contents_that_only_tags_name_are_held_to_their_digests(lake: Lake) -> None:
    publish(lake, {JAN_5: 1, JAN_6: 2})
    tag(lake, "v1")
    tag(lake, "v2")
    kept = [lake.state("interim", "orders").locate(day) for day in (JAN_5, JAN_6)]
    publish(lake, {JAN_5: 10, JAN_6: 20})
    assert (verified(lake).files, verified(lake).wrong) == (4, [])

    flip(kept[0])
    kept[1].unlink()

    assert [(wrong.path, wrong.what, wrong.to_do) for wrong in verified(lake, "interim/orders").wrong] == [
        (f"{kept[0].relative_to(lake.root)}", "does not hold what was written to it", RESTORE),
        (f"{kept[1].relative_to(lake.root)}", "is gone", RESTORE),
    ]


RESTORE = "Restore it from a copy of the lake that has it; tag v1 names it"


def test_what_a_checkout_left_is_read_and_a_tag_that_was_changed_is_named(lake: Lake) -> None:
    publish(lake, {JAN_5: 1})
    tag(lake, "v1")
    publish(lake, {JAN_5: 10})
    left = lake.state("interim", "orders").locate(JAN_5)
    check_out(lake, CATALOG, "v1", tables=[], now=NOON)
    flip(left)
    path = lake.root / keys.tag("v1")
    path.write_text(path.read_text(encoding="utf-8").replace('"message": ""', '"message": "?"'), encoding="utf-8")

    found = {wrong.path: wrong for wrong in verified(lake).wrong}

    assert sorted(found) == [f"{left.relative_to(lake.root)}", "meta/tags/v1.json"]
    assert "the way back from tag v1 names it" in found[f"{left.relative_to(lake.root)}"].to_do
    assert "it was changed since it was written" in found["meta/tags/v1.json"].to_do
