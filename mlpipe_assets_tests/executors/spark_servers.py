"""A standalone Spark of this machine for tests: a master, two workers and a Connect server from the wheel, on loopback.

pyspark is none of our requirements: the packages of an environment that has it are found behind those of the tests.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from mlpipe_assets.settings import PROJECT_ROOT
from mlpipe_assets_tests.fetched import expect_tools, fetch_packages
from mlpipe_assets_tests.servers import free_port

VERSION = "4.3.0"
_SECONDS = 300.0
_DEFAULTS = """
spark.ui.enabled false
spark.driver.host 127.0.0.1
spark.driver.bindAddress 127.0.0.1
spark.driver.memory 512m
spark.executor.memory 700m
spark.executor.cores 1
spark.port.maxRetries 64
spark.log.level ERROR
spark.connect.grpc.binding.address 127.0.0.1
spark.executorEnv.POLARS_MAX_THREADS 1
"""


def packages_of_spark() -> Path:
    """The packages of an environment with pyspark and all that Connect needs."""
    expect_tools("Spark", "java")
    return fetch_packages(f"pyspark-connect-{VERSION}", f"pyspark[connect]=={VERSION}")


@dataclass(kw_only=True)
class SparkServers:
    """A cluster that is up.

    Attributes:
        packages: Where pyspark is.
        master: Its address, `spark://HOST:PORT`.
        connect: That of its Connect server, `sc://HOST:PORT`; empty where there is none.
        environment: What a process needs to reach it.
        processes: The master, the two workers and the Connect server, in this order.
    """

    packages: Path
    folder: Path
    master: str
    connect: str
    environment: Mapping[str, str]
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def executors(self) -> list[psutil.Process]:
        """The processes of Java that do work, of all applications."""
        return [child for one in self.processes[1:3] for child in psutil.Process(one.pid).children()]


@contextmanager
def spark_servers(
    folder: Path,
    settings: Mapping[str, str] | None = None,
    *,
    cores: int = 2,
    memory: str = "1500m",
    connect: bool = True,
) -> Iterator[SparkServers]:
    """Start them, and stop them in the end.

    Args:
        folder: For their settings, their logs, and what executors leave.
        settings: Of Spark, instead of those that tests have, or beside them.
        cores: Of each of the two workers.
        memory: Of each of them, for its executors.
        connect: Whether a Connect server is started, which takes an executor of each worker.
    """
    packages, port, server = packages_of_spark(), free_port(), free_port()
    home = packages / "pyspark"
    own = "".join(f"{name} {value}\n" for name, value in (settings or {}).items())  # the last line of a name counts
    (folder / "spark-defaults.conf").write_text(_DEFAULTS + own)
    environment = {
        **os.environ,
        "SPARK_HOME": f"{home}",
        "SPARK_CONF_DIR": f"{folder}",
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOG_DIR": f"{folder}",
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": os.pathsep.join([f"{PROJECT_ROOT}", f"{packages}"]),
        "MLPIPE_SETTLE_SECONDS": "0",
    }
    found = SparkServers(
        packages=packages,
        folder=folder,
        master=f"spark://127.0.0.1:{port}",
        connect=f"sc://127.0.0.1:{server}" if connect else "",
        environment=environment,
    )
    runner, deploy = f"{home}/bin/spark-class", "org.apache.spark.deploy"
    with ExitStack() as stack:

        def start(name: str, *command: str) -> None:
            log = stack.enter_context((folder / f"{name}.log").open("wb"))
            heap = {"SPARK_DAEMON_MEMORY": "700m" if name == "connect" else "256m"}
            started = subprocess.Popen([*command], env={**environment, **heap}, stdout=log, stderr=log, cwd=folder)
            found.processes.append(started)
            stack.callback(_end, started)

        loopback = ["--host", "127.0.0.1"]
        start("master", runner, f"{deploy}.master.Master", *loopback, "--port", f"{port}", "--webui-port", "0")
        _wait_for(port)
        for name in ("one", "two"):
            has = ["--cores", f"{cores}", "--memory", memory, "--work-dir", f"{folder / name}", "--webui-port", "0"]
            start(name, runner, f"{deploy}.worker.Worker", *loopback, *has, found.master)
        if not connect:
            yield found
            return
        submit = [f"{home}/bin/spark-submit", "--master", found.master, "--name", "connect"]
        submit += ["--conf", f"spark.connect.grpc.binding.port={server}", "--conf", "spark.cores.max=2"]
        start(
            "connect", *submit, "--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal"
        )
        _wait_for(server)
        yield found


def _wait_for(port: int) -> None:
    end = time.monotonic() + _SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < end, "a process of Spark did not come up"
            time.sleep(0.2)
        else:
            return


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a process of Spark, and those that it started."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for child in family:
        if child.is_running():
            child.kill()
