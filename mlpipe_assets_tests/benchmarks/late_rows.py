"""What it costs to read the past as it was known: one view built twice over the same files, `as_known` beside `correct`.

Each build is a process of its own over a lake of its own, and takes seconds of processor, so other work on the machine
counts for little. What is built is the same apart from rows corrected since; the rows are counted and have to be as many.
"""

import json
import resource
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.feature_views import customer_features
from mlpipe_assets.catalog.sources import SOURCES
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.stages.interim.asset import build_interim
from mlpipe_assets.stages.interim.plan import interim_work
from mlpipe_assets.stages.raw.taking import ingest
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.benchmarks.agreement import DisagreementError
from mlpipe_assets_tests.benchmarks.child import python
from mlpipe_assets_tests.benchmarks.pipeline import drop_files, environment_of
from mlpipe_assets_tests.benchmarks.report import Line, Measured, beside_yardstick
from mlpipe_assets_tests.benchmarks.workload import Workload

_WAYS = ("as_known", "correct")
_MOST_TIMES = 1.5
_A_WEEK = 8  # days that corrections of a week touch, and the new one


def measure_late_rows(folder: Path, written: Path, workload: Workload, repeats: int) -> Measured:
    """All days, the last eight, and the last one; both ways by turns, after the day before where there is one."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        drop_files(written, folder / "data", workload.all_days)
        _child(folder, "prepare")
        ranges = [workload.all_days, workload.all_days[-_A_WEEK:], workload.all_days[-1:]]
        before = [[], *(workload.all_days[-len(days) - 1 : -len(days)] for days in ranges[1:])]
        found = [_turns(folder, *both, repeats) for both in zip(before, ranges, strict=True)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    lines: list[Line] = []
    for days, seconds in zip(ranges, found, strict=True):
        many = f"{len(days)} days" if len(days) > 1 else "one day"
        corrected = "as corrected since" if days is ranges[0] else "as corrected since, from totals of the day before"
        name = f"features of {many} as known, {workload.orders:,} orders, processor (yardstick: {corrected})"
        lines.append(beside_yardstick(name, seconds["as_known"], seconds["correct"], most_times=_MOST_TIMES))
    numbers = {f"late rows, {len(days)} days": one for days, one in zip(ranges, found, strict=True)}
    return Measured(lines=tuple(lines), numbers=numbers)


def _turns(folder: Path, before: Sequence[date], days: Sequence[date], repeats: int) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {late: [] for late in _WAYS}
    for number in range(1, repeats + 1):
        print(f"late rows, {len(days)} days: repetition {number} of {repeats}", flush=True)
        rows: set[int] = set()
        for late in _WAYS:
            copy = folder / late
            shutil.copytree(folder / "data", copy / "data")
            if before:
                _child(copy, "build", late, *map(str, before))
            built = _child(copy, "build", late, *map(str, days))
            shutil.rmtree(copy)
            seconds[late].append(built["seconds"])
            rows.add(built["rows"])
        if len(rows) > 1:
            raise DisagreementError(f"features of {days[0]} to {days[-1]} have {rows} rows, as known and corrected")
    return seconds


def _child(folder: Path, *arguments: str) -> dict[str, Any]:
    """This module as a process over the lake of a folder."""
    module = ("-m", "mlpipe_assets_tests.benchmarks.late_rows", f"{folder / 'data'}")
    found: dict[str, Any] = python(*module, *arguments, environment=environment_of(folder)).result
    return found


def prepare(lake: Lake) -> dict[str, Any]:
    """Take the files in and make them clean."""
    for source in SOURCES:
        with lake.writing("raw", source.name):
            ingest(lake, source, Ledger.load(lake, source.name))
        with lake.writing("interim", source.name):
            build_interim(lake, DuckDBEngine(), source, interim_work(lake, source, lambda _: True).days)
    return {}


def build(lake: Lake, late: str, days: Sequence[date]) -> dict[str, Any]:
    """Build days of the built-in view, in which late rows count in one way or the other."""
    view = replace(customer_features, late=late)  # type: ignore[arg-type]
    catalog = Catalog(sources=SOURCES, feature_views=(view,))
    began = _processor()
    with lake.writing("features", view.name):
        outcomes, proof = build_features(lake, DuckDBEngine(), catalog, view, days)
    seconds = _processor() - began
    if not proof.passed or any(outcome.refused for outcome in outcomes):
        raise DisagreementError(f"features {late} were refused: {proof.description}")
    return {"seconds": seconds, "rows": sum(outcome.counts["rows"] for outcome in outcomes)}


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """One step in a process of its own: DATA prepare, or DATA build LATE DAY DAY…; what came of it as JSON."""
    data, step, *rest = sys.argv[1:]
    lake = Lake(data_dir=data)
    found = prepare(lake) if step == "prepare" else build(lake, rest[0], [date.fromisoformat(day) for day in rest[1:]])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
