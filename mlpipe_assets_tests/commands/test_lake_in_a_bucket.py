"""`mlpipe` on a lake in a bucket of a real server, from two machines: each is a cache and a Dagster of its own here."""

import http.client
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mlpipe_assets.sample import write_sample
from mlpipe_assets.store import keys
from mlpipe_assets.store.bucket.address import read_address
from mlpipe_assets.store.bucket.objects import BucketObjects
from mlpipe_assets.store.copies.inventory import LEASE, ROOT
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.fault_proxy import FaultProxy, fault_proxy
from mlpipe_assets_tests.lake_copies import copy_lake
from mlpipe_assets_tests.lake_machines import Machine, digests_of_tables
from mlpipe_assets_tests.object_server import ObjectServer, object_server
from mlpipe_assets_tests.servers import free_port

pytestmark = pytest.mark.long
NEWEST = "2026-01-13"  # the last day of the sample, which comes later


@dataclass(kw_only=True)
class World:
    """A server with a bucket, machines, and a lake on a disk to compare with."""

    server: ObjectServer
    proxy: FaultProxy
    folder: Path
    sample: Path
    local: Machine

    def machine(self, name: str, prefix: str) -> Machine:
        place = self.folder / prefix / name
        environ = self.server.environ(endpoint=self.proxy.endpoint)
        return Machine(folder=place, data_dir=f"s3://lake/{prefix}", environ=environ)

    def bucket(self, prefix: str) -> BucketObjects:
        return BucketObjects(address=read_address(f"s3://lake/{prefix}", self.server.environ()))

    def deliver(self, prefix: str, *, newest: bool) -> None:
        """Put files of the sample into the drop zone of the bucket: those of the newest day, or the others."""
        bucket = self.bucket(prefix)
        for path in (self.sample / "raw").rglob("*.*"):
            if (NEWEST in path.name) == newest:
                bucket.put(f"{path.relative_to(self.sample)}", path.read_bytes())

    def with_the_newest_day(self) -> Machine:
        """The lake on a disk after one more day."""
        folder = self.folder / "one-day-more"
        if folder.exists():
            return replace(self.local, folder=folder, data_dir=f"{folder / 'data'}")
        copied = copy_lake(Lake(data_dir=self.local.data_dir), folder / "data")
        for path in (self.sample / "raw").rglob(f"*{NEWEST}*"):
            shutil.copy(path, copied.root / path.relative_to(self.sample))
        found = replace(self.local, folder=folder, data_dir=copied.data_dir)
        found.mlpipe("run", "-q")
        return found

    def copy_to_bucket(self, prefix: str) -> str:
        """Copy the lake on a disk; what is said of it."""
        mover = replace(self.local, environ=self.server.environ())
        return mover.mlpipe("copy-lake", f"s3://lake/{prefix}")

    def requests(self) -> int:
        """How many there were since the last look."""
        found = self.proxy.count()
        self.proxy.seen.clear()
        return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    sample = folder / "sample"
    write_sample(sample, days=13, orders_per_day=120, customers=60, seed=7)
    local = Machine(folder=folder / "local", data_dir=f"{folder / 'local' / 'data'}", environ={})
    for path in (sample / "raw").rglob("*.*"):
        if NEWEST not in path.name:
            target = local.root / path.relative_to(sample)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    local.mlpipe("run", "-q")
    with object_server(folder) as server, fault_proxy(server.port) as proxy:
        yield World(server=server, proxy=proxy, folder=folder, sample=sample, local=local)


def test_a_run_makes_the_same_tables_as_on_a_disk_and_a_second_one_has_nothing_to_do(world: World) -> None:
    first, second = world.machine("a", "same"), world.machine("b", "same")
    world.deliver("same", newest=False)

    first.mlpipe("run", "-q")
    assert len(first.tables()) > 100
    assert first.tables() == world.local.tables()

    world.requests()
    assert "Nothing new to build." in first.mlpipe("run")
    assert world.requests() <= 10
    assert "Nothing new to build." in second.mlpipe("run")
    assert second.tables() == first.tables()

    count = "from mlpipe_assets.project import Project; print(Project().read('interim/orders').height)"
    assert second.python(count) == world.local.python(count) != "0\n"


def test_a_new_day_is_built_by_either_machine_within_a_budget_of_requests(world: World) -> None:
    first, second = world.machine("a", "day"), world.machine("b", "day")
    world.deliver("day", newest=False)
    first.mlpipe("run", "-q")
    second.mlpipe("status")
    world.deliver("day", newest=True)
    world.requests()

    second.mlpipe("run", "-q")

    assert world.requests() <= 80
    first.mlpipe("status")
    assert first.tables() == second.tables() == world.with_the_newest_day().tables()


