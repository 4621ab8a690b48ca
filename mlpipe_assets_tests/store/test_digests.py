"""What the lake's files held when they were written: damage is found, a kill accuses nobody."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from mlpipe_assets.errors import DamagedError
from mlpipe_assets.store import digests
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import JAN_5, JAN_6, flip

ONE, OTHER = pl.DataFrame({"n": [1, 2, 3]}), pl.DataFrame({"n": [9, 9, 9]})


@pytest.fixture
def written(lake: Lake) -> Path:
    """A partition of three numbers, beside one of other numbers."""
    lake.commit(lake.stage(lake.path("interim", "orders", JAN_6), OTHER, {"inputs": "6"}))
    lake.commit(lake.stage(lake.path("interim", "orders", JAN_5), ONE, {"inputs": "5"}))
    return lake.path("interim", "orders", JAN_5)


def swap(path: Path) -> None:
    """The bytes of its neighbour."""
    shutil.copy(path.parent.parent / f"date={JAN_6}" / path.name, path)


def become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def become_a_dangling_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "flipped": flip,
    "cut short": lambda path: os.truncate(path, 100),
    "empty": lambda path: path.write_bytes(b""),
    "gone": lambda path: path.unlink(),
    "of another day": swap,
    "written again": lambda path: pl.DataFrame({"n": [7]}).write_parquet(path),
    "a folder": become_a_folder,
    "a dangling link": become_a_dangling_link,
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_partition_that_does_not_hold_what_was_written_is_not_read(lake: Lake, written: Path, kind: str) -> None:
    assert lake.read("interim", "orders", JAN_5).equals(ONE)
    DAMAGE[kind](written)

    with pytest.raises(DamagedError, match=r"date=2026-01-05/part\.parquet .*Next: mlpipe run; it is built again"):
        lake.read("interim", "orders", JAN_5)
    with pytest.raises(DamagedError, match=r"date=2026-01-05/part\.parquet"):
        lake.state("interim", "orders").files([JAN_6, JAN_5])


@pytest.mark.parametrize("kind", [kind for kind in DAMAGE if kind not in ("flipped", "a folder")])
def test_a_damaged_partition_is_as_good_as_none_for_planning(lake: Lake, written: Path, kind: str) -> None:
    DAMAGE[kind](written)

    assert lake.facts("interim", "orders", JAN_5) is None
    assert lake.facts("interim", "orders", JAN_6) == {"inputs": "6"}


def test_bytes_flipped_behind_size_and_time_are_planned_for_once_somebody_read_them(lake: Lake, written: Path) -> None:
    flip(written)
    assert lake.facts("interim", "orders", JAN_5) == {"inputs": "5"}

    with pytest.raises(DamagedError):
        lake.state("interim", "orders").files([JAN_5])

    assert lake.facts("interim", "orders", JAN_5) is None
    lake.commit(lake.stage(written, ONE, {"inputs": "5"}))
    assert lake.facts("interim", "orders", JAN_5) == {"inputs": "5"}
    assert lake.read("interim", "orders", JAN_5).equals(ONE)


def test_to_plan_reads_no_file_whose_size_and_time_are_on_record(
    lake: Lake, written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "content_digest", lambda path: pytest.fail(f"{path} was read"))

    assert lake.facts("interim", "orders", JAN_5) == {"inputs": "5"}
    assert written.exists()


def test_a_copied_lake_is_judged_by_content_and_each_file_is_looked_at_once(
    lake: Lake, written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(lake.root, tmp_path / "copy", copy_function=shutil.copyfile)
    copy = Lake(data_dir=str(tmp_path / "copy"))
    assert copy.facts("interim", "orders", JAN_5) == {"inputs": "5"}

    monkeypatch.setattr(digests, "content_digest", lambda path: pytest.fail(f"{path} was read"))

    assert copy.facts("interim", "orders", JAN_5) == {"inputs": "5"}
    assert written.exists()


def test_a_set_of_several_files_is_reported_once(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    files = ("train.parquet", "validation.parquet", "test.parquet")
    lake.commit(*(lake.stage(lake.path("processed", "m", JAN_5, file), ONE, {"inputs": "5"}) for file in files))
    lake.path("processed", "m", JAN_5, files[0]).write_bytes(b"")

    with digests.only_looking():
        assert [lake.facts("processed", "m", JAN_5, file) for file in files] == [None] * 3

    (said,) = caplog.messages
    assert said.endswith("the next run builds it again")
