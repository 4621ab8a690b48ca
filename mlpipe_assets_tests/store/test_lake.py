"""The lake: whole partitions or none, clear words when the disk says no."""

import errno
import os
import re
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlpipe_assets.errors import BusyError, LakeError, SettingsError
from mlpipe_assets.store import keys
from mlpipe_assets.store import lake as lake_module
from mlpipe_assets.store.data_folder import expect_records
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import JAN_5, JAN_6, build, drop, order, orders_csv, take

FRAME = pl.DataFrame({"id": ["a", "b"], "n": [1, 2]})


def test_a_partition_comes_back_with_its_facts(lake: Lake) -> None:
    staged = lake.stage(lake.path("interim", "orders", JAN_5), FRAME, {"accepted": 2, "name": "größe"})
    assert lake.days("interim", "orders") == []

    lake.commit(staged)

    assert_frame_equal(lake.read("interim", "orders", JAN_5), FRAME)
    assert lake.facts("interim", "orders", JAN_5) == {"accepted": 2, "name": "größe"}
    assert lake.facts("interim", "orders", JAN_6) is None
    assert lake.days("interim", "orders") == [JAN_5]
    assert staged.size == staged.target.stat().st_size


@pytest.mark.parametrize("name", ["date=old", "date=20260105", "date=2026-01-05 (copy)"])
def test_a_folder_that_is_of_no_day_is_named_with_what_to_do(lake: Lake, name: str) -> None:
    lake.commit(lake.stage(lake.path("interim", "orders", JAN_5), FRAME, {}))
    copy = lake.folder("interim", "orders") / name
    shutil.copytree(lake.path("interim", "orders", JAN_5).parent, copy)

    with pytest.raises(
        LakeError, match=rf"{re.escape(name)} is not the folder of a day, .* Move it away, then run again"
    ):
        lake.days("interim", "orders")

    copy.rename(copy.with_name("old copy"))
    assert lake.days("interim", "orders") == [JAN_5]


def test_the_same_frame_and_facts_are_the_same_bytes(lake: Lake) -> None:
    first = lake.stage(lake.root / "a.parquet", FRAME, {"x": 1, "y": 2})
    second = lake.stage(lake.root / "b.parquet", FRAME, {"y": 2, "x": 1})

    assert first.digest == second.digest


def test_discarded_files_leave_nothing(lake: Lake) -> None:
    lake.discard(lake.stage(lake.path("interim", "orders", JAN_5), FRAME, {}))

    assert [path for path in lake.root.rglob("*") if path.is_file()] == []


