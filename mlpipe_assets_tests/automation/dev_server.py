"""A real `dagster dev` for a test: its own home, data, port and process group, and gone when the block ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import dagster as dg
from dagster._core.scheduler.instigation import SensorInstigatorData  # not exported

from mlpipe_assets.settings import PROJECT_ROOT
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.servers import free_port

_BIN = Path(sys.executable).parent
_DAGSTER_YAML = """
telemetry: {enabled: false}
nux: {enabled: false}
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config: {dequeue_interval_seconds: 1}
"""


@dataclass(frozen=True, kw_only=True)
class DevServer:
    """What a test may look at while Dagster runs."""

    home: Path
    lake: Lake
    log: Path
    process: subprocess.Popen[bytes]

    def runs(self, job: str | None = None) -> list[dg.DagsterRun]:
        """Runs that sensors and schedules asked for so far, oldest first."""
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            found = instance.get_runs(dg.RunsFilter(job_name=job))
        return [run for run in reversed(found) if run.remote_job_origin]

    def has_looked(self, sensor: str, since: datetime) -> bool:
        """Whether a sensor began a look after a moment, and has ended it."""
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            data = [s.instigator_data for s in instance.all_instigator_state() if s.instigator_name == sensor]
        ticks = [one.last_tick_timestamp for one in data if isinstance(one, SensorInstigatorData)]
        return any(tick and tick > since.timestamp() for tick in ticks)

    def wait_for(self, what: str, is_so: Callable[[], object], seconds: float) -> None:
        """Return once something is so.

        Raises: AssertionError with the end of Dagster's log when it takes longer than `seconds`, or Dagster has ended.
        """
        deadline = time.monotonic() + seconds
        while not is_so():
            ended = self.process.poll() is not None
            if ended or time.monotonic() > deadline:
                told = "Dagster ended" if ended else f"not within {seconds:g} s"
                raise AssertionError(f"{what}: {told}\n{self.log.read_text(errors='replace')[-6000:]}")
            time.sleep(0.25)


@contextmanager
def dev_server(
    root: Path,
    first: date,
    catalog: str,
    alerts: str,
    *,
    built: bool = True,
    storage: str = "",
    environment: Mapping[str, str] | None = None,
) -> Iterator[DevServer]:
    """`dagster dev` on the loopback with eager sensors, after `mlpipe run` where the lake is to be `built` before.

    Its whole process group is killed at the end, whatever happened.

    Args:
        root: Holds `data`, and gets a DAGSTER_HOME.
        first: The first day there is.
        catalog: Module and name of the catalog.
        alerts: URL that is told.
        built: Whether everything is brought up to date before Dagster starts.
        storage: What its `dagster.yaml` says besides.
        environment: Further variables.
    """
    home = root / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text(_DAGSTER_YAML + storage)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MLPIPE_", "DAGSTER_", "PYTEST_"))}
    env |= {"DAGSTER_HOME": str(home), "MLPIPE_DATA_DIR": str(root / "data"), "PYTHONPATH": str(PROJECT_ROOT)}
    env |= {"MLPIPE_START_DATE": f"{first}", "MLPIPE_CATALOG": f"mlpipe_assets_tests.automation.{catalog}"}
    env |= {"MLPIPE_SENSOR_SECONDS": "2", "MLPIPE_SETTLE_SECONDS": "1", "MLPIPE_ALERT_URLS": alerts}
    env |= environment or {}
    if built:
        run = [str(_BIN / "mlpipe"), "run"]
        ran = subprocess.run(run, cwd=root, env=env, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    command = [str(_BIN / "dagster"), "dev", "-m", "mlpipe_assets.definitions"]
    command += ["--host", "127.0.0.1", "--port", str(free_port())]
    log = root / "dagster.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=root, env=env, stdout=output, stderr=output, start_new_session=True)
        try:
            yield DevServer(home=home, lake=Lake(data_dir=str(root / "data")), log=log, process=process)
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # asked kindly, it takes a quarter of a minute, or does not listen
            process.wait()
