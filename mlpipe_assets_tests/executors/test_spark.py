"""Work on partitions on a standalone Spark, by Connect and classic: the lake of threads, byte for byte, whoever is killed."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from mlpipe_assets.engines.spark_engine import HasSession, SparkEngine
from mlpipe_assets.executors.executor import THREADS, Executor
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.executors.conformance import Conformance, expect_the_lake_of_threads_after_a_kill
from mlpipe_assets_tests.executors.lakes import bring_up_to_date, correct, deliver
from mlpipe_assets_tests.executors.spark_servers import SparkServers, spark_servers
from mlpipe_assets_tests.executors.whole_graph import WholeRun, run_all

pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkServers]:
    """A master, two workers and a Connect server."""
    with spark_servers(tmp_path_factory.mktemp("spark")) as found:
        yield found


@pytest.fixture(scope="module")
def executor(servers: SparkServers) -> Iterator[Executor]:
    """The cluster by Connect."""
    sys.path.append(f"{servers.packages}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        from mlpipe_assets.executors.spark_cluster import SparkExecutor

        executor = SparkExecutor(address=servers.connect)
        yield executor
        executor.close()
    sys.path.remove(f"{servers.packages}")


@pytest.fixture(scope="module")
def environment(servers: SparkServers) -> Mapping[str, str]:
    """That of a process which reaches the cluster."""
    return servers.environment


class TestConnect(Conformance):
    """What every executor holds."""


def test_the_token_of_an_address_is_not_told(executor: Executor) -> None:
    named = type(executor)(address="sc://host:15002/;token=s3cret;user_id=me")  # type: ignore[call-arg]

    assert named.name == "Spark Connect at host:15002"
    assert "s3cret" not in repr(named)


def test_the_whole_graph_by_connect_is_that_of_threads(
    servers: SparkServers, run_of_threads: WholeRun, tmp_path: Path
) -> None:
    found = run_all(tmp_path, {**servers.environment, "MLPIPE_EXECUTOR": servers.connect})

    assert found.said["executor"] == f"Spark Connect at {servers.connect.removeprefix('sc://')}"
    assert found.differs_from(run_of_threads) == []


def test_the_whole_graph_by_spark_sql_and_classic_is_that_of_threads_and_duckdb(
    servers: SparkServers, run_of_threads: WholeRun, tmp_path: Path
) -> None:
    """Features and training sets add up decimals and whole numbers, so no order of Spark changes a digit, and models learn the same."""
    found = run_all(tmp_path, {**servers.environment, "MLPIPE_EXECUTOR": servers.master, "MLPIPE_ENGINE": "spark"})

    assert found.said["executor"] == f"Spark at {servers.master.removeprefix('spark://')}"
    assert (found.said["engine"], run_of_threads.said["engine"]) == ("spark", "duckdb")
    assert found.differs_from(run_of_threads) == []


def test_features_by_spark_sql_are_those_of_duckdb(executor: Executor, tmp_path: Path) -> None:
    ours, theirs = Lake(data_dir=f"{tmp_path / 'ours'}"), Lake(data_dir=f"{tmp_path / 'theirs'}")
    assert isinstance(executor, HasSession)
    spark = SparkEngine(memory_limit="400MB", cluster=executor, aside=theirs.root / keys.ASIDE)
    for step in (deliver, correct):
        for one in (ours, theirs):
            step(one)

        assert bring_up_to_date(theirs, executor, spark) == bring_up_to_date(ours, THREADS)

        assert ours.days("features", "customer_features")
        for day in ours.days("features", "customer_features"):
            found = theirs.read("features", "customer_features", day)
            assert_frame_equal(found, ours.read("features", "customer_features", day), rel_tol=1e-12, abs_tol=0)
    assert list(spark.aside.iterdir()) == []


@pytest.mark.parametrize(("whose", "java"), [("executor", 1), ("worker", 2)])
def test_a_process_of_java_that_is_killed_takes_nothing_with_it(
    executor: Executor, tmp_path: Path, whose: str, java: int
) -> None:
    expect_the_lake_of_threads_after_a_kill(executor, tmp_path / whose, java)
