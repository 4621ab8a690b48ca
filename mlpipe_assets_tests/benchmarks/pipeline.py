"""The whole pipeline, raw files to training set, by the real command line, beside the yardstick on the same files.

Every repetition takes a fresh data folder and a fresh DAGSTER_HOME, and goes: yardstick, 90 days by `mlpipe run`, then
the file of day 91 by `mlpipe run`, then `mlpipe run` with nothing new. The outputs of the 90 days are held to the
yardstick's, so that a run that is fast because it is wrong fails the benchmark.

*Start-up* is reported apart: the seconds of a process that does all that Dagster needs before a first row can be read,
and nothing else (imports, definitions, an instance, one run of a job that does nothing). It is measured in a fresh
DAGSTER_HOME, where SQLite files are made, and again in a used one, where they are there.
"""

import json
import os
import shutil
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from mlpipe_assets.catalog.models import repeat_purchase
from mlpipe_assets.transforms.splits import spine_days, split_days
from mlpipe_assets_tests.benchmarks.agreement import DisagreementError, hold_to_yardstick, read_truth
from mlpipe_assets_tests.benchmarks.child import python
from mlpipe_assets_tests.benchmarks.mlpipe_run import run_mlpipe, stage_seconds
from mlpipe_assets_tests.benchmarks.report import Line, Measured, spell_bytes, spell_seconds
from mlpipe_assets_tests.benchmarks.workload import FIRST_DAY, Workload
from mlpipe_assets_tests.dagster_homes import project_home

_MOST_TIMES = 2.0
_MOST_GROWTH = 5.5
_MOST_BYTES = 2.5e9
_MOST_OF_A_NEW_DAY = 0.10

_START_UP = """
import dagster as dg
from mlpipe_assets.commands.run import load_dagster

@dg.op
def nothing() -> None:
    pass

@dg.job
def empty() -> None:
    nothing()

definitions, instance = load_dagster()
definitions.resolve_job_def("ingest_job")
silent = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
empty.execute_in_process(instance=instance, run_config=silent)
"""


@dataclass(frozen=True, kw_only=True)
class Repetition:
    """One repetition. Seconds are wall seconds of whole processes, the yardstick's apart, which times itself."""

    yardstick: float
    yardstick_peak: int
    yardstick_steps: Mapping[str, float]
    start_up: float
    start_up_again: float
    run: float
    run_peak: int
    run_stages: Mapping[str, float]
    new_day: float
    new_day_peak: int
    new_day_stages: Mapping[str, float]
    nothing_new: float

    @property
    def work(self) -> float:
        """Seconds of the 90 days beyond start-up."""
        return self.run - self.start_up

    @property
    def new_day_work(self) -> float:
        """Seconds of the new day beyond start-up."""
        return self.new_day - self.start_up_again


def measure_pipeline(folder: Path, sizes: Sequence[tuple[Workload, Path]], repeats: int) -> Measured:
    """Every size in turn, all repetitions; `sizes` are workloads with the folder they were written to."""
    lines: list[Line] = []
    numbers: dict[str, Any] = {}
    work: list[float] = []
    for workload, written in sizes:
        found = []
        for number in range(1, repeats + 1):
            print(f"pipeline, {workload.orders:,} orders: repetition {number} of {repeats}", flush=True)
            found.append(repeat(folder / "run", written, workload))
        numbers[f"pipeline {workload.orders}"] = [asdict(one) for one in found]
        work.append(statistics.median(one.work for one in found))
        largest = workload is sizes[-1][0]
        lines += _lines(workload, found, promised=largest)
    if len(sizes) > 1:
        lines.append(_growth([workload for workload, _ in sizes], work, numbers))
    return Measured(lines=tuple(lines), numbers=numbers)


def repeat(folder: Path, written: Path, workload: Workload) -> Repetition:
    """Yardstick, 90 days, one more day, nothing new; all in `folder`, which is empty again afterwards.

    Raises: DisagreementError when outputs differ; ChildError when a command fails.
    """
    shutil.rmtree(folder, ignore_errors=True)
    try:
        days = workload.all_days[: workload.days]
        new_days = workload.all_days[workload.days :]
        drop_files(written, folder / "bare", days)
        drop_files(written, folder / "data", days)
        bare = run_yardstick(folder / "bare" / "raw", folder / "yardstick", days[-1])
        start_up, again = run_start_up(folder / "scratch"), run_start_up(folder / "scratch")
        variables = environment_of(folder)
        run = run_mlpipe(variables)
        hold_to_yardstick(folder / "data", folder / "yardstick", read_truth(written), days)
        drop_files(written, folder / "data", new_days)
        new_day = run_mlpipe(variables)
        nothing = run_mlpipe(variables)
        if worked := stage_seconds(nothing.output):
            raise DisagreementError(f"a run with nothing new did work: {worked}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Repetition(
        yardstick=bare["seconds"],
        yardstick_peak=bare["peak_bytes"],
        yardstick_steps=bare["steps"],
        start_up=start_up,
        start_up_again=again,
        run=run.seconds,
        run_peak=run.peak_bytes,
        run_stages=stage_seconds(run.output),
        new_day=new_day.seconds,
        new_day_peak=new_day.peak_bytes,
        new_day_stages=stage_seconds(new_day.output),
        nothing_new=nothing.seconds,
    )


