"""A Spark in this process, for tests that ask it of SQL alone: no master, no workers, one thread."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from mlpipe_assets_tests.executors.spark_servers import packages_of_spark

_SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "700m",
    "spark.sql.shuffle.partitions": "1",
    "spark.log.level": "OFF",
}


@dataclass(frozen=True, kw_only=True)
class LocalSpark:
    """What the engine asks of a cluster."""

    found: Any
    name: str = "Spark in this process"

    def session(self) -> Any:
        """Its session."""
        return self.found


@contextmanager
def local_spark() -> Iterator[LocalSpark]:
    """Start it, and stop it in the end."""
    packages = packages_of_spark()
    sys.path.append(f"{packages}")
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYSPARK_PYTHON", sys.executable)
            patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
            patch.setenv("SPARK_HOME", f"{packages / 'pyspark'}")
            from pyspark.sql import SparkSession

            builder = SparkSession.builder.master("local[1]")
            for name, value in _SETTINGS.items():
                builder = builder.config(name, value)
            session = builder.getOrCreate()
            yield LocalSpark(found=session)
            session.stop()
    finally:
        sys.path.remove(f"{packages}")
