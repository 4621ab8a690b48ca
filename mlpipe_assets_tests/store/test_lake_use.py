"""A lake in a bucket while processes and machines use it; a machine is a folder here, and another process is started."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from mlpipe_assets.errors import BusyError, SettingsError
from mlpipe_assets.store import keys
from mlpipe_assets.store.copies import machine_lease
from mlpipe_assets.store.copies import use as lake_use
from mlpipe_assets.store.copies.inventory import LEASE, ROOT
from mlpipe_assets.store.copies.use import BucketLake
from mlpipe_assets.store.leases import take_lease
from mlpipe_assets.store.memory import MemoryObjects
from mlpipe_assets.store.objects import StoreError, UnreachableError
from mlpipe_assets_tests.store.stores import side_by_side

Machine = Callable[[str], BucketLake]
ADDRESS = "s3://lake/shop"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryObjects]:
    """What every address leads to."""
    found = MemoryObjects()
    monkeypatch.setattr(lake_use, "open_bucket", lambda _: found)
    yield found
    lake_use._uses.clear()


@pytest.fixture
def machine(bucket: MemoryObjects, tmp_path: Path) -> Machine:
    return lambda name: BucketLake(address=ADDRESS, root=tmp_path / name / "data")


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def write(place: BucketLake, text: str) -> None:
    (place.root / "meta").mkdir(exist_ok=True)
    (place.root / "meta/a.json").write_text(text)


def read(place: BucketLake) -> str:
    return (place.root / "meta/a.json").read_text()


def test_what_is_written_between_begin_and_end_is_published_at_the_end(machine: Machine, bucket: MemoryObjects) -> None:
    writer, reader = machine("a"), machine("b")
    writer.begin()
    write(writer, "1")
    assert bucket.head(ROOT) is None
    with (writer.root.parent / "use.lock").open("r+b") as other:
        fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)  # as another process of this machine that writes

    writer.end()
    reader.fetch()

    assert read(reader) == "1"
    assert json.loads(bucket.get(LEASE).content)["held"] is False


def test_a_use_within_a_use_is_one_and_publishes_only_now_and_then(
    machine: Machine, bucket: MemoryObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = machine("a")
    place.begin()
    place.begin()
    write(place, "1")
    place.end()
    assert bucket.head(ROOT) is None

    monkeypatch.setattr(lake_use, "_OFTEN", -1.0)  # as if half a minute had gone by
    place.begin()
    place.end()
    assert bucket.head(ROOT) is not None
    place.end()

    assert lake_use._uses == {}


def test_threads_of_a_process_share_one_use(machine: Machine, bucket: MemoryObjects) -> None:
    place = machine("a")

    def use(number: int) -> None:
        place.begin()
        (place.root / f"{number}.txt").write_text(f"{number}")
        place.end()

    side_by_side(use, 8)

    assert lake_use._uses == {}
    reader = machine("b")
    reader.fetch()
    assert sorted(path.name for path in reader.root.glob("*.txt")) == [f"{number}.txt" for number in range(8)]


def test_while_one_machine_writes_another_is_told_who(
    machine: Machine, bucket: MemoryObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = machine("a"), machine("b")
    first.begin()
    held = lake_use._uses[first.root].lease
    sees_a_sign = partial(take_lease, bucket, sleep=lambda _: held.expect_held())
    monkeypatch.setattr(bucket, "lease", sees_a_sign)

    with pytest.raises(BusyError, match=rf"is held by process {os.getpid()} on "):
        second.begin()

    first.end()
    second.begin()
    second.end()


def test_who_was_stopped_while_another_took_over_publishes_nothing(machine: Machine, bucket: MemoryObjects) -> None:
    stopped, other = machine("a"), machine("b")
    stopped.begin()
    write(stopped, "of the stopped one")
    lease = json.loads(bucket.get(LEASE).content)
    bucket.put(LEASE, json.dumps({**lease, "gen": 2, "nonce": "x"}).encode())  # as one that waited long enough does

    with pytest.raises(
        BusyError, match="s3://lake/shop: another machine took this lake over while this one was stopped"
    ):
        stopped.end()

    assert bucket.head(ROOT) is None
    assert json.loads(bucket.get(LEASE).content)["gen"] == 2
    other.fetch()
    assert not (other.root / "meta").exists()


def test_a_fetch_leaves_the_files_of_a_process_that_writes_here(machine: Machine) -> None:
    place = machine("a")
    place.begin()
    write(place, "not published yet")

    machine("a").fetch()

    assert read(place) == "not published yet"
    place.end()


def test_a_fetch_waits_for_another_one_that_is_half_done(machine: Machine) -> None:
    writer, reader = machine("a"), machine("b")
    reader.fetch()
    writer.begin()
    write(writer, "1")
    writer.end()
    with (reader.root.parent / "use.lock").open("r+b") as other:  # as another process that fetches
        fcntl.flock(other, fcntl.LOCK_EX)
        threading.Timer(0.3, lambda: fcntl.flock(other, fcntl.LOCK_UN)).start()

        reader.fetch()

    assert read(reader) == "1"


def test_a_second_process_of_the_machine_writes_beside_the_first(machine: Machine, tmp_path: Path) -> None:
    place = machine("a")
    place.begin()
    write(place, "1")
    place.end()
    hold = f"import fcntl, sys; h = open({str(place.root.parent / 'use.lock')!r}, 'r+b'); fcntl.flock(h, fcntl.LOCK_SH)"
    hold += "; print('ready', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        write(place, "of the other process")

        place.begin()
        assert read(place) == "of the other process"
        assert not lake_use._uses[place.root].lease.is_ours or True
        write(place, "of this one")
        place.end()
        other.communicate(timeout=30)

    reader = machine("b")
    reader.fetch()
    assert read(reader) == "of this one"


def test_what_a_killed_process_left_is_gone_when_the_next_one_begins(machine: Machine) -> None:
    place = machine("a")
    place.begin()
    write(place, "published")
    place.end()
    write(place, "of one that was killed")

    place.begin()

    assert read(place) == "published"
    place.end()


def test_the_lease_stays_with_the_machine_while_any_of_its_processes_writes(
    machine: Machine, bucket: MemoryObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_lease, "_LOOK", 0.02)
    place = machine("a")
    daemon, run = place._begin(), place._begin()  # what two processes have: a sensor looks, and a run begins meanwhile
    assert (daemon.lease.is_ours, run.lease.is_ours) == (True, False)

    daemon.close()

    lease = json.loads(bucket.get(LEASE).content)
    assert (lease["held"], lease["gen"]) == (True, 1)
    wait_until(lambda: run.lease.is_ours)
    assert run.lease.gen == 1
    write(place, "of the run")
    run.publish()
    run.close()
    assert json.loads(bucket.get(LEASE).content)["held"] is False
    assert json.loads(bucket.get(ROOT).content)["gen"] == 1


def test_a_run_whose_lease_went_to_another_machine_publishes_nothing(
    machine: Machine, bucket: MemoryObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, other = machine("a"), machine("b")
    daemon, run = place._begin(), place._begin()
    monkeypatch.setattr(machine_lease, "_LOOK", 60.0)  # it does not come to look
    daemon.close()
    bucket.put(LEASE, bucket.get(LEASE).content.replace(b'"held": true', b'"held": false'))  # as after its time
    theirs = other._begin()
    write(place, "of the run")
    monkeypatch.setattr(bucket, "lease", partial(take_lease, bucket, sleep=lambda _: theirs.lease.expect_held()))

    with pytest.raises(BusyError, match="is held by process"):
        run.publish()

    run.close()
    assert bucket.head(ROOT) is None
    assert json.loads(bucket.get(LEASE).content)["held"] is True
    theirs.close()


def test_a_copy_that_is_swept_away_in_use_is_no_empty_lake(machine: Machine, bucket: MemoryObjects) -> None:
    place, table = machine("a"), keys.manifest("interim/orders")
    place.begin()
    (place.root / table).parent.mkdir(parents=True)
    (place.root / table).write_text("{}")
    place.end()
    root = bucket.get(ROOT)
    place.begin()
    shutil.rmtree(place.root)

    with pytest.raises(StoreError, match=r"interim\.orders\.json was taken away while the lake was in use"):
        place.end()

    assert bucket.get(ROOT) == root
    place.fetch()
    assert (place.root / table).read_text() == "{}"


def test_a_server_that_does_not_answer_ends_the_use_with_its_error(
    machine: Machine, bucket: MemoryObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = machine("a")
    place.begin()
    write(place, "1")

    def gone(*_: object) -> None:
        raise UnreachableError("s3://lake/shop does not answer.", reason="no answer")

    monkeypatch.setattr(bucket, "put", gone)
    with pytest.raises(UnreachableError):
        place.end()

    assert lake_use._uses == {}
    with (place.root.parent / "use.lock").open("r+b") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_folder_is_closed_to_others(machine: Machine) -> None:
    place = machine("a")
    place.fetch()

    assert {oct(folder.stat().st_mode & 0o777) for folder in (place.root, place.root.parent)} == {"0o700"}


def test_without_its_client_object_storage_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")):
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(sys.modules, "obstore", None)
    for name in [name for name in sys.modules if name.startswith("mlpipe_assets.store.bucket")]:
        monkeypatch.delitem(sys.modules, name)

    with pytest.raises(SettingsError, match=r"pip install 'mlpipe-assets\[objects\]'"):
        lake_use.open_bucket(ADDRESS)
