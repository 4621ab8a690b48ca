"""Importing the project, from bytecode: what every command, worker and reload pays before anything else."""

from mlpipe_assets_tests.benchmarks.child import python
from mlpipe_assets_tests.benchmarks.report import Line, Measured, spell_seconds

_TIMES = 5
_MOST_SECONDS = 2.5


def measure_import() -> Measured:
    """Seconds to import mlpipe_assets.definitions in a new process; the yardstick is Dagster alone."""
    ours, dagster = [], []
    _import("mlpipe_assets.definitions")  # writes the bytecode
    for _ in range(_TIMES):
        ours.append(_import("mlpipe_assets.definitions"))
        dagster.append(_import("dagster"))
    seconds = sorted(ours)[_TIMES // 2]
    line = Line(
        name="import mlpipe_assets.definitions (yardstick: import dagster)",
        ours=spell_seconds(ours),
        yardstick=spell_seconds(dagster),
        ratio=f"{seconds / sorted(dagster)[_TIMES // 2]:.2f}",
        target=f"≤ {_MOST_SECONDS} s",
        met=seconds <= _MOST_SECONDS,
    )
    return Measured(lines=(line,), numbers={"import": {"ours": ours, "dagster": dagster}})


def _import(module: str) -> float:
    code = f"import time; began = time.perf_counter(); import {module}; print(time.perf_counter() - began)"
    return float(python("-c", code).result)
