"""A branch is the whole lake without a copy; what is done there reaches main when it is promoted, all of it or nothing."""

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpipe_assets.errors import BusyError, DamagedError, LakeError, SettingsError
from mlpipe_assets.store import keys
from mlpipe_assets.store.branches import list_branches
from mlpipe_assets.store.hold import read_hold
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.table import Table
from mlpipe_assets.store.tags import list_tags
from mlpipe_assets.tagging.branching import drop_branch, find_changes, make_branch
from mlpipe_assets.tagging.checkout import check_out, go_back
from mlpipe_assets.tagging.collecting import collect
from mlpipe_assets.tagging.promoting import MovedError, Promoted, promote
from mlpipe_assets_tests.frames import JAN_5, JAN_6, JAN_7
from mlpipe_assets_tests.store.test_table import Death, dying
from mlpipe_assets_tests.tagging.lakes import (
    CATALOG,
    NOON,
    Said,
    contents,
    held,
    hours_later,
    publish,
    shown,
    tag,
    written_blocks,
)

DAYS = (JAN_5, JAN_6, JAN_7)


def begin(lake: Lake, name: str = "try-x") -> Lake:
    """A branch."""
    make_branch(lake, CATALOG, name, now=NOON)
    return Lake(data_dir=f"{lake.root / keys.BRANCHES / name}")


def bring(lake: Lake, name: str = "try-x") -> Promoted:
    return promote(lake, CATALOG, name, now=NOON)


def gc(lake: Lake, hours: float = 2) -> None:
    with hours_later(hours):
        import time

        list(collect(lake, time.time(), remove=True))


def bytes_of(lake: Lake) -> dict[str, bytes]:
    """Every file of a lake but those of its branches, and locks, which say who writes."""
    paths = [path for path in sorted(lake.root.rglob("*")) if path.is_file()]
    found = {f"{path.relative_to(lake.root)}": path for path in paths}
    return {n: path.read_bytes() for n, path in found.items() if not n.startswith((keys.BRANCHES, "meta/locks"))}


def test_a_branch_has_what_the_lake_has_and_no_byte_of_a_partition_is_copied(lake: Lake) -> None:
    publish(lake, {JAN_5: 1, JAN_6: 2})
    (lake.root / "raw" / "orders").mkdir(parents=True)
    before = written_blocks(lake.root)

    branch = begin(lake)

    assert (held(branch), shown(branch)) == ({JAN_5: 1, JAN_6: 2}, {JAN_5: 1, JAN_6: 2})
    new = {number: size for number, size in written_blocks(branch.root).items() if number not in before}
    assert not {number for path in branch.root.rglob("*.parquet") if (number := path.stat().st_ino) in new}
    assert (branch.root / "raw" / "orders").resolve() == (lake.root / "raw" / "orders").resolve()
    assert list_branches(lake.root) == ["try-x"]
    assert find_changes(branch).spell() == []


def test_what_a_branch_changed_becomes_visible_in_main_and_only_that(lake: Lake) -> None:
    publish(lake, {JAN_5: 1, JAN_6: 2})
    branch = begin(lake)
    publish(branch, {JAN_5: 10, JAN_7: 30}, gone=[JAN_6])
    publish(branch, {JAN_5: 5}, name="returns")
    publish(lake, {}, name="orders")
    assert find_changes(branch).spell() == ["interim/orders: 3 days", "interim/returns: 1 day"]
    assert held(lake) == {JAN_5: 1, JAN_6: 2}

    bring(lake)

    assert (held(lake), shown(lake)) == ({JAN_5: 10, JAN_7: 30}, {JAN_5: 10, JAN_7: 30})
    assert held(lake, "returns") == {JAN_5: 5}
    assert (read_hold(lake.objects), list_tags(lake.objects), find_changes(branch).spell()) == (None, [], [])
    assert bring(lake) == Promoted(tables=[], documents=())

    publish(branch, {JAN_6: 7})  # a branch can be gone on with
    bring(lake)
    assert held(lake) == {JAN_5: 10, JAN_6: 7, JAN_7: 30}


