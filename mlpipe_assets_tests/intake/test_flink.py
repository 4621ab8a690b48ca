"""The job of Apache Flink in deploy/flink against a real broker: each message in one file of the drop zone, though it is killed."""

import os
import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.settings import PROJECT_ROOT
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.fetched import expect_tools, fetch_jars_of
from mlpipe_assets_tests.frames import take
from mlpipe_assets_tests.intake.orders_sent import ids, order

if TYPE_CHECKING:
    from mlpipe_assets_tests.kafka_broker import Broker

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.faults]

_JOB = PROJECT_ROOT / "deploy" / "flink"
_TOPIC = "orders.flink"
_SECONDS = 60.0


@pytest.fixture
def classes(tmp_path: Path) -> str:
    """Where Java finds the job and what it needs."""
    expect_tools("the job of Flink", "java", "javac")
    jars = fetch_jars_of("flink-2.2.1", (_JOB / "pom.xml").read_text())
    subprocess.run(["javac", "-d", tmp_path, "-cp", f"{jars}/*", _JOB / "TopicToDropZone.java"], check=True)
    return f"{tmp_path}{os.pathsep}{jars}/*"


@contextmanager
def job(classes: str, *given: object) -> Iterator["subprocess.Popen[bytes]"]:
    """The job, until it is left."""
    command = ["java", "-Xmx300m", "-cp", classes, "TopicToDropZone", *map(str, given)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def test_messages_are_files_of_the_drop_zone_and_each_is_in_raw_once_though_the_job_is_killed(
    broker: "Broker", classes: str, lake: Lake, tmp_path: Path
) -> None:
    drawn, sent = random.Random(7), 0
    folder, checkpoints = lake.root / "raw" / "orders", tmp_path / "checkpoints"
    given = (broker.address, _TOPIC, folder, checkpoints)
    broker.make(_TOPIC, partitions=2)
    for kills in range(3):
        with job(classes, *given) as process:
            known = {*checkpoints.rglob("_metadata")}
            until = time.monotonic() + _SECONDS
            while not {*checkpoints.rglob("_metadata")} - known:  # it has begun, and finished a checkpoint
                assert time.monotonic() < until, "the job does not come up"
                assert process.poll() is None, "the job ended"
                time.sleep(0.1)
            for _ in range(3):
                broker.send(_TOPIC, [order(f"o{number}") for number in range(sent, sent + 20)], partition=kills % 2)
                sent += 20
                time.sleep(drawn.uniform(0.2, 1.0))
            take(lake, orders)  # beside a file that is being written

    with job(classes, *given):
        until = time.monotonic() + _SECONDS
        while len(ids(lake)) < sent:
            assert time.monotonic() < until, (len(ids(lake)), sent)
            time.sleep(0.2)
            assert take(lake, orders).problems == []
        time.sleep(3)  # another checkpoint
        take(lake, orders)

    assert ids(lake) == sorted(f"o{number}" for number in range(sent))
    assert all(path.suffix == ".jsonl" for path in folder.glob("[!.]*"))
