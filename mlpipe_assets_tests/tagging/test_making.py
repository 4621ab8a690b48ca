"""A tag keeps what tables held under a name: whole, at one moment, without a copy."""

import json
import shutil
import subprocess
from datetime import date, timedelta
from pathlib import Path

import pytest

from mlpipe_assets.errors import BusyError, DamagedError, LakeError, SettingsError
from mlpipe_assets.store import keys, turns
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.tagged import TaggedLake
from mlpipe_assets.store.tags import list_tags, read_tag
from mlpipe_assets.tagging.making import find_commit
from mlpipe_assets_tests.frames import JAN_5, JAN_6, JAN_7, file_digests
from mlpipe_assets_tests.tagging.lakes import contents, held, hours_later, publish, tag, written_blocks


def tagged(lake: Lake, name: str) -> TaggedLake:
    return TaggedLake(data_dir=lake.data_dir, tag=read_tag(lake.objects, name))


def test_a_tag_reads_as_the_lake_was_when_it_was_made(lake: Lake) -> None:
    publish(lake, {JAN_5: 1, JAN_6: 2})
    tag(lake, "v1.0-training-set", message="first")

    publish(lake, {JAN_6: 20, JAN_7: 30}, gone=[JAN_5])

    assert held(tagged(lake, "v1.0-training-set")) == {JAN_5: 1, JAN_6: 2}
    assert held(lake) == {JAN_6: 20, JAN_7: 30}
    assert tagged(lake, "v1.0-training-set").facts("interim", "orders", JAN_6) == {"accepted": 1, "inputs": "2"}
    assert read_tag(lake.objects, "v1.0-training-set").message == "first"


def test_a_tag_is_a_text_with_a_line_a_day_and_no_byte_of_a_partition(lake: Lake) -> None:
    days = [JAN_5 + timedelta(days=n) for n in range(30)]
    publish(lake, dict.fromkeys(days, 7))
    before = written_blocks(lake.root / "interim") | written_blocks(lake.root / keys.CONTENTS)

    tag(lake, "v1")

    text = (lake.root / "meta" / "tags" / "v1.json").read_text(encoding="utf-8")
    lines = [line.split('"') for line in text.splitlines() if line.startswith('    "2026-')]
    assert [(line[1], len(line[3])) for line in lines] == [(f"{day}", 64) for day in days]  # the day and its SHA-256
    assert written_blocks(lake.root / "interim") | written_blocks(lake.root / keys.CONTENTS) == before
    assert json.loads(text)["tables"]["interim/orders"]["refused"] == {}


def test_what_a_tag_names_outlives_the_hour_that_other_contents_are_kept(lake: Lake) -> None:
    publish(lake, {JAN_5: 1, JAN_6: 2})
    tag(lake, "v1")
    publish(lake, {JAN_5: 10})
    publish(lake, {JAN_5: 100})

    with hours_later(2):
        publish(lake, {JAN_6: 20})  # what was replaced more than an hour ago goes with a publication

    assert held(tagged(lake, "v1")) == {JAN_5: 1, JAN_6: 2}
    assert (
        len([name for name in contents(lake) if f"date={JAN_5}" in name]) == 2
    )  # of 1, 10 and 100 the first and the last


def test_the_sweep_after_a_killed_writer_takes_nothing_that_a_tag_names(lake: Lake) -> None:
    publish(lake, {JAN_5: 1})
    tag(lake, "v1")
    publish(lake, {JAN_5: 10})
    with hours_later(2):
        publish(lake, {JAN_6: 2})  # by now no manifest names the 1 of the tag
    table = lake.table("interim", "orders")
    table.contents.begin({JAN_5: ["part.parquet"]}, ("interim", "orders"))

    assert held(Lake(data_dir=lake.data_dir)) == {JAN_5: 10, JAN_6: 2}
    assert not table.contents.begun()
    assert held(tagged(lake, "v1")) == {JAN_5: 1}


def test_while_a_tag_cannot_be_read_nothing_it_may_name_goes(lake: Lake) -> None:
    publish(lake, {JAN_5: 1})
    tag(lake, "v1")
    publish(lake, {JAN_5: 10})
    path = lake.root / "meta" / "tags" / "v1.json"
    sound = path.read_text(encoding="utf-8")
    path.write_text(sound.replace('"message": ""', '"message": "?"'), encoding="utf-8")

    with hours_later(2):
        publish(Lake(data_dir=lake.data_dir), {JAN_5: 100})

    with pytest.raises(LakeError, match=r"v1\.json cannot be read: it was changed since it was written\. Restore it"):
        tagged(lake, "v1")
    path.write_text(sound, encoding="utf-8")
    assert held(tagged(lake, "v1")) == {JAN_5: 1}