def test_a_folder_in_the_place_of_a_partition_is_named_with_what_to_do(lake: Lake) -> None:
    path = lake.path("interim", "orders", JAN_5)
    lake.commit(lake.stage(path, FRAME, {}))
    path.unlink()
    path.mkdir()

    with pytest.raises(LakeError, match=r"part\.parquet is a folder where a file belongs\. Take it away and run again"):
        lake.facts("interim", "orders", JAN_5)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_told_in_clear_words_and_nothing_is_replaced(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    target = lake.path("interim", "orders", JAN_5)
    lake.commit(lake.stage(target, FRAME, {}))

    def full(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LakeError, match=r"No space left to write .*Nothing was replaced; free some space"):
        lake.stage(target, FRAME.head(1), {})

    assert_frame_equal(lake.read("interim", "orders", JAN_5), FRAME)
    assert [path.name for path in target.parent.iterdir()] == ["part.parquet"]


def test_an_engine_that_finds_the_disk_full_is_told_alike(lake: Lake) -> None:
    def write(path: Path) -> None:
        path.write_bytes(b"half")
        raise pl.exceptions.ComputeError("No space left on device (os error 28)")

    with pytest.raises(LakeError, match="No space left"):
        lake.stage_with(lake.path("interim", "orders", JAN_5), write)

    assert not list(lake.root.rglob("*.tmp"))


@pytest.mark.parametrize(
    "act",
    [
        lambda lake: lake.stage(lake.path("interim", "orders", date(2026, 1, 5)), FRAME, {}),
        lambda lake: lake.objects.put("meta/x.json", b""),
        lambda lake: lake.writing("raw", "orders").__enter__(),
    ],
    ids=["stage", "object", "lock"],
)
@pytest.mark.parametrize("place", ["under a file", "read-only"])
def test_a_data_folder_that_cannot_be_written_is_named_with_what_to_check(
    tmp_path: Path, act: Callable[[Lake], object], place: str
) -> None:
    (tmp_path / "file").write_text("x")
    root = (
        tmp_path / "file" / "data" if place == "under a file" else Path("/proc/sys/mlpipe")
    )  # where even root may not write

    with pytest.raises(
        LakeError, match=r"Cannot write .* Check that MLPIPE_DATA_DIR .* is a folder this user may write"
    ):
        act(Lake(data_dir=str(root)))


def test_one_run_at_a_time_writes_a_table_and_the_next_says_who_is_in_the_way(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake_module, "PATIENCE", 0.0)

    with lake.writing("interim", "orders"):
        with (
            pytest.raises(BusyError, match="interim/orders: another run is writing this table"),
            lake.writing("interim", "orders"),
        ):
            pass
        with lake.writing("interim", "customers"), lake.writing("raw", "orders"):
            pass
    with lake.writing("interim", "orders"):
        pass


def test_a_killed_runs_temporary_files_are_swept_by_the_next_and_no_others(lake: Lake) -> None:
    hex_name = "a" * 64
    of_raw = [
        f"raw/_events/orders/date=2026-01-05/.{hex_name}.parquet.1.tmp",
        f"validation/quarantine/orders/date=2026-01-05/.{hex_name}.parquet.1.tmp",
        f"meta/deliveries/orders/.{hex_name}.json.1.tmp",
        "meta/drop_zone/.orders.json.1.tmp",
    ]
    of_interim = [
        "interim/orders/date=2026-01-05/.part.parquet.1.tmp",
        "validation/quarantine/orders/date=2026-01-05/.refused.parquet.1.tmp",
        "meta/tables/.interim.orders.json.1.tmp",
        ".store/interim/orders/.2026-01-05.part.parquet.1.tmp",
    ]
    others = ["interim/customers/date=2026-01-05/.part.parquet.1.tmp", "meta/drop_zone/.customers.json.1.tmp"]
    for name in (*of_raw, *of_interim, *others):
        (lake.root / name).parent.mkdir(parents=True, exist_ok=True)
        (lake.root / name).write_text("half")

    def left() -> list[str]:
        return sorted(path.relative_to(lake.root).as_posix() for path in lake.root.rglob("*.tmp"))

    with lake.writing("raw", "orders"):  # an interim run may be at work on the same source
        assert left() == sorted([*of_interim, *others])
    with lake.writing("interim", "orders"):
        assert left() == sorted(others)


def test_a_run_that_fails_leaves_no_temporary_files(lake: Lake) -> None:
    def stage_and_fail() -> None:
        with lake.writing("interim", "orders"):
            lake.stage(lake.path("interim", "orders", JAN_5), FRAME, {})
            raise LakeError("No space left")

    with pytest.raises(LakeError, match="No space left"):
        stage_and_fail()

    assert not list(lake.root.rglob("*.tmp"))


@pytest.mark.parametrize(
    ("folder", "words"), [("dta", "does not exist"), ("empty", "was never used and has no drop zone")]
)
def test_a_mistyped_data_folder_is_no_empty_lake(tmp_path: Path, folder: str, words: str) -> None:
    root = tmp_path / folder
    if folder == "empty":
        root.mkdir()

    with pytest.raises(SettingsError, match=f"{words}.*Is MLPIPE_DATA_DIR right"):
        Lake(data_dir=str(root)).expect_used()

    assert root.exists() == (folder == "empty")


def test_a_folder_with_a_drop_zone_may_begin(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()

    Lake(data_dir=str(tmp_path)).expect_used()


def test_a_drop_zone_with_a_folder_a_day_may_begin(lake: Lake) -> None:
    drop(lake, f"date={JAN_5}/orders.csv", orders_csv(order("o1")))

    expect_records(lake.root)


@pytest.mark.parametrize("gone", [keys.META, keys.DELIVERIES])
def test_a_lake_that_lost_its_records_is_not_a_new_one(lake: Lake, gone: str) -> None:
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1")))
    take(lake)
    build(lake, [JAN_5])
    expect_records(lake.root)
    shutil.rmtree(lake.root / gone)

    with pytest.raises(
        LakeError, match=r"deliveries is gone, and there are partitions of interim/orders, raw/_events/orders\."
    ):
        expect_records(lake.root)

    (lake.root / keys.DELIVERIES).mkdir(parents=True)  # as the message says, to begin again on purpose
    expect_records(lake.root)
