"""Tables go back to a tag, days that differ alone, and come back from it, whatever happens on the way."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from mlpipe_assets.errors import BusyError, DamagedError, SettingsError
from mlpipe_assets.store import keys
from mlpipe_assets.store.hold import Hold, read_hold, save_hold
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.local import LocalObjects
from mlpipe_assets.tagging.checkout import Reset, check_out, go_back
from mlpipe_assets.tagging.collecting import collect
from mlpipe_assets.tagging.making import remove_tag
from mlpipe_assets_tests.frames import JAN_5, JAN_6, JAN_7, JAN_8, file_digests, refuse
from mlpipe_assets_tests.store.test_table import Death, dying
from mlpipe_assets_tests.tagging.lakes import CATALOG, NOON, contents, held, hours_later, publish, shown, tag

DAYS = [JAN_5 + timedelta(days=n) for n in range(30)]


def out(lake: Lake, name: str, *tables: str) -> list[Reset]:
    return check_out(lake, CATALOG, name, tables=tables, now=NOON)


def everything(lake: Lake) -> dict[str, object]:
    """What both tables hold, as readers by the manifest and other tools see it, and what was refused."""
    names = ("orders", "returns")
    return {
        **{name: held(lake, name) for name in names},
        **{f"{name} by folders": shown(lake, name) for name in names},
        "refused": {name: lake.state("interim", name).refused for name in names},
    }


def test_only_the_days_that_differ_are_touched(lake: Lake) -> None:
    publish(lake, dict.fromkeys(DAYS, 1))
    tag(lake, "v1")
    publish(lake, {JAN_5: 10, JAN_6: 20, JAN_8: 40})
    before = {path: path.stat().st_ino for path in lake.folder("interim", "orders").rglob("*.parquet")}

    (reset,) = out(lake, "v1")

    after = {path: path.stat().st_ino for path in lake.folder("interim", "orders").rglob("*.parquet")}
    assert reset.touched == [JAN_5, JAN_6, JAN_8]
    assert {path.parent.name for path in after if after[path] != before[path]} == {
        keys.name_day(day) for day in reset.touched
    }
    assert held(lake) == shown(lake) == dict.fromkeys(DAYS, 1)
    assert lake.facts("interim", "orders", JAN_6) == {"accepted": 1, "inputs": "1"}


def test_days_that_came_after_the_tag_go_and_come_back(lake: Lake) -> None:
    publish(lake, {JAN_5: 1, JAN_6: 2})
    publish(lake, {JAN_5: 7}, name="returns")
    refuse(lake, "interim", "orders", JAN_7, problem="too few rows", inputs="x")
    tag(lake, "v1")
    then = everything(lake)
    publish(lake, {JAN_6: 20, JAN_7: 30, JAN_8: 40}, gone=[JAN_5])
    now = everything(lake)

    out(lake, "v1")
    assert everything(lake) == then

    go_back(lake, CATALOG)
    assert everything(lake) == now
    assert read_hold(lake.objects) is None


def test_a_day_whose_folder_was_deleted_is_brought_back(lake: Lake) -> None:
    publish(lake, {JAN_5: 1, JAN_6: 2})
    tag(lake, "v1")
    shutil.rmtree(lake.folder("interim", "orders", JAN_6))

    (reset,) = out(Lake(data_dir=lake.data_dir), "v1")

    assert reset.touched == [JAN_6]
    assert shown(lake) == {JAN_5: 1, JAN_6: 2}


def test_what_a_checkout_left_is_kept_for_the_way_back(lake: Lake) -> None:
    publish(lake, {JAN_5: 1})
    tag(lake, "v1")
    publish(lake, {JAN_5: 10})
    out(lake, "v1")

    with hours_later(3):
        list(collect(lake, NOON.timestamp() * 2, remove=True))

    go_back(lake, CATALOG)
    assert held(lake) == shown(lake) == {JAN_5: 10}


def test_one_tag_after_another_comes_back_to_where_the_first_began(lake: Lake) -> None:
    for value, name in ((1, "v1"), (2, "v2")):
        publish(lake, {JAN_5: value})
        publish(lake, {JAN_5: value}, name="returns")
        tag(lake, name)
    publish(lake, {JAN_5: 3})
    publish(lake, {JAN_5: 3}, name="returns")

    out(lake, "v1")
    out(lake, "v2", "interim/orders")  # the other table is held no more, so it is the newest again

    assert (held(lake), held(lake, "returns")) == ({JAN_5: 2}, {JAN_5: 3})
    hold = read_hold(lake.objects)
    assert hold is not None
    assert (hold.tag, hold.tables, hold.whole, sorted(hold.left)) == (
        "v2",
        ("interim/orders",),
        True,
        ["interim/orders"],
    )
    go_back(lake, CATALOG)
    assert (held(lake), held(lake, "returns")) == ({JAN_5: 3}, {JAN_5: 3})


def test_a_day_that_was_built_since_stays_on_the_way_back(lake: Lake) -> None:
    publish(lake, {JAN_5: 1})
    tag(lake, "v1")
    publish(lake, {JAN_5: 10, JAN_6: 20})
    out(lake, "v1")
    publish(lake, {JAN_7: 30})

    go_back(lake, CATALOG)

    assert held(lake) == {JAN_5: 10, JAN_6: 20, JAN_7: 30}


def test_nothing_changes_when_a_content_is_not_what_the_tag_says(lake: Lake) -> None:
    publish(lake, {JAN_5: 1, JAN_6: 2})
    tag(lake, "v1")
    publish(lake, {JAN_5: 10, JAN_6: 20})
    publish(lake, {JAN_5: 10}, name="returns")
    before = everything(lake)
    for path in (lake.root / keys.CONTENTS / "interim" / "orders" / keys.name_day(JAN_6)).iterdir():
        if not path.samefile(lake.path("interim", "orders", JAN_6)):
            path.write_bytes(b"PAR1")

    with pytest.raises(DamagedError, match="which tag v1 names, has 4 bytes where"):
        out(lake, "v1")

    assert everything(lake) == before
    assert read_hold(lake.objects) is None


def test_what_cannot_be_checked_out_says_why(lake: Lake) -> None:
    publish(lake, {JAN_5: 1})
    tag(lake, "v1")

    with pytest.raises(SettingsError, match="There is no tag 'v2'; there are v1"):
        out(lake, "v2")
    with pytest.raises(SettingsError, match="Tag v1 does not pin interim/returns; it pins interim/orders"):
        out(lake, "v1", "interim/returns")
    with pytest.raises(SettingsError, match="No tag is checked out"):
        go_back(lake, CATALOG)
    out(lake, "v1")
    with pytest.raises(SettingsError, match=r"v1 is checked out, .*mlpipe checkout now"):
        remove_tag(lake, "v1")


@pytest.mark.parametrize("back", [False, True], ids=["out", "back"])
def test_a_checkout_killed_at_any_step_is_gone_on_with_or_taken_back(lake: Lake, tmp_path: Path, *, back: bool) -> None:
    publish(lake, {JAN_5: 1, JAN_6: 2})
    publish(lake, {JAN_5: 5}, name="returns")
    tag(lake, "v1")
    then = everything(lake)
    publish(lake, {JAN_6: 20, JAN_7: 30})
    publish(lake, {JAN_5: 50}, name="returns")
    now = everything(lake)
    if back:
        out(lake, "v1")
    reached = 0
    for step in range(200):
        root = tmp_path / f"killed-{step}"
        shutil.copytree(lake.root, root)
        victim = Lake(data_dir=f"{root}")
        with dying(step):
            try:
                go_back(victim, CATALOG) if back else out(victim, "v1")
            except Death:
                pass
            else:
                break
        reached = step
        for name in ("orders", "returns"):  # each table is one of both, and its folders are what its manifest says
            seen = Lake(data_dir=f"{root}")
            assert held(seen, name) in (then[name], now[name])
            assert shown(seen, name) == held(seen, name)
        again = tmp_path / f"again-{step}"
        shutil.copytree(root, again)
        for folder, wanted in ((root, then), (again, now)):
            survivor = Lake(data_dir=f"{folder}")
            if wanted is then:
                out(survivor, "v1")
            elif read_hold(survivor.objects):
                go_back(survivor, CATALOG)
            assert everything(Lake(data_dir=f"{folder}")) == wanted, step
        shutil.rmtree(root)
        shutil.rmtree(again)
    assert reached > 10


def test_two_checkouts_of_other_tables_at_once_lose_nothing_of_what_is_held(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(lake, {JAN_5: 1})
    publish(lake, {JAN_5: 5}, name="returns")
    tag(lake, "v1")
    publish(lake, {JAN_5: 10})
    publish(lake, {JAN_5: 50}, name="returns")
    monkeypatch.setattr("mlpipe_assets.store.lake.PATIENCE", 0.0)
    refused: list[str] = []

    def save(objects: LocalObjects, hold: Hold) -> None:
        """Another process begins after this one has read what is held, and before it writes that."""
        if not refused:
            refused.append("")
            with pytest.raises(BusyError):
                out(Lake(data_dir=lake.data_dir), "v1", "interim/returns")
        save_hold(objects, hold)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mlpipe_assets.tagging.checkout.save_hold", save)
        out(lake, "v1", "interim/orders")
    assert (held(lake), held(lake, "returns")) == ({JAN_5: 1}, {JAN_5: 50})
    out(lake, "v1", "interim/returns")  # another checkout takes the place of the first, and brings its tables back
    assert (held(lake), held(lake, "returns")) == ({JAN_5: 10}, {JAN_5: 5})

    go_back(lake, CATALOG)

    assert (held(lake), held(lake, "returns")) == ({JAN_5: 10}, {JAN_5: 50})


def test_after_a_late_file_that_rewrote_three_days_every_digest_is_what_it_was(lake: Lake) -> None:
    publish(lake, dict.fromkeys(DAYS, 1))
    tag(lake, "v1")
    before = file_digests(lake.root, "interim")
    publish(lake, {JAN_5: 10, JAN_6: 20, JAN_7: 30})
    late = file_digests(lake.root, "interim")

    out(lake, "v1")
    assert file_digests(lake.root, "interim") == before != late

    go_back(lake, CATALOG)
    assert file_digests(lake.root, "interim") == late
    assert len(contents(lake)) == len(DAYS) + 3