def test_tables_of_a_tag_are_of_one_moment(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(lake, {JAN_5: 1})
    publish(lake, {JAN_5: 1}, name="returns")
    monkeypatch.setattr(turns, "PATIENCE", 0.0)
    monkeypatch.setattr("mlpipe_assets.store.lake.PATIENCE", 0.0)
    other = Lake(data_dir=lake.data_dir)

    with other.writing("interim", "returns"), pytest.raises(BusyError, match="interim/returns: another run is writing"):
        tag(lake, "v1")

    assert list_tags(lake.objects) == []
    with other.writing("interim", "returns"):
        tag(lake, "only-orders", "interim/orders")
    assert sorted(read_tag(lake.objects, "only-orders").tables) == ["interim/orders"]


def test_what_a_name_stands_for_does_not_change(lake: Lake) -> None:
    publish(lake, {JAN_5: 1})
    tag(lake, "v1")
    before = file_digests(lake.root, "meta/tags")

    with pytest.raises(SettingsError, match=r"There is a tag 'v1' already, .* mlpipe tag v1 --delete"):
        tag(lake, "v1")

    assert file_digests(lake.root, "meta/tags") == before


@pytest.mark.parametrize("name", ["now", "", ".hidden", "a/b", "-v", "a b", "x.tmp", "ä", "n" * 101, "../v1", "a\n"])
def test_a_name_that_a_file_or_a_shell_could_mistake_is_refused(lake: Lake, name: str) -> None:
    publish(lake, {JAN_5: 1})

    with pytest.raises(SettingsError, match="cannot be the name of a tag"):
        tag(lake, name)


def test_there_is_nothing_to_tag_before_the_first_run_and_of_no_unknown_table(lake: Lake) -> None:
    with pytest.raises(
        SettingsError, match=r"no partition to tag of interim/orders, interim/returns\. Next: mlpipe run"
    ):
        tag(lake, "v1")
    with pytest.raises(
        SettingsError, match="There is no table 'interim/order' with partitions of days; there are interim"
    ):
        tag(lake, "v1", "interim/order")


@pytest.mark.parametrize("how", ["written over in its place", "deleted"])
def test_a_partition_that_does_not_hold_what_was_written_is_not_tagged(lake: Lake, how: str) -> None:
    publish(lake, {JAN_5: 1, JAN_6: 2})
    path = lake.path("interim", "orders", JAN_6)
    path.unlink() if how == "deleted" else path.write_bytes(b"PAR1 of another tool")

    with pytest.raises(DamagedError, match=rf"{JAN_6}.*Next: mlpipe run; it is built again"):
        tag(Lake(data_dir=lake.data_dir), "v1")

    assert list_tags(lake.objects) == []


def test_a_content_that_is_lost_is_no_hole_in_a_tag(lake: Lake) -> None:
    publish(lake, {JAN_5: 1, JAN_6: 2})
    tag(lake, "v1")
    publish(lake, {JAN_6: 20})
    lost = next(path for path in contents(lake) if f"date={JAN_6}" in path and path not in str(current(lake, JAN_6)))
    (lake.root / keys.CONTENTS / lost).unlink()

    assert tagged(lake, "v1").days("interim", "orders") == [JAN_5, JAN_6]
    with pytest.raises(DamagedError, match=r"which tag v1 names, is gone\. Restore it from a copy"):
        held(tagged(lake, "v1"))


def current(lake: Lake, day: date) -> Path:
    return lake.state("interim", "orders").locate(day)


def test_a_copy_of_a_lake_without_its_contents_can_be_tagged(lake: Lake, tmp_path: Path) -> None:
    publish(lake, {JAN_5: 1})
    copy = Lake(data_dir=str(tmp_path / "copy"))
    shutil.copytree(lake.root, copy.root, ignore=shutil.ignore_patterns(keys.CONTENTS))

    tag(copy, "v1")
    publish(copy, {JAN_5: 10})

    assert held(tagged(copy, "v1")) == {JAN_5: 1}


def test_a_tag_writes_nothing_and_reads_no_table_that_it_does_not_pin(lake: Lake) -> None:
    publish(lake, {JAN_5: 1})
    publish(lake, {JAN_5: 1}, name="returns")
    tag(lake, "v1", "interim/orders")

    with pytest.raises(SettingsError, match=r"Tag v1 does not pin interim/returns; it pins interim/orders\."):
        tagged(lake, "v1").days("interim", "returns")
    with pytest.raises(SettingsError, match="What tag v1 names does not change"):
        publish(tagged(lake, "v1"), {JAN_5: 5})
    with pytest.raises(SettingsError, match="What tag v1 names does not change"):
        tagged(lake, "v1").writing("interim", "orders")


def test_the_commit_is_that_of_the_project_and_says_whether_its_files_differ(tmp_path: Path) -> None:
    assert find_commit(tmp_path) is None
    git = ("git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=n@example.org")
    (tmp_path / "catalog.py").write_text("1\n")
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "first")):
        subprocess.run([*git, *arguments], check=True)
    at_first = find_commit(tmp_path)
    (tmp_path / "catalog.py").write_text("2\n")

    assert at_first is not None
    assert (len(at_first["commit"]), at_first["changed"]) == (40, False)
    assert find_commit(tmp_path) == {"commit": at_first["commit"], "changed": True}