def test_a_lake_is_copied_from_a_disk_into_a_bucket_and_back(world: World) -> None:
    there, back = world.machine("a", "copied"), world.folder / "copied-back"

    said = world.copy_to_bucket("copied")

    assert "s3://lake/copied holds " in said
    assert "raw/orders: 0 rows read from 0 new files" in there.mlpipe(
        "run"
    )  # they came at another time, and are the same
    assert there.tables() == world.local.tables()
    assert f"{back} holds " in there.mlpipe("copy-lake", f"{back}")
    assert digests_of_tables(back) == world.local.tables()


def test_a_server_answers_from_a_bucket_follows_it_and_delivers_its_log(world: World) -> None:
    server, other, bucket = world.machine("a", "served"), world.machine("b", "served"), world.bucket("served")
    world.copy_to_bucket("served")
    customer = pl.read_csv(next((world.sample / "raw/customers").glob("*.csv")))["customer_id"][0]
    asked = {"features": ["customer_features:orders_30d"], "entities": {"customer_id": [customer]}}
    port = free_port()
    serving = server.command("serve", "--port", f"{port}", "--log-share", "1", "--quiet")
    try:
        first = ask(port, "/get-online-features", asked)
        assert first["metadata"]["feature_names"] == ["customer_id", "orders_30d"]
        assert (
            "The lake of this server is in a bucket, and no rows can be pushed there"
            in f"{ask(port, '/push/orders', {})}"
        )

        other.mlpipe("serve-key", "add", "somebody")  # from then on nobody is answered without one
        wait_until(lambda: "results" not in ask(port, "/get-online-features", asked))
    finally:
        serving.send_signal(signal.SIGTERM)
        serving.communicate(timeout=60)

    assert serving.returncode == 0
    (log,) = (head.key for head in bucket.list("raw/serving_log"))
    rows = [json.loads(line) for line in bucket.get(log).content.splitlines()]
    assert {row["join_keys"]["customer_id"] for row in rows} == {customer}
    assert not any((server.root.parent / "outbox").rglob("*.jsonl"))


def ask(port: int, path: str, body: object) -> dict[str, Any]:
    """The answer of a server, once it listens."""
    for _ in range(600):
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
                connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
                return dict(json.loads(connection.getresponse().read()))
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise AssertionError("the server does not listen")


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_a_machine_with_a_bound_builds_the_same_of_the_days_that_it_reads(world: World) -> None:
    small, other = world.machine("a", "bounded"), world.machine("b", "bounded")
    small.environ["MLPIPE_CACHE_SIZE"] = "0B"
    world.copy_to_bucket("bounded")
    small.mlpipe("status", "-q")
    assert not any(small.root.rglob("date=*/part.parquet"))
    world.deliver("bounded", newest=True)

    small.mlpipe("run", "-q")

    other.mlpipe("status", "-q")
    assert other.tables() == world.with_the_newest_day().tables()
    assert 0 < len(days_here(small)) < len(days_here(other))
    assert '"wrong": []' in small.mlpipe("verify", "--json")  # it fetches what it has not


def days_here(machine: Machine) -> list[Path]:
    return list(machine.root.glob(f"{keys.CONTENTS}/**/date=*/*.*"))


@pytest.mark.faults
def test_a_run_that_is_killed_leaves_the_bucket_as_it_was_and_the_next_one_makes_the_same(world: World) -> None:
    first, second = world.machine("a", "killed"), world.machine("b", "killed")
    world.deliver("killed", newest=False)
    process = first.command("run")
    assert process.stdout is not None
    for line in process.stdout:
        if "features/" in line:  # it is in the midst of it
            break
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    assert any((first.root / "interim").rglob("*.parquet"))

    assert '"partitions": []' in second.mlpipe("status", "--json")
    first.mlpipe("run", "-q")  # at once: a process of this machine that has ended is not waited for

    assert first.tables() == world.local.tables()


def test_while_another_machine_writes_a_run_says_who_and_changes_nothing(world: World) -> None:
    machine = world.machine("a", "busy")
    world.deliver("busy", newest=False)
    bucket = world.bucket("busy")
    lease, ended = bucket.lease(LEASE, 60), threading.Event()

    def give_signs_of_life() -> None:
        while not ended.wait(0.2):
            lease.renew()

    with ThreadPoolExecutor(1) as threads:
        signs = threads.submit(give_signs_of_life)
        said = machine.mlpipe("run", "-q", code=75)
        ended.set()
        signs.result()

    assert f"s3://lake/busy/{LEASE} is held by process {os.getpid()} on " in said
    assert bucket.head(ROOT) is None
    lease.release()
    machine.mlpipe("run", "-q")
    assert machine.tables() == world.local.tables()


def test_a_bucket_without_a_lake_is_refused_until_something_is_delivered(world: World) -> None:
    machine = world.machine("a", "empty")

    assert "s3://lake/empty holds no lake, and no drop zone (raw/) to begin one from" in machine.mlpipe("run", code=2)
    assert "into s3://lake/empty/raw: " in machine.mlpipe("sample", "--days", "1", "--orders-per-day", "10")
    other = world.machine("b", "empty")
    other.mlpipe("status")
    assert any((other.root / "raw/orders").iterdir())
