"""Disks that are full, and two runs at once."""

import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlpipe_assets.errors import BusyError, LakeError
from mlpipe_assets.store import lake as lake_module
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.faults import work
from mlpipe_assets_tests.frames import JAN_5, build, drop, events, file_digests, order, order_ids, orders_csv, take

pytestmark = pytest.mark.faults
HOLD = "import fcntl, sys, time; f = open(sys.argv[1], 'a+'); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True); time.sleep(600)"
MANY = [order(f"o{i}", amount=f"{i}.{i % 100:02}") for i in range(4000)]


def with_files_of_at_most(size: int, root: str, told: "multiprocessing.Queue[str]") -> None:
    """Bring a lake up to date in a process that may not write larger files."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        work.bring_up_to_date(root)
        told.put("done")
    except LakeError as error:
        told.put(f"{error}")


def without_temporary_files(lake: Lake) -> bool:
    return not list(lake.root.rglob("*.tmp"))


def test_a_full_disk_while_ingesting_replaces_nothing_and_says_so(lake: Lake) -> None:
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("first")))
    take(lake)
    build(lake, [JAN_5])
    before = file_digests(lake.root, "raw/_events", "interim")
    drop(lake, "orders_2026-01-06.csv", orders_csv(*MANY))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(work.PRELOADED)
    told: multiprocessing.Queue[str] = context.Queue()

    run = context.Process(target=with_files_of_at_most, args=(16 << 10, str(lake.root), told))
    run.start()
    message = told.get(timeout=60)
    run.join()
    told.close()

    assert message.startswith("No space left to write ")
    assert message.endswith("Nothing was replaced; free some space and run again.")
    assert file_digests(lake.root, "raw/_events", "interim") == before
    assert without_temporary_files(lake)
    take(lake)
    build(lake, [JAN_5])
    assert len(order_ids(lake, JAN_5)) == len(MANY) + 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_really_full_disk_is_healed_by_room(small_disk: Path) -> None:
    lake = Lake(data_dir=str(small_disk))
    drop(lake, "orders_2026-01-05.csv", orders_csv(*MANY))
    ballast = small_disk / "ballast"
    disk = os.statvfs(small_disk)
    ballast.write_bytes(b"x" * (disk.f_bavail * disk.f_frsize - (16 << 10)))

    with pytest.raises(LakeError, match="No space left to write "):
        take(lake)

    assert without_temporary_files(lake)
    assert not list((small_disk / "raw").rglob("*.parquet"))
    ballast.unlink()
    take(lake)
    build(lake, [JAN_5])
    assert len(order_ids(lake, JAN_5)) == len(MANY)


def test_two_runs_of_a_table_at_once_take_turns_and_lose_nothing(lake: Lake) -> None:
    for number in range(4):
        drop(lake, f"orders_{number}.csv", orders_csv(*(order(f"o{number}-{i}") for i in range(50))))

    runs = [threading.Thread(target=take, args=(lake,)) for _ in range(3)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()

    assert events(lake).height == 200
    assert without_temporary_files(lake)


def test_a_run_that_waits_too_long_says_who_is_in_the_way_and_changes_nothing(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake_module, "PATIENCE", 0.2)
    drop(lake, "orders.csv", orders_csv(order("o1")))
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            HOLD,
            str(lock_of(lake)),
        ],
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    holder.stdout.readline()

    started = time.monotonic()
    with pytest.raises(BusyError, match=r"raw/orders: another run is writing this table\. Nothing was changed"):
        take(lake)
    waited = time.monotonic() - started
    holder.kill()
    holder.wait()
    holder.stdout.close()

    assert waited < 300  # the holder stays for ten minutes
    assert not (lake.root / "raw" / "_events").exists()
    take(lake)
    assert events(lake).height == 1


def lock_of(lake: Lake) -> Path:
    path = lake.root / "meta" / "locks" / "raw.orders.lock"
    path.parent.mkdir(parents=True)
    return path
