"""The whole loop on the largest workload: a prototype, one day by `daily_job`, and what monitoring costs of it.

Start-up is that of the same command with a job that does nothing, in the same DAGSTER_HOME.
"""

import json
import os
import shutil
import statistics
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from mlpipe_assets.store import keys
from mlpipe_assets_tests.benchmarks.child import Finished, measure, python
from mlpipe_assets_tests.benchmarks.mlpipe_run import run_mlpipe, stage_seconds
from mlpipe_assets_tests.benchmarks.pipeline import drop_files, environment_of
from mlpipe_assets_tests.benchmarks.report import Line, Measured, median_ratio, spell_seconds
from mlpipe_assets_tests.benchmarks.timing import timed
from mlpipe_assets_tests.benchmarks.workload import Workload

_MOST_SECONDS = 3.0
_MOST_TIMES = 1.0  # times the profile and the merges alone: nothing of the history may be read again
_WATCHED = ("interim/orders", "features/customer_features")


def measure_loop(folder: Path, written: Path, workload: Workload, repeats: int) -> Measured:
    """Ninety days by `mlpipe run`, a prototype of them, then the day after by `daily_job`, as often as asked."""
    shutil.rmtree(folder, ignore_errors=True)
    days = workload.all_days[: workload.days]
    new_day = workload.all_days[workload.days]
    variables = {**environment_of(folder), "MLPIPE_CATALOG": ""}
    found: dict[str, Any] = {"start_up": [], "daily_job": []}
    try:
        drop_files(written, folder / "data", days)
        whole = run_mlpipe(variables)
        prototype = run_mlpipe(variables, "--sample", "0.01")
        found |= {"whole": whole.seconds, "stages": stage_seconds(whole.output), "prototype": prototype.seconds}
        drop_files(written, folder / "data", [new_day])
        kept = folder / "before"
        for number in range(repeats):
            print(f"loop: daily_job, repetition {number + 1} of {repeats}", flush=True)
            shutil.copytree(folder / "data", kept, copy_function=_keep)
            found["start_up"].append(
                _job("mlpipe_assets_tests.benchmarks.loop_jobs", "empty_job", None, variables).seconds
            )
            found["daily_job"].append(_job("mlpipe_assets.definitions", "daily_job", new_day, variables).seconds)
            if number < repeats - 1:  # the day is new again
                shutil.rmtree(folder / "data")
                kept.rename(folder / "data")
        found["daily_job_alone"] = [
            seconds - start
            for seconds, start in _daily_jobs_of_one_view(folder / "one-view", written, workload, repeats)
        ]
        asked = ("-m", "mlpipe_assets_tests.benchmarks.loop", f"{folder / 'data'}", f"{new_day}", f"{repeats}")
        found |= python(*asked, environment=variables).result
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Measured(lines=tuple(_lines(workload, found)), numbers={f"loop {workload.orders}": found})


def _daily_jobs_of_one_view(
    folder: Path, written: Path, workload: Workload, repeats: int
) -> Iterator[tuple[float, float]]:
    """Seconds of `daily_job` for the new day, and of a job that does nothing, with one view and one training set and no model."""
    days = workload.all_days[: workload.days]
    new_day = workload.all_days[workload.days]
    variables = environment_of(folder)
    drop_files(written, folder / "data", days)
    run_mlpipe(variables)
    drop_files(written, folder / "data", [new_day])
    for number in range(repeats):
        print(f"loop: daily_job of one view, repetition {number + 1} of {repeats}", flush=True)
        shutil.copytree(folder / "data", folder / "before", copy_function=_keep)
        start = _job("mlpipe_assets_tests.benchmarks.loop_jobs", "empty_job", None, variables).seconds
        yield _job("mlpipe_assets.definitions", "daily_job", new_day, variables).seconds, start
        shutil.rmtree(folder / "data")
        (folder / "before").rename(folder / "data")


def _keep(source: str, target: str) -> None:
    """Link a file, which a run replaces but never changes; logs and lineage are written in place, so they are copied."""
    if source.endswith(".log") or f"/{keys.META}/" in source:
        shutil.copy2(source, target)
    else:
        os.link(source, target)


