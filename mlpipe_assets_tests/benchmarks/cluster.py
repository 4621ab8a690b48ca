"""The pipeline, raw files to training set, by threads, by buckets on executors of Spark, and by Spark SQL, on the same files.

The cluster is a master and two workers on loopback, each with one executor of one core and 2 GB of heap; its Python workers
are beside the heap. Seconds of stages are those of `mlpipe run`; what Spark did of each is read off the events of its
application. The lake by buckets has to be that of threads byte for byte, and that of Spark SQL row for row.

What more executors would take is computed and not measured: of each stage the same tasks, given to more of them.
"""

import filecmp
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import polars as pl
import psutil

from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.benchmarks.agreement import DisagreementError
from mlpipe_assets_tests.benchmarks.child import ChildError, python
from mlpipe_assets_tests.benchmarks.mlpipe_run import run_mlpipe, stage_seconds
from mlpipe_assets_tests.benchmarks.pipeline import drop_files, environment_of
from mlpipe_assets_tests.benchmarks.report import Line, Measured, spell_bytes
from mlpipe_assets_tests.benchmarks.spark_jobs import Share, read_jobs, together
from mlpipe_assets_tests.benchmarks.watched import Spent, watching
from mlpipe_assets_tests.benchmarks.workload import Workload
from mlpipe_assets_tests.executors.lakes import paths_of
from mlpipe_assets_tests.executors.spark_servers import SparkServers, spark_servers

