"""The pipeline on a cluster, measured small: every way gives the lake of threads, and what Spark did is found again in its events."""

import json
from pathlib import Path

import pytest

from mlpipe_assets_tests.benchmarks.agreement import DisagreementError
from mlpipe_assets_tests.benchmarks.cluster import hold, measure_cluster
from mlpipe_assets_tests.benchmarks.spark_jobs import Job, read_jobs, together
from mlpipe_assets_tests.benchmarks.workload import Workload, write_workload
from mlpipe_assets_tests.fetched import expect_tools

SMALL = Workload(orders=4_000, customers=300, days=6)


@pytest.mark.slow
@pytest.mark.long
def test_every_way_gives_the_lake_of_threads_and_says_what_it_took(tmp_path: Path) -> None:
    expect_tools("Spark", "java")
    write_workload(tmp_path / "written", SMALL)

    (found,) = measure_cluster(tmp_path / "cluster", tmp_path / "written", SMALL).numbers.values()

    assert [way["failed"] for way in found.values()] == ["", "", ""]
    assert found["buckets"]["files"][0] == found["buckets"]["files"][1] == found["Spark SQL"]["files"][0] > SMALL.days
    for way in ("buckets", "Spark SQL"):
        interim = found[way]["stages"]["interim/orders"]
        assert interim["spark"]["tasks"]
        assert interim["spent"]["executor 1's Python"]["read"] + interim["spent"]["executor 2's Python"]["read"] > 0
        assert {who for who, bytes_ in found[way]["peaks"].items() if bytes_ > 50e6} == {
            *("driver", "driver's JVM", "executor 1", "executor 2", "executor 1's Python", "executor 2's Python")
        }
    assert found["Spark SQL"]["stages"]["features/customer_features"]["spark"]["shuffled"] > 0
    assert found["threads"]["stages"]["interim/orders"]["spark"]["jobs"] == 0
    assert found["threads"]["stages"]["interim/orders"]["spent"]["driver"]["processor"] > 0


def test_a_lake_with_another_file_or_other_bytes_is_no_result(tmp_path: Path) -> None:
    for name, text in (("ours", "1"), ("theirs", "2")):
        (tmp_path / name / "features").mkdir(parents=True)
        (tmp_path / name / "features" / "a.json").write_text(text)

    with pytest.raises(DisagreementError, match=r"1 of 1 files are not those of threads, such as features/a\.json"):
        hold(tmp_path / "ours", tmp_path / "theirs", bytes_too=True)
    (tmp_path / "ours" / "features" / "b.json").touch()
    with pytest.raises(DisagreementError, match=r"1 files are in one lake only, such as features/b\.json"):
        hold(tmp_path / "ours", tmp_path / "theirs", bytes_too=False)


def test_jobs_at_the_same_time_are_counted_once_and_tasks_wait_for_a_free_executor() -> None:
    jobs = [Job(begun=10, ended=14, tasks=[4, 1]), Job(begun=12, ended=15, tasks=[3, 2, 2])]

    share = together(jobs)

    assert share.seconds == 5
    assert (share.on(1), share.on(2), share.on(20)) == (12, 8, 7)


def test_bytes_and_lost_tasks_are_of_the_job_that_first_had_the_stage(tmp_path: Path) -> None:
    metrics = {
        "Input Metrics": {"Bytes Read": 7},
        "Shuffle Write Metrics": {"Shuffle Bytes Written": 5},
        "Disk Bytes Spilled": 3,
    }
    ended = {"Event": "SparkListenerTaskEnd", "Stage ID": 0, "Task Info": {"Launch Time": 1000, "Finish Time": 3500}}
    events = [
        {"Event": "SparkListenerJobStart", "Job ID": 0, "Submission Time": 500, "Stage IDs": [0]},
        {**ended, "Task End Reason": {"Reason": "ExecutorLostFailure"}},
        {"Event": "SparkListenerJobStart", "Job ID": 1, "Submission Time": 4000, "Stage IDs": [0, 1]},
        {**ended, "Task End Reason": {"Reason": "Success"}, "Task Metrics": metrics},
        {"Event": "SparkListenerJobEnd", "Job ID": 0, "Completion Time": 4000},
        {"Event": "SparkListenerJobEnd", "Job ID": 1, "Completion Time": 4500},
    ]
    (tmp_path / "log").write_text("\n".join(map(json.dumps, events)))

    assert read_jobs(tmp_path / "log") == [
        Job(begun=0.5, ended=4.0, tasks=[2.5], lost=1, read=7, shuffled=5, spilled=3),
        Job(begun=4.0, ended=4.5),
    ]