def _job(module: str, name: str, day: date | None, variables: dict[str, str]) -> Finished:
    tags = ["--tags", json.dumps({"dagster/partition": f"{day}"})] if day else []
    dagster = f"{Path(sys.executable).parent / 'dagster'}"
    return measure([dagster, "job", "execute", "-m", module, "-j", name, *tags], variables)


def _lines(workload: Workload, found: dict[str, Any]) -> list[Line]:
    beyond = [job - start for job, start in zip(found["daily_job"], found["start_up"], strict=True)]
    spent, least = found["monitoring"], found["profile_and_merges"]
    ratio = median_ratio(spent, least)
    size = f"{workload.orders:,} orders, {workload.days} days"
    after = ", ".join(f"{table} {seconds:.1f} s" for table, seconds in found["stages"].items() if _is_loop(table))
    return [
        Line(name=f"the whole loop, {size}, whole process", ours=spell_seconds([found["whole"]])),
        Line(name=f"- of it after the training set: {after}", ours=""),
        Line(name="- a prototype of it, 1 % of the customers, whole process", ours=spell_seconds([found["prototype"]])),
        Line(
            name="- the day after by daily_job, files to monitoring, beyond the start-up of a job that does nothing",
            ours=spell_seconds(beyond),
            target=f"≤ {_MOST_SECONDS} s",
            met=statistics.median(beyond) <= _MOST_SECONDS,
        ),
        Line(
            name="- the same with one view and one training set, and no model",
            ours=spell_seconds(found["daily_job_alone"]),
        ),
        Line(name="- that start-up", ours=spell_seconds(found["start_up"])),
        Line(
            name="- monitoring of that day, both tables (yardstick: its profiles, and the merges of its windows)",
            ours=spell_seconds(spent),
            yardstick=spell_seconds(least),
            ratio=f"{ratio:.2f}",
            target=f"≤ {_MOST_TIMES}x",
            met=ratio <= _MOST_TIMES,
        ),
    ]


def _is_loop(table: str) -> bool:
    return table.startswith(("models", "validation", "predictions", "monitoring"))


def time_monitoring(data: Path, day: date, repeats: int) -> dict[str, list[float]]:
    """Seconds of `build_monitoring` for a day, and of no more than its profile and the merges of its windows."""
    from mlpipe_assets.catalog.contents import CATALOG
    from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
    from mlpipe_assets.monitoring.building import build_monitoring
    from mlpipe_assets.monitoring.monitored_table import MonitoredTable
    from mlpipe_assets.monitoring.table_days import windows_of
    from mlpipe_assets.store.lake import Lake

    lake, engine = Lake(data_dir=f"{data}"), DuckDBEngine()
    monitors = [monitor for monitor in CATALOG.monitors if monitor.table in _WATCHED]

    def whole() -> None:
        for monitor in monitors:
            _forget(lake, monitor.table, day)
            build_monitoring(lake, engine, CATALOG, monitor, [day])

    def least() -> None:
        for monitor in monitors:
            _forget(lake, monitor.table, day)
            store = MonitoredTable(lake=lake, catalog=CATALOG, monitor=monitor).store()
            if store is None:
                continue
            windows = windows_of(day, monitor.window)
            store.prepare([*windows.previous, *windows.current])
            store.window(windows.previous)
            store.window(windows.current)

    whole()  # once, so that neither pays for imports
    spent: dict[str, list[float]] = {"monitoring": [], "profile_and_merges": []}
    for _ in range(repeats):
        spent["profile_and_merges"].append(timed(least)[0])
        spent["monitoring"].append(timed(whole)[0])
    return spent


def _forget(lake: Any, table: str, day: date) -> None:
    name = table.replace("/", ".")
    (lake.root / "monitoring" / "profiles" / name / f"date={day}" / "profile.json").unlink(missing_ok=True)


if __name__ == "__main__":
    print(json.dumps(time_monitoring(Path(sys.argv[1]), date.fromisoformat(sys.argv[2]), int(sys.argv[3]))))
