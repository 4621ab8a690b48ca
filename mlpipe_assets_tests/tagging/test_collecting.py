"""`mlpipe gc` takes away what neither a tag nor the newest state names, and never anything else."""

import shutil
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpipe_assets.errors import LakeError
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.tagged import TaggedLake
from mlpipe_assets.store.tags import delete_tag, read_tag
from mlpipe_assets.tagging.collecting import collect
from mlpipe_assets_tests.frames import JAN_5, JAN_6
from mlpipe_assets_tests.tagging.lakes import contents, held, hours_later, publish, shown, tag

DAYS = [JAN_5 + timedelta(days=n) for n in range(3)]


def gc(lake: Lake, *, hours: float = 2, remove: bool = True) -> int:
    """How many contents went, or would go, some hours from now."""
    return sum(one.found.contents for one in collect(lake, time.time() + 3600 * hours, remove=remove) if one.found)


def test_what_nothing_names_goes_and_what_a_tag_names_stays(lake: Lake) -> None:
    publish(lake, {JAN_5: 1, JAN_6: 2})
    tag(lake, "v1")
    publish(lake, {JAN_5: 10})
    publish(lake, {JAN_5: 100})

    assert gc(lake, remove=False) == 1
    assert gc(lake) == 1
    assert gc(lake) == 0
    assert held(TaggedLake(data_dir=lake.data_dir, tag=read_tag(lake.objects, "v1"))) == {JAN_5: 1, JAN_6: 2}
    assert held(lake) == shown(lake) == {JAN_5: 100, JAN_6: 2}

    delete_tag(lake.objects, "v1")
    assert gc(lake) == 1
    assert len(contents(lake)) == 2


def test_what_was_replaced_within_the_hour_stays_for_those_who_read_it(lake: Lake) -> None:
    publish(lake, {JAN_5: 1})
    state = lake.state("interim", "orders")
    publish(lake, {JAN_5: 10})

    (found,) = (one.found for one in collect(lake, time.time(), remove=True))

    assert found is not None
    assert (found.contents, found.waiting) == (0, 1)
    assert state.read(JAN_5)["amount"].item() == 1


def test_a_table_that_a_run_writes_is_left_and_the_others_are_not(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlpipe_assets.store.table.PATIENCE", 0.0)
    for name in ("orders", "returns"):
        publish(lake, {JAN_5: 1}, name=name)
        publish(lake, {JAN_5: 2}, name=name)

    with Lake(data_dir=lake.data_dir).writing("interim", "orders"):
        done = {one.table: one for one in collect(lake, time.time() + 7200, remove=True)}

    assert "another run is writing this table" in done["interim/orders"].left
    assert (done["interim/returns"].found is not None, len(contents(lake))) == (True, 3)


def test_nothing_goes_while_a_tag_cannot_be_read(lake: Lake) -> None:
    publish(lake, {JAN_5: 1})
    tag(lake, "v1")
    publish(lake, {JAN_5: 2})
    (lake.root / keys.tag("v1")).write_bytes(b"{")

    with pytest.raises(LakeError, match=r"v1\.json cannot be read"):
        gc(lake)

    assert len(contents(lake)) == 2


class Death(BaseException):
    """The process is gone."""


def dying(step: int, act: Callable[[], Any]) -> None:
    """Do something that dies before its n-th removal."""
    real, done = Path.unlink, [0]

    def unlink(path: Path, *, missing_ok: bool = False) -> None:
        done[0] += 1
        if done[0] > step:
            raise Death
        real(path, missing_ok=missing_ok)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "unlink", unlink)
        try:
            act()
        except Death:
            return


STEPS = st.one_of(
    st.tuples(st.just("publish"), st.dictionaries(st.sampled_from(DAYS), st.integers(0, 3), min_size=1)),
    st.tuples(st.just("take a day away"), st.sampled_from(DAYS)),
    st.tuples(st.just("tag"), st.sampled_from("abc")),
    st.tuples(st.just("untag"), st.sampled_from("abc")),
    st.tuples(st.just("gc"), st.integers(0, 4)),
    st.tuples(st.just("killed publication"), st.integers(0, 3)),
)


@given(steps=st.lists(STEPS, min_size=4, max_size=14))
@settings(max_examples=20, deadline=None)
def test_whatever_happens_a_tag_reads_as_it_was_made(steps: list[tuple[str, Any]]) -> None:
    with TemporaryDirectory() as folder:
        lake = Lake(data_dir=folder)
        tags: dict[str, dict[Any, int]] = {}
        publish(lake, {JAN_5: 0})
        for number, (step, argument) in enumerate(steps, start=1):
            with hours_later(2 * number):  # no content is kept for readers
                if step == "publish":
                    publish(lake, argument)
                elif step == "take a day away":
                    publish(lake, {}, gone=[argument])
                elif step == "tag" and argument not in tags and held(lake):
                    tag(lake, argument)
                    tags[argument] = held(lake)
                elif step == "untag" and tags.pop(argument, None) is not None:
                    delete_tag(lake.objects, argument)
                elif step == "gc":
                    dying(argument, partial(gc, lake, hours=2 * number + 2))
                elif step == "killed publication":
                    dying(argument, partial(publish, lake, dict.fromkeys(DAYS, 9)))
                lake = Lake(data_dir=folder)  # as a new process finds it
            for name, values in tags.items():
                assert held(TaggedLake(data_dir=folder, tag=read_tag(lake.objects, name))) == values
            assert held(lake) == shown(lake)
        gc(lake, hours=10_000)
        named = {*held(lake).items(), *(item for values in tags.values() for item in values.items())}
        assert len(contents(lake)) == len(named)
        shutil.rmtree(lake.root / "interim")  # what tags name is no face
        for name, values in tags.items():
            assert held(TaggedLake(data_dir=folder, tag=read_tag(lake.objects, name))) == values
