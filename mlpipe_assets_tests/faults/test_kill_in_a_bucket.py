"""Runs on a lake in a bucket that are killed at any moment: the next one ends where an undisturbed one on a disk does."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlpipe_assets.sample import write_sample
from mlpipe_assets.store.bucket.address import read_address
from mlpipe_assets.store.bucket.objects import BucketObjects
from mlpipe_assets.store.copies.inventory import ROOT
from mlpipe_assets.store.copies.working import WorkingCopy
from mlpipe_assets_tests.lake_machines import Machine, digests_of_tables
from mlpipe_assets_tests.object_server import ObjectServer, object_server

pytestmark = [pytest.mark.faults, pytest.mark.long]
TRIES = 20
NEWEST = "2026-01-05"
# A run publishes between any two of its Dagster runs here: kills meet publications, and what is there between two of them.
RUN = """
import sys
from mlpipe_assets.store.copies import use as lake_use
from mlpipe_assets.cli import main
lake_use._OFTEN = 0.0
sys.exit(main(["run", "-q"]))
"""


@dataclass(kw_only=True)
class World:
    """A server, files of a sample, and what a run on a disk makes of them.

    Attributes:
        base: By key what a bucket holds before the newest day came.
    """

    server: ObjectServer
    folder: Path
    sample: Path
    expected: dict[str, str]
    base: dict[str, bytes]

    def machine(self, name: str, prefix: str) -> Machine:
        return machine_of(self.server, self.folder / prefix / name, prefix)

    def begin(self, prefix: str) -> BucketObjects:
        """A bucket with the lake, and the files of the newest day in its drop zone."""
        bucket = bucket_of(self.server, prefix)
        for key, content in self.base.items():
            bucket.put(key, content)
        deliver(bucket, self.sample, newest=True)
        return bucket

    def tables(self, bucket: BucketObjects, folder: Path) -> dict[str, str]:
        """What a machine that comes now gets from the bucket, each file held to its digest."""
        copy = WorkingCopy(objects=bucket, root=folder / "data", note=folder / "known.json")
        copy.root.mkdir(parents=True)
        copy.pull()
        return digests_of_tables(copy.root)


def machine_of(server: ObjectServer, folder: Path, prefix: str) -> Machine:
    return Machine(folder=folder, data_dir=f"s3://lake/{prefix}", environ=server.environ())


def bucket_of(server: ObjectServer, prefix: str) -> BucketObjects:
    return BucketObjects(address=read_address(f"s3://lake/{prefix}", server.environ()))


def deliver(bucket: BucketObjects, sample: Path, *, newest: bool) -> None:
    for path in (sample / "raw").rglob("*.*"):
        if (NEWEST in path.name) == newest:
            bucket.put(f"{path.relative_to(sample)}", path.read_bytes())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("killed")
    sample = folder / "sample"
    write_sample(sample, days=5, orders_per_day=20, customers=10, seed=7)
    local = Machine(folder=folder / "local", data_dir=f"{folder / 'local' / 'data'}", environ={})
    for newest in (False, True):
        for path in (sample / "raw").rglob("*.*"):
            if (NEWEST in path.name) == newest:
                target = local.root / path.relative_to(sample)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
        local.mlpipe("run", "-q")
    with object_server(folder) as server:
        bucket = bucket_of(server, "base")
        deliver(bucket, sample, newest=False)
        machine_of(server, folder / "base", "base").mlpipe("run", "-q")
        base = {head.key: bucket.get(head.key).content for head in bucket.list()}
        yield World(server=server, folder=folder, sample=sample, expected=local.tables(), base=base)


def test_a_run_killed_at_any_moment_leaves_a_whole_lake_and_the_next_ends_as_on_a_disk(world: World) -> None:
    assert len(world.expected) > 50
    chance, seconds, killed, published = random.Random(20260105), 0.0, 0, 0
    for number in range(-1, 3 * TRIES):
        if number >= TRIES and killed >= TRIES // 2:  # where runs end before their moment comes, more are tried
            break
        prefix = f"try-{number}"
        bucket, machine = world.begin(prefix), world.machine("a", prefix)
        began = time.monotonic()
        run = machine.command("-c", RUN, program=Path(sys.executable))
        if number < 0:
            run.communicate(timeout=300)
            seconds = time.monotonic() - began
            assert world.tables(bucket, world.folder / prefix / "seen") == world.expected
            continue
        try:
            run.communicate(timeout=chance.uniform(0.2, 1.0) * seconds)
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGKILL)
            run.communicate(timeout=30)
            killed += 1
            published += bucket.get(ROOT).content != world.base[ROOT]
        world.tables(bucket, world.folder / prefix / "between")

        next_one = machine if number % 2 else world.machine("b", prefix)
        next_one.mlpipe("run", "-q")

        assert world.tables(bucket, world.folder / prefix / "after") == world.expected, f"try {number}"
        assert next_one.tables() == world.expected, f"try {number}"
    assert killed >= TRIES // 2
    assert 0 < published < killed  # some had published, others had not
