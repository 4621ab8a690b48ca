"""Work on partitions on two processes of Dask: the lake of threads, byte for byte, also when one of them is killed."""

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from distributed import LocalCluster

from mlpipe_assets.errors import ExecutorError
from mlpipe_assets.executors import dask_cluster
from mlpipe_assets.executors.dask_cluster import DaskExecutor
from mlpipe_assets.executors.executor import Executor
from mlpipe_assets_tests.executors import work
from mlpipe_assets_tests.executors.conformance import Conformance
from mlpipe_assets_tests.executors.whole_graph import WholeRun, run_all

pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    """Two workers of one thread, each a process of its own."""
    with LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=50,
        preload=["mlpipe_assets_tests.executors.preload"],
    ) as cluster:
        executor = DaskExecutor(address=cluster.scheduler_address.replace("tcp://", "dask://"))
        yield executor
        executor.close()


@pytest.fixture(scope="module")
def environment() -> Mapping[str, str]:
    """That of a process which reaches the cluster."""
    return os.environ


class TestDask(Conformance):
    """What every executor holds."""


def test_each_of_two_processes_has_work(executor: Executor) -> None:
    end, found = time.monotonic() + 60, set[int]()
    while len(found) < 2:  # one of them may be starting again, after a test that killed it
        assert time.monotonic() < end, "one process did all of the work"
        found = set(executor.map(work.whose, range(8)))

    assert len(found) == 2


def test_who_dies_over_every_try_is_told_in_one_sentence(executor: Executor) -> None:
    with pytest.raises(ExecutorError, match="4 workers died over the same piece of work"):
        list(executor.map(work.die_always, [1]))


def test_a_scheduler_that_is_not_there_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_cluster, "_PATIENCE", 0.2)

    with pytest.raises(ExecutorError, match=r"Dask at 127\.0\.0\.1:9 does not answer .* unset MLPIPE_EXECUTOR"):
        list(DaskExecutor(address="dask://127.0.0.1:9").map(work.double, [1]))


def test_the_whole_graph_is_that_of_threads(executor: DaskExecutor, run_of_threads: WholeRun, tmp_path: Path) -> None:
    found = run_all(tmp_path, {**os.environ, "MLPIPE_EXECUTOR": executor.address})

    assert (run_of_threads.said["executor"], found.said["executor"]) == ("threads", executor.name)
    assert found.differs_from(run_of_threads) == []