def test_days_that_came_to_main_meanwhile_stay(lake: Lake) -> None:
    publish(lake, {JAN_5: 1, JAN_6: 2})
    branch = begin(lake)
    publish(branch, {JAN_5: 10})
    publish(lake, {JAN_6: 20, JAN_7: 30})

    bring(lake)

    assert held(lake) == {JAN_5: 10, JAN_6: 20, JAN_7: 30}
    assert find_changes(branch).spell() == []


def test_it_is_refused_where_main_changed_the_same_day_and_says_which(lake: Lake) -> None:
    publish(lake, {JAN_5: 1, JAN_6: 2})
    branch = begin(lake)
    publish(branch, {JAN_5: 10, JAN_6: 20})
    publish(lake, {JAN_6: 21})
    before = bytes_of(lake)

    with pytest.raises(MovedError, match=r"where it matters: interim/orders 2026-01-06\. Nothing was changed"):
        bring(lake)

    assert bytes_of(lake) == before
    publish(lake, {JAN_6: 20})  # the same in both is no contradiction
    bring(lake)
    assert held(lake) == {JAN_5: 10, JAN_6: 20}


def test_models_and_who_leads_come_along_unless_main_has_others(lake: Lake) -> None:
    publish(lake, {JAN_5: 1})
    for name, text in (("meta/champions/m.json", b"old"), ("models/m/v1/model.skops", b"one")):
        lake.objects.put(name, text)
    branch = begin(lake)
    branch.objects.put("models/m/v2/model.skops", b"two")
    branch.objects.put("meta/champions/m.json", b"new")
    assert lake.objects.get("meta/champions/m.json").content == b"old"

    assert bring(lake).documents == ("meta/champions/m.json", "models/m/v2/model.skops")

    assert lake.objects.get("models/m/v2/model.skops").content == b"two"
    assert lake.objects.get("meta/champions/m.json").content == b"new"
    branch.objects.put("meta/champions/m.json", b"newer")
    lake.objects.put("meta/champions/m.json", b"by hand")
    with pytest.raises(MovedError, match=r"meta/champions/m\.json"):
        bring(lake)


def test_a_branch_is_dropped_when_nothing_is_lost_by_it_or_by_force(lake: Lake) -> None:
    publish(lake, {JAN_5: 1})
    branch = begin(lake)
    publish(branch, {JAN_5: 2})

    with pytest.raises(SettingsError, match=r"was not promoted: interim/orders: 1 day\. Next: mlpipe promote try-x"):
        drop_branch(lake, "try-x", force=False)
    bring(lake)
    drop_branch(lake, "try-x", force=False)

    assert (list_branches(lake.root), [*(lake.root / keys.BRANCHES).iterdir()], held(lake)) == ([], [], {JAN_5: 2})
    publish(begin(lake, "other"), {JAN_5: 3})
    drop_branch(lake, "other", force=True)
    assert (list_branches(lake.root), held(lake)) == ([], {JAN_5: 2})


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("main", "the lake that branches begin from"),
        ("now", "cannot be the name of a branch"),
        ("../x", "cannot be the name of a branch"),
        ("v1", "'v1' is a tag"),
        ("there", "There is a branch 'there' already"),
    ],
)
def test_a_name_that_would_be_mistaken_is_refused(lake: Lake, name: str, why: str) -> None:
    publish(lake, {JAN_5: 1})
    tag(lake, "v1")
    branch = begin(lake, "there")
    with pytest.raises(SettingsError, match=why):
        begin(lake, name)
    with pytest.raises(SettingsError, match="is a branch itself"):
        begin(branch)
    check_out(lake, CATALOG, "v1", tables=[], now=NOON)
    with pytest.raises(SettingsError, match="First: mlpipe checkout now"):
        begin(lake, "other")


STEPS = st.one_of(
    st.tuples(st.just("publish"), st.dictionaries(st.sampled_from(DAYS), st.integers(0, 3), min_size=1)),
    st.tuples(st.just("take a day away"), st.sampled_from(DAYS)),
    st.tuples(st.just("tag"), st.sampled_from("ab")),
    st.tuples(st.just("check out"), st.sampled_from("ab")),
    st.tuples(st.just("gc"), st.none()),
    st.tuples(st.just("delete a face"), st.sampled_from(DAYS)),
    st.tuples(st.just("put a document"), st.sampled_from(["meta/champions/m.json", "models/m/v1/card.md"])),
)