def drop_files(written: Path, data: Path, days: Sequence[date]) -> None:
    """Put files into a drop zone, as links: the pipeline never writes to them."""
    for name in ("orders", "customers"):
        (data / "raw" / name).mkdir(parents=True, exist_ok=True)
    for day in days:
        name = f"orders_{day}.csv"
        os.link(written / "raw" / "orders" / name, data / "raw" / "orders" / name)
    customers = data / "raw" / "customers" / "customers.csv"
    if not customers.exists():
        os.link(written / "raw" / "customers" / "customers.csv", customers)


def run_yardstick(raw: Path, out: Path, as_of: date) -> dict[str, Any]:
    """The bare script, asked for the split days that the model's declaration gives: its seconds, by step, and peak memory."""
    model = repeat_purchase
    spine = spine_days(FIRST_DAY, as_of, every=model.every, horizon=model.horizon)
    splits = split_days(spine, model.split, every=model.every, embargo=model.embargo)
    asked = json.dumps(splits, default=str)
    done = python("-m", "mlpipe_assets_tests.benchmarks.yardstick", f"{raw}", f"{out}", asked)
    return {"peak_bytes": done.peak_bytes, **done.result}


def run_start_up(folder: Path) -> float:
    """Seconds of a process that only starts up."""
    return python("-c", _START_UP, environment=environment_of(folder)).seconds


def environment_of(folder: Path) -> dict[str, str]:
    """A data folder and a DAGSTER_HOME below `folder`, the catalog up to the training set, every other setting at its default."""
    return {
        "DAGSTER_HOME": f"{project_home(folder)}",
        "MLPIPE_DATA_DIR": f"{folder / 'data'}",
        "MLPIPE_START_DATE": f"{FIRST_DAY}",
        "MLPIPE_CATALOG": "mlpipe_assets_tests.benchmarks.spine:CATALOG",
        "MLPIPE_MEMORY_LIMIT": "",
        "MLPIPE_POSTGRES_URL": "",
        "MLPIPE_ALERT_URLS": "",
    }


def _lines(workload: Workload, found: Sequence[Repetition], *, promised: bool) -> list[Line]:
    size = f"{workload.orders:,} orders, {workload.days} days"
    ratio = statistics.median(one.work / one.yardstick for one in found)
    peak = max(one.run_peak for one in found)
    bare_peak = max(one.yardstick_peak for one in found)
    slowest = sorted(_medians(found, "run_stages").items(), key=lambda item: -item[1])
    lines = [
        Line(
            name=f"raw → training set, {size}, start-up apart",
            ours=spell_seconds([one.work for one in found]),
            yardstick=spell_seconds([one.yardstick for one in found]),
            ratio=f"{ratio:.2f}",
            target=f"≤ {_MOST_TIMES}x yardstick" if promised else "",
            met=ratio <= _MOST_TIMES if promised else None,
        ),
        Line(name=f"- its stages: {', '.join(f'{table} {seconds:.1f} s' for table, seconds in slowest)}", ours=""),
        Line(
            name="- its start-up, new DAGSTER_HOME; used one",
            ours=", ".join(
                spell_seconds([getattr(one, name) for one in found]) for name in ("start_up", "start_up_again")
            ),
        ),
        Line(
            name="- its peak of memory",
            ours=spell_bytes(peak),
            yardstick=spell_bytes(bare_peak),
            ratio=f"{peak / bare_peak:.2f}",
            target=f"≤ {_MOST_BYTES / 1e9} GB" if promised else "",
            met=peak <= _MOST_BYTES if promised else None,
        ),
    ]
    if workload.more_days:
        share = statistics.median(one.new_day_work / one.work for one in found)
        lines.append(
            Line(
                name="- one new day after it, corrections of the 7 days before among it, start-up apart",
                ours=spell_seconds([one.new_day_work for one in found]),
                ratio=f"{share:.1%} of the {workload.days} days",
                target=f"≤ {_MOST_OF_A_NEW_DAY:.0%}",
                met=share <= _MOST_OF_A_NEW_DAY,
            )
        )
    lines.append(
        Line(name="- a run with nothing new, whole process", ours=spell_seconds([one.nothing_new for one in found]))
    )
    return lines


def _growth(workloads: Sequence[Workload], work: Sequence[float], numbers: Mapping[str, Any]) -> Line:
    small, large = workloads[0].orders, workloads[-1].orders
    bare = [statistics.median(one["yardstick"] for one in numbers[f"pipeline {size}"]) for size in (small, large)]
    growth = work[-1] / work[0]
    return Line(
        name=f"growth of the time from {small:,} to {large:,} orders",
        ours=f"{growth:.2f}x",
        yardstick=f"{bare[-1] / bare[0]:.2f}x",
        target=f"≤ {_MOST_GROWTH}x",
        met=growth <= _MOST_GROWTH,
    )


def _medians(found: Sequence[Repetition], name: str) -> dict[str, float]:
    return {
        table: statistics.median(getattr(one, name).get(table, 0.0) for one in found)
        for table in getattr(found[0], name)
    }