_ALONE = "threads"
_EXECUTORS = 2
_MANY = 20
_SETTINGS = {
    "spark.executor.memory": "2g",
    "spark.driver.memory": "1g",
    "spark.eventLog.enabled": "true",
    "spark.eventLog.compress": "false",
    "spark.eventLog.rolling.enabled": "false",
}
_WORTH_SAYING = 1e6  # bytes
_WAYS: Mapping[str, Mapping[str, str]] = {
    _ALONE: {},
    "buckets": {"MLPIPE_ENGINE": "duckdb"},
    "Spark SQL": {"MLPIPE_ENGINE": "spark"},
}
# When each table was built, by the records of Dagster.
_TIMES = """
import json
import dagster as dg

found = {}
for record in dg.DagsterInstance.get().get_run_records():
    for key in record.dagster_run.asset_selection or ():
        found.setdefault(key.to_user_string(), []).append((record.start_time, record.end_time))
print(json.dumps(found))
"""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What was measured of a stage.

    Attributes:
        seconds: As `mlpipe run` says them.
        spent: What each family of processes used.
        spark: What Spark had of it.
    """

    seconds: float
    spent: Mapping[str, Spent]
    spark: Share

    @property
    def many(self) -> float:
        """Seconds that many executors would take, computed."""
        return self.seconds - self.spark.on(_EXECUTORS) + self.spark.on(_MANY)


@dataclass(frozen=True, kw_only=True)
class Way:
    """One run of the pipeline.

    Attributes:
        seconds: Of the whole process.
        stages: By table.
        spent: What each family of processes used in all.
        peaks: Of memory, in bytes, by family of processes.
        files: How many were held to those of threads, and how many of them have the same bytes.
        failed: Why there is no result.
    """

    seconds: float = 0.0
    stages: Mapping[str, Stage] = field(default_factory=dict)
    spent: Mapping[str, Spent] = field(default_factory=dict)
    peaks: Mapping[str, int] = field(default_factory=dict)
    files: tuple[int, int] = (0, 0)
    failed: str = ""

    @property
    def many(self) -> float:
        """Seconds of the whole process with many executors, computed."""
        return self.seconds - sum(stage.seconds - stage.many for stage in self.stages.values())


def measure_cluster(folder: Path, written: Path, workload: Workload) -> Measured:
    """All ways over the same files, one after the other.

    Raises: DisagreementError when outputs differ; ChildError when a way fails, or there is no Java.
    """
    if shutil.which("java") is None:
        raise ChildError("There is no java, which Spark needs. Next: apt-get install openjdk-17-jre-headless")
    shutil.rmtree(folder, ignore_errors=True)
    days = workload.all_days[: workload.days]
    found: dict[str, Way] = {}
    try:
        home = folder / "spark"
        (home / "events").mkdir(parents=True)
        own = {"spark.eventLog.dir": f"file://{home / 'events'}", "spark.local.dir": f"{home / 'spill'}"}
        with spark_servers(home, {**_SETTINGS, **own}, cores=1, memory="3g", connect=False) as servers:
            for name in _WAYS:
                print(f"cluster, {workload.orders:,} orders: by {name}", flush=True)
                drop_files(written, folder / name / "data", days)
                found[name] = _run(folder / name, name, servers)
                if name != _ALONE and not found[name].failed:
                    files = hold(folder / _ALONE / "data", folder / name / "data", bytes_too=name == "buckets")
                    found[name] = replace(found[name], files=files)
                if name != _ALONE:
                    shutil.rmtree(folder / name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    numbers = {name: asdict(way) | {"many": way.many} for name, way in found.items()}
    return Measured(lines=tuple(_lines(workload, found)), numbers={f"cluster {workload.orders}": numbers})


def hold(ours: Path, theirs: Path, *, bytes_too: bool) -> tuple[int, int]:
    """Hold every file of a lake to that of another; how many there are, and how many have the same bytes.

    Raises: DisagreementError for other files, for other bytes where they are asked for, and for other rows or types.
    """
    lakes = [Lake(data_dir=f"{root}") for root in (ours, theirs)]
    paths, others = map(paths_of, lakes)
    if paths != others:
        odd = sorted({*paths} ^ {*others})
        raise DisagreementError(f"{len(odd)} files are in one lake only, such as {odd[0]}")
    different = [path for path in paths if not filecmp.cmp(ours / path, theirs / path, shallow=False)]
    wrong = [path for path in different if bytes_too or not _same_rows(ours / path, theirs / path)]
    if wrong:
        raise DisagreementError(f"{len(wrong)} of {len(paths)} files are not those of threads, such as {wrong[0]}")
    return len(paths), len(paths) - len(different)


def _same_rows(ours: Path, theirs: Path) -> bool:
    if ours.suffix != ".parquet":
        return False
    left, right = (pl.read_parquet(path, hive_partitioning=False) for path in (ours, theirs))
    return left.schema == right.schema and left.sort(left.columns).equals(right.sort(left.columns))


def _run(folder: Path, name: str, servers: SparkServers) -> Way:
    """One way; why it failed where it did, for that is what was found of it."""
    variables = {**servers.environment, **environment_of(folder), **_WAYS[name], "MLPIPE_SETTLE_SECONDS": "0"}
    variables |= {"MLPIPE_EXECUTOR": "" if name == _ALONE else servers.master}
    before = {*(servers.folder / "events").iterdir()}
    with watching(lambda: _families(servers)) as watched:
        try:
            done = run_mlpipe(variables)
        except ChildError as error:
            if name == _ALONE:
                raise
            return Way(failed=f"{error}", peaks=watched.peaks)
    logs = {*(servers.folder / "events").iterdir()} - before
    jobs = [job for log in logs for job in read_jobs(log)]
    times = python("-c", _TIMES, environment=variables).result
    stages = {}
    for table, seconds in stage_seconds(done.output).items():
        begun, ended = min(times[table])[0], max(times[table])[1]
        share = together([job for job in jobs if begun <= job.begun <= ended])
        stages[table] = Stage(seconds=seconds, spent=watched.between(begun, ended), spark=share)
    return Way(seconds=done.seconds, stages=stages, spent=watched.between(0, math.inf), peaks=watched.peaks)


def _families(servers: SparkServers) -> Mapping[str, Sequence[psutil.Process]]:
    """Processes that run the pipeline, and those of each executor."""
    cluster = {process.pid for process in servers.processes}
    below = [one for one in psutil.Process().children() if one.pid not in cluster]
    driver = [one for own in below for one in (own, *own.children(recursive=True))]
    found = {"driver": [one for one in driver if one.name() != "java"]}
    found["driver's JVM"] = [one for one in driver if one.name() == "java"]
    for number, worker in enumerate(servers.processes[1:3], start=1):
        below = psutil.Process(worker.pid).children(recursive=True)
        found[f"executor {number}"] = [one for one in below if one.name() == "java"]
        found[f"executor {number}'s Python"] = [one for one in below if one.name() != "java"]
    return found


def _lines(workload: Workload, found: Mapping[str, Way]) -> list[Line]:
    size = f"{workload.orders:,} orders of {workload.customers:,} customers, {workload.days} days"
    alone = found[_ALONE]
    lines: list[Line] = []
    for name, way in found.items():
        what = f"raw → training set, {size}, by {name}"
        if way.failed:
            lines.append(Line(name=f"{what}: failed, {way.failed[:300]}", ours=""))
            continue
        ratio = "" if way is alone else f"{way.seconds / alone.seconds:.2f}"
        lines.append(Line(name=what, ours=f"{way.seconds:.1f} s", yardstick=f"{alone.seconds:.1f} s", ratio=ratio))
        stages = sorted(way.stages.items(), key=lambda item: -item[1].seconds)
        lines.append(Line(name=f"- its stages: {', '.join(_spell(table, one) for table, one in stages)}", ours=""))
        peaks = ", ".join(f"{who} {spell_bytes(peak)}" for who, peak in way.peaks.items() if peak)
        used = ", ".join(f"{who} {one.processor:.1f} s" for who, one in way.spent.items() if one.processor)
        lines += [Line(name=f"- its peaks of memory: {peaks}", ours=""), Line(name=f"- processor: {used}", ours="")]
        if way is not alone:
            lines.append(Line(name=f"- computed for {_MANY} executors", ours=f"{way.many:.1f} s"))
            files, same = way.files
            lines.append(
                Line(name="- files with the bytes of threads, all others with their rows", ours=f"{same} of {files}")
            )
    return lines


def _spell(table: str, stage: Stage) -> str:
    said, spark = f"{table} {stage.seconds:.1f} s", stage.spark
    if not spark.tasks:
        return said
    tasks = [task for job in spark.tasks for task in job]
    parts = [f"{spark.seconds:.1f} s in {len(tasks)} tasks of Spark, {sum(tasks):.1f} s together"]
    by_python = sum(one.read for who, one in stage.spent.items() if who.endswith("Python"))
    sizes = {"read by Python": by_python, "read by Spark": spark.read, "shuffled": spark.shuffled}
    sizes["spilled"] = spark.spilled
    parts += [f"{spell_bytes(size)} {what}" for what, size in sizes.items() if size > _WORTH_SAYING]
    return f"{said} ({', '.join(parts)})"
