"""What every executor has to hold, for the modules that have one."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlpipe_assets.engines.bucket_engine import copy_bucket
from mlpipe_assets.errors import DamagedError, ExecutorError
from mlpipe_assets.executors import remote
from mlpipe_assets.executors.executor import THREADS, Executor
from mlpipe_assets.settings import PROJECT_ROOT
from mlpipe_assets.stages.interim.judging import judge_days
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.executors import work
from mlpipe_assets_tests.executors.lakes import bring_up_to_date, correct, deliver, files_of


@dataclass(kw_only=True)
class Killing:
    """An executor of which one process is killed, once it has written the files of some work.

    Attributes:
        after: The work.
        died: A file that is there once that was done.
        java: See `work.Deadly`.
    """

    executor: Executor
    after: Callable[[Any], Any]
    died: Path
    java: int = 0
    name: str = "killing"
    is_here: bool = False

    def map(self, done: Callable[[Any], Any], items: Iterable[Any], at_once: int = 2) -> Iterator[Any]:
        """The same work, of which somebody dies."""
        if done is not self.after:
            return self.executor.map(done, items, at_once)
        deadly = (work.Deadly(work=done, item=item, died=self.died, java=self.java) for item in items)
        return self.executor.map(work.die_after, deadly, at_once)


def expect_the_lake_of_threads_after_a_kill(
    executor: Executor, folder: Path, java: int = 0, after: Callable[[Any], Any] = judge_days
) -> None:
    """Kill one process that has written files, and find the lake as if nobody had been."""
    ours, theirs = Lake(data_dir=f"{folder / 'ours'}"), Lake(data_dir=f"{folder / 'theirs'}")
    for one in (ours, theirs):
        deliver(one)
    bring_up_to_date(ours, THREADS)

    bring_up_to_date(theirs, Killing(executor=executor, after=after, died=folder / "died", java=java))

    assert (folder / "died").exists()
    assert files_of(theirs) == files_of(ours)


class Conformance:
    """Tests of an executor that the module's fixture `executor` gives."""

    def test_results_come_in_the_order_of_the_items(self, executor: Executor) -> None:
        assert list(executor.map(work.double, range(40))) == [2 * number for number in range(40)]

    def test_nothing_to_do_is_no_result(self, executor: Executor) -> None:
        assert list(executor.map(work.double, [])) == []

    def test_what_the_work_raises_is_raised_here(self, executor: Executor) -> None:
        results = executor.map(work.find_damage, [0, 2, 3, 4])

        assert [next(results), next(results)] == [0, 2]
        with pytest.raises(DamagedError, match=r"^3 is damaged$") as caught:
            next(results)
        assert caught.value.lost == ("file-3",)

    def test_an_error_that_cannot_be_sent_is_told_in_words(self, executor: Executor) -> None:
        with pytest.raises(ExecutorError, match="failed: SealedError: number 7"):
            list(executor.map(work.fail_sealed, [7]))

    def test_another_version_is_refused_before_any_work(
        self, executor: Executor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        own = remote.versions()
        monkeypatch.setattr(remote, "versions", lambda: {**own, "polars": "1.0.0"})

        with pytest.raises(
            ExecutorError, match=rf"has polars {own['polars']}, and the process .* has 1\.0\.0: install"
        ):
            list(executor.map(work.double, [1]))

    def test_days_are_counted_from_the_same_start(self, executor: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("mlpipe_assets.partitions.START_DATE", "2020-01-01")

        with pytest.raises(ExecutorError, match=r"counts days from 2026-01-01, and the process .* from 2020-01-01"):
            list(executor.map(work.double, [1]))

    def test_a_process_killed_over_an_item_is_replaced(self, executor: Executor, lake: Lake) -> None:
        items = [work.Once(number=number, died=lake.root / "died") for number in range(6)]

        assert list(executor.map(work.die_once, items)) == list(range(6))

    def test_the_lake_is_that_of_threads_byte_for_byte(self, executor: Executor, lake: Lake) -> None:
        ours, theirs = Lake(data_dir=f"{lake.root / 'ours'}"), Lake(data_dir=f"{lake.root / 'theirs'}")
        for step in (deliver, correct):
            for one in (ours, theirs):
                step(one)
            here, there = bring_up_to_date(ours, THREADS), bring_up_to_date(theirs, executor)

            assert there == here
            assert [problem.partition(": ")[2][:22] for problem in there.problems] == ["broken or cut gzip file"[:22]]
            assert files_of(theirs) == files_of(ours)
        assert list(theirs.root.rglob(".*.tmp")) == []
        assert list((theirs.root / keys.ASIDE).iterdir()) == []

    @pytest.mark.parametrize("after", [judge_days, copy_bucket])
    def test_a_process_killed_after_it_wrote_its_files_leaves_the_same_lake(
        self, executor: Executor, lake: Lake, after: Callable[[Any], Any]
    ) -> None:
        expect_the_lake_of_threads_after_a_kill(executor, lake.root, after=after)

    def test_a_driver_killed_in_the_middle_is_made_up_for_by_the_next_run(
        self, executor: Executor, environment: Mapping[str, str], lake: Lake
    ) -> None:
        ours, theirs = Lake(data_dir=f"{lake.root / 'ours'}"), Lake(data_dir=f"{lake.root / 'theirs'}")
        for one in (ours, theirs):
            deliver(one)
        bring_up_to_date(ours, THREADS)
        address: str = executor.address  # type: ignore[attr-defined]
        command = [sys.executable, "-m", "mlpipe_assets_tests.executors.lakes", str(theirs.root), address]
        with subprocess.Popen(command, env={**environment}, cwd=PROJECT_ROOT) as driver:
            while driver.poll() is None and not list(theirs.root.rglob(".*.tmp")):
                time.sleep(0.001)
            driver.kill()
            assert driver.wait() == -signal.SIGKILL
        assert files_of(theirs).keys() < files_of(ours).keys()

        bring_up_to_date(theirs, executor)

        assert files_of(theirs) == files_of(ours)
