"""Runs whose process is gone are ended and reported; a run that lives, here or elsewhere, is left alone."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from mlpipe_assets.automation.dead_runs import end_dead_runs
from mlpipe_assets.automation.requests import runs_under_way
from mlpipe_assets.automation.run_alerts import tell_of_runs
from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.resources.run_owner import DATA_DIR, owner_tags
from mlpipe_assets.settings import read_settings
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.run_locks import pulse_of
from mlpipe_assets_tests.dagster_homes import quiet_home
from mlpipe_assets_tests.planted import day, drop_orders, one_a_day

NOW = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)
_STATUS = dg.DagsterRunStatus
HOLD = """
import sys, pathlib
from mlpipe_assets.store.run_locks import hold_run_lock
with hold_run_lock(pathlib.Path(sys.argv[1]), sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def process_of(lake: Lake, run: dg.DagsterRun) -> Iterator["subprocess.Popen[str]"]:
    """Another process that holds the lock of a run, as long as it lives."""
    command = [sys.executable, "-c", HOLD, str(lake.root), run.run_id]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def add(lake: Lake, instance: dg.DagsterInstance, status: dg.DagsterRunStatus = _STATUS.STARTED) -> dg.DagsterRun:
    """A run in a status; one in the queue needs to know where its code is."""
    location = GrpcServerCodeLocationOrigin(host="localhost", port=1, location_name="mlpipe_assets")
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), "daily_job")
    tags = owner_tags(lake.root)
    return instance.add_run(dg.DagsterRun(job_name="daily_job", status=status, tags=tags, remote_job_origin=origin))


def status_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    found = instance.get_run_by_id(run.run_id)
    assert found
    return found.status


def look(lake: Lake, instance: dg.DagsterInstance, minutes: list[float]) -> list[int]:
    """How many runs are under way, at looks so many minutes after NOW."""
    return [len(end_dead_runs(lake, instance, NOW + timedelta(minutes=m))) for m in minutes]


def test_a_run_whose_process_was_killed_is_ended_at_the_next_look_and_reported(
    lake: Lake, instance: dg.DagsterInstance
) -> None:
    run = add(lake, instance)
    with process_of(lake, run) as process:
        assert look(lake, instance, [0, 600]) == [1, 1]  # it lives: however long it takes
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

        [message] = tell_of_runs(lake, CATALOG, read_settings({}), instance, datetime.now(tz=UTC))

    assert status_of(instance, run) is _STATUS.FAILURE
    assert message.title == "daily_job: run failed"
    assert "The process of the run is gone without a word" in message.body
    assert not list((lake.root / "meta" / "locks" / "runs").iterdir())


def test_sensors_wait_for_a_run_of_another_dagster_as_long_as_it_lives(
    lake: Lake, instance: dg.DagsterInstance
) -> None:
    elsewhere = dg.DagsterRun(job_name="daily_job")  # in no record of this Dagster

    with process_of(lake, elsewhere) as process:
        assert runs_under_way(lake, instance, NOW) == ["a run of another Dagster"]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    assert runs_under_way(lake, instance, NOW) == []


def test_a_run_that_ended_well_leaves_no_lock(lake: Lake, instance: dg.DagsterInstance) -> None:
    run = add(lake, instance)
    with process_of(lake, run) as process:
        assert pulse_of(lake.root, run.run_id) == "alive"
        process.communicate("")

    assert pulse_of(lake.root, run.run_id) == "unknown"


@pytest.mark.parametrize("status", [_STATUS.STARTED, _STATUS.STARTING, _STATUS.NOT_STARTED, _STATUS.CANCELING])
def test_a_run_without_a_sign_of_life_is_ended_after_ten_minutes_and_five_looks(
    status: dg.DagsterRunStatus, lake: Lake, instance: dg.DagsterInstance
) -> None:
    run = add(lake, instance, status)

    assert look(lake, instance, [0, 1, 2, 3, 9]) == [1] * 5
    assert status_of(instance, run) not in (_STATUS.FAILURE, _STATUS.CANCELED)
    assert look(lake, instance, [11]) == [0]
    assert status_of(instance, run) is (_STATUS.CANCELED if status is _STATUS.CANCELING else _STATUS.FAILURE)


def test_a_run_that_waits_its_turn_is_never_ended_but_after_six_hours_nobody_waits_for_it(
    lake: Lake, instance: dg.DagsterInstance
) -> None:
    run = add(lake, instance, _STATUS.QUEUED)

    assert look(lake, instance, [0, 1, 2, 3, 4, 300, 361]) == [1] * 6 + [0]
    assert status_of(instance, run) is _STATUS.QUEUED


def test_a_run_of_another_machine_is_never_ended(lake: Lake, instance: dg.DagsterInstance) -> None:
    run = add(lake, instance)
    path = lake.root / "meta" / "locks" / "runs" / f"{run.run_id}.lock"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"host": "another", "boot": "another", "pid": 7}))

    assert look(lake, instance, [0, 1, 2, 3, 4, 30]) == [1] * 6
    assert status_of(instance, run) is _STATUS.STARTED


def test_a_clock_that_jumps_ends_no_run(lake: Lake, instance: dg.DagsterInstance) -> None:
    run = add(lake, instance)

    assert look(lake, instance, [0, 600, -600, 0.5]) == [1] * 4
    assert status_of(instance, run) is _STATUS.STARTED


def test_a_run_of_another_data_folder_is_not_looked_at(lake: Lake, instance: dg.DagsterInstance) -> None:
    run = instance.add_run(dg.DagsterRun(job_name="daily_job", status=_STATUS.STARTED, tags={DATA_DIR: "/another"}))

    assert look(lake, instance, [0, 1, 2, 3, 4, 5, 60]) == [0] * 7
    assert status_of(instance, run) is _STATUS.STARTED


@pytest.mark.slow
def test_a_real_run_that_is_killed_is_ended_by_the_next_look_of_a_sensor(lake: Lake, tmp_path: Path) -> None:
    home = quiet_home(tmp_path)
    drop_orders(lake, f"orders_{day(1)}.csv", one_a_day(1, 1))
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MLPIPE_", "DAGSTER_", "PYTEST_"))}
    env |= {"DAGSTER_HOME": str(home), "MLPIPE_DATA_DIR": str(lake.root), "MLPIPE_SETTLE_SECONDS": "600"}
    tags = json.dumps({"dagster/partition": f"{day(1)}"})
    command = [str(Path(sys.executable).parent / "dagster"), "job", "execute", "-m", "mlpipe_assets.definitions"]
    locks = lake.root / "meta" / "locks" / "runs"
    with subprocess.Popen(
        [*command, "-j", "ingest_job", "--tags", tags], env=env, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 120  # it waits until the file has settled
        while not list(locks.glob("*.lock")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.kill()

    with dg.DagsterInstance.from_config(str(home)) as instance:
        [run] = instance.get_runs()
        assert (run.status, run.tags[DATA_DIR]) == (_STATUS.STARTED, str(lake.root))
        assert runs_under_way(lake, instance, datetime.now(tz=UTC)) == []
        [message] = tell_of_runs(lake, CATALOG, read_settings({}), instance, datetime.now(tz=UTC))

    assert message.title == "ingest_job: run failed"