def act(lake: Lake, step: str, argument: Any, hours: float) -> None:
    """Do something in a lake."""
    if step == "publish":
        publish(lake, argument)
    elif step == "take a day away":
        publish(lake, {}, gone=[argument])
    elif step == "tag" and argument not in list_tags(lake.objects) and held(lake):
        with suppress(DamagedError):  # a face was deleted: the day is to be built again
            tag(lake, argument, "interim/orders")
    elif step == "check out" and argument in list_tags(lake.objects):
        check_out(lake, CATALOG, argument, tables=[], now=NOON)
    elif step == "gc":
        gc(lake, hours)
    elif step == "delete a face":
        lake.path("interim", "orders", argument).unlink(missing_ok=True)
    elif step == "put a document":
        lake.objects.put(argument, b"of the branch")


@pytest.mark.fuzz
@given(steps=st.lists(STEPS, min_size=3, max_size=10))
@settings(max_examples=12, deadline=None)
def test_whatever_is_done_in_a_branch_no_byte_of_main_changes(steps: list[tuple[str, Any]]) -> None:
    with TemporaryDirectory() as folder:
        lake = Lake(data_dir=folder)
        publish(lake, {JAN_5: 0, JAN_6: 0})
        lake.objects.put("models/m/v1/card.md", b"of main")
        branch = begin(lake)
        before = bytes_of(lake)
        for number, (step, argument) in enumerate(steps, start=1):
            act(branch, step, argument, 2.0 * number)

        assert bytes_of(lake) == before


@pytest.mark.fuzz
@given(steps=st.lists(STEPS, min_size=3, max_size=10), deaths=st.integers(0, 4))
@settings(max_examples=12, deadline=None)
def test_whatever_is_done_in_main_a_branch_reads_as_it_began(steps: list[tuple[str, Any]], deaths: int) -> None:
    with TemporaryDirectory() as folder:
        lake = Lake(data_dir=folder)
        publish(lake, {JAN_5: 7, JAN_6: 8})
        branch = begin(lake)
        for number, (step, argument) in enumerate(steps, start=1):
            act(lake, step, argument, 2.0 * number)
        _killed(lambda: gc(lake, 40), deaths)
        gc(lake, 50)

        seen = Lake(data_dir=branch.data_dir)
        assert (held(seen), shown(seen)) == ({JAN_5: 7, JAN_6: 8}, {JAN_5: 7, JAN_6: 8})
        assert len(contents(seen)) == 2


def _killed(what: Callable[[], None], step: int) -> None:
    with dying(step):
        try:
            what()
        except Death:
            return


def everything(lake: Lake) -> tuple[object, ...]:
    """What main holds, and who leads."""
    return held(lake), held(lake, "returns"), lake.objects.get("meta/champions/m.json").content


@pytest.mark.faults
def test_a_promotion_killed_at_any_step_is_gone_on_with_or_taken_back(lake: Lake, tmp_path: Path) -> None:
    publish(lake, {JAN_5: 1, JAN_6: 2})
    publish(lake, {JAN_5: 5}, name="returns")
    lake.objects.put("meta/champions/m.json", b"old")
    before = everything(lake)
    branch = begin(lake)
    publish(branch, {JAN_6: 20, JAN_7: 30})
    publish(branch, {JAN_5: 50}, name="returns")
    branch.objects.put("meta/champions/m.json", b"new")
    after = ({JAN_5: 1, JAN_6: 20, JAN_7: 30}, {JAN_5: 50}, b"new")
    reached = 0
    for step in range(400):
        root = tmp_path / f"killed-{step}"
        shutil.copytree(lake.root, root, symlinks=True)
        victim = Lake(data_dir=f"{root}")
        with dying(step):
            try:
                bring(victim)
            except Death:
                pass
            else:
                break
        reached = step
        again = tmp_path / f"again-{step}"
        shutil.copytree(root, again, symlinks=True)
        seen = Lake(data_dir=f"{root}")
        assert (held(seen), held(seen, "returns")) in (before[:2], after[:2]), step  # both tables, or neither
        for name, place in (("orders", 0), ("returns", 1)):  # who goes by folders sees one after the other
            assert shown(seen, name) in (before[place], after[place])
        bring(seen)
        assert everything(Lake(data_dir=f"{root}")) == after, step
        assert (read_hold(seen.objects), list_tags(seen.objects)) == (None, [])
        back = Lake(data_dir=f"{again}")
        if read_hold(back.objects):
            go_back(back, CATALOG)
            assert everything(Lake(data_dir=f"{again}")) == before, step
        shutil.rmtree(root)
        shutil.rmtree(again)
    assert reached > 20


def test_a_lake_that_was_open_before_sees_both_tables_at_once(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(lake, {JAN_5: 1})
    publish(lake, {JAN_5: 5}, name="returns")
    branch = begin(lake)
    publish(branch, {JAN_5: 10})
    publish(branch, {JAN_5: 50}, name="returns")
    reader = Lake(data_dir=lake.data_dir)
    seen = [(held(reader), held(reader, "returns"))]
    settle = Table.settle

    def look(table: Table) -> None:
        seen.append((held(reader), held(reader, "returns")))
        settle(table)
        seen.append((held(reader), held(reader, "returns")))

    monkeypatch.setattr(Table, "settle", look)
    bring(lake)

    assert seen == [({JAN_5: 1}, {JAN_5: 5}), *[({JAN_5: 10}, {JAN_5: 50})] * 4]
    assert (held(reader), shown(reader)) == ({JAN_5: 10}, {JAN_5: 10})


def test_nobody_publishes_over_a_step_that_did_not_come_to_its_end(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(lake, {JAN_5: 1})
    branch = begin(lake)
    publish(branch, {JAN_5: 10})

    def die(table: Table) -> None:
        raise Death(table.name)

    with monkeypatch.context() as patch:
        patch.setattr(Table, "settle", die)
        with pytest.raises(Death):
            bring(lake)
    with pytest.raises(BusyError, match=r"interim/orders changes in one step with other tables"):
        publish(lake, {JAN_6: 2})

    assert held(Lake(data_dir=lake.data_dir)) == {JAN_5: 10}
    bring(lake)
    publish(lake, {JAN_6: 2})
    assert held(lake) == shown(lake) == {JAN_5: 10, JAN_6: 2}


def test_a_step_whose_record_cannot_be_read_says_what_to_do(lake: Lake) -> None:
    publish(lake, {JAN_5: 1})
    lake.objects.put("meta/swap.json", b"{")

    with pytest.raises(LakeError, match=r"meta/swap\.json .*Without one, delete it"):
        held(lake)


def test_a_branch_that_dies_while_it_is_made_is_none(lake: Lake) -> None:
    publish(lake, {JAN_5: 1, JAN_6: 2})
    before = bytes_of(lake)
    for step in range(3, 200, 7):
        with dying(step):
            try:
                begin(lake)
            except Death:
                assert list_branches(lake.root) == []
                assert bytes_of(lake) == before
            else:
                break
    assert held(Lake(data_dir=f"{lake.root / keys.BRANCHES / 'try-x'}")) == {JAN_5: 1, JAN_6: 2}


def test_the_commands_begin_list_compare_promote_and_drop(
    two_days: Lake, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "There is no branch" in said("branch")
    assert "Next: MLPIPE_BRANCH=try-x mlpipe run" in said("branch", "try-x")
    monkeypatch.setenv("MLPIPE_BRANCH", "try-x")
    publish(Lake(data_dir=f"{two_days.root / 'branches' / 'try-x'}"), {JAN_5: 10})
    assert json.loads(said("branch", "--json"))["branches"][0]["changes"] == ["interim/orders: 1 day"]
    assert "main" in said("promote", "try-x", code=2)
    assert "shares with main" in said("serve", code=2)
    monkeypatch.delenv("MLPIPE_BRANCH")
    assert "interim/orders: 1 day" in said("branch")

    assert "1 day changed: 2026-01-05" in said("diff", "main", "try-x")
    assert "try-x" in said("drop", "try-x", code=2)
    assert "1 partition of 1 table" in said("promote", "try-x")
    assert "Nothing differs" in said("diff", "main", "try-x")
    assert "is gone" in said("drop", "try-x")
    monkeypatch.setenv("MLPIPE_BRANCH", "try-x")
    assert "there is no such branch" in said("status", code=2)
