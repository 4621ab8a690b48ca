"""Profile of both windows of a table and every drift measure between them, beside the same statistics written bare.

`python -m mlpipe_assets_tests.benchmarks.drift_table time FOLDER REPEATS` takes turns on FOLDER/{reference,current}.parquet,
holds the two to the same numbers, and prints seconds as JSON; `… memory FOLDER` prints bytes; `… write FOLDER ROWS` writes.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import psutil

from mlpipe_assets.statistics.exact import Comparison, compare_frames
from mlpipe_assets_tests.benchmarks.alike_days import numbered_texts, texts
from mlpipe_assets_tests.benchmarks.bare_drift import bare_drift
from mlpipe_assets_tests.benchmarks.child import python
from mlpipe_assets_tests.benchmarks.report import Line, Measured, beside_yardstick, spell_bytes
from mlpipe_assets_tests.benchmarks.timing import timed

SHIFTED = {"f_norm_shift", "f_null30", "f_scale", "i_pois", "c_8_shift", "b_flag"}

_SIGNIFICANT = 0.01
_MOST_TIMES, _MOST_TABLES = 3.0, 2.0


def measure_drift_table(folder: Path, rows: int, repeats: int) -> Measured:
    """Ours and the yardstick in turn, each in memory and in a process apart from this one."""
    if not (folder / "current.parquet").exists():
        python("-m", __spec__.name, "write", f"{folder}", f"{rows}")
    found = python("-m", __spec__.name, "time", f"{folder}", f"{repeats}").result
    found |= python("-m", __spec__.name, "memory", f"{folder}").result
    tables = found["peak_bytes"] / found["table_bytes"]
    right = set(found["named"]) == SHIFTED
    lines = (
        beside_yardstick(
            f"drift of {rows:,} rows x 20 columns: both profiles and every measure",
            found["ours"],
            found["yardstick"],
            most_times=_MOST_TIMES,
        ),
        Line(
            name="- its peak of memory, the table included",
            ours=spell_bytes(found["peak_bytes"]),
            yardstick=spell_bytes(found["table_bytes"]),
            ratio=f"{tables:.2f}",
            target=f"≤ {_MOST_TABLES}x the table",
            met=tables <= _MOST_TABLES,
        ),
        Line(
            name="- columns its tests name, corrected for 20 columns: of 6 that shifted and of 14 that did not",
            ours=f"{len(SHIFTED & set(found['named']))} and {len(set(found['named']) - SHIFTED)}",
            target="6 and 0",
            met=right,
        ),
    )
    return Measured(lines=lines, numbers={"drift_table": found})


def write_windows(folder: Path, rows: int, seed: int = 7) -> None:
    """Two windows of half the rows each: 20 mixed columns, of which the 6 of SHIFTED differ a little."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng([seed, 3, rows])
    for name, shift in (("reference", 0.0), ("current", 0.05)):
        make_window(draw, rows // 2, shift).write_parquet(folder / f"{name}.parquet")


def make_window(draw: np.random.Generator, n: int, shift: float) -> pl.DataFrame:
    """One window; `shift` moves mean, spread and shares of the columns of SHIFTED."""
    zipf = 1 / np.arange(1, 1001)
    eight = np.array([0.3, 0.2, 0.15, 0.1, 0.1, 0.05, 0.05, 0.05])
    eight[:2] += np.array([-0.4, 0.4]) * shift

    def with_nulls(values: Any, share: float) -> pl.Series:
        return pl.Series(values).set(pl.Series(draw.random(n) < share), None)

    def category(size: int, shares: Any = None) -> pl.Series:
        return texts(draw, n, numbered_texts(size), shares)

    return pl.DataFrame(
        {
            "f_norm": draw.normal(0, 1, n),
            "f_norm_shift": draw.normal(shift, 1, n),
            "f_lognorm": draw.lognormal(3, 1, n),
            "f_unif": draw.random(n),
            "f_heavy": draw.standard_t(2, n),
            "f_null2": with_nulls(draw.normal(5, 2, n), 0.02),
            "f_null30": with_nulls(draw.gamma(2, 2 + shift, n), 0.30),
            "f_zero": np.where(draw.random(n) < 0.6, 0.0, draw.exponential(10, n)),
            "f_scale": draw.normal(0, 1 + shift, n),
            "f_round": np.round(draw.lognormal(3.5, 0.8, n), 2),
            "i_small": draw.integers(0, 10, n),
            "i_age": draw.integers(18, 91, n),
            "i_pois": draw.poisson(4 + shift, n),
            "i_big": draw.integers(0, 1_000_000, n),
            "c_4": category(4, [0.5, 0.3, 0.15, 0.05]),
            "c_8_shift": category(8, eight),
            "c_50": category(50),
            "c_1000": category(1000, zipf / zipf.sum()),
            "c_null": with_nulls(category(5), 0.05),
            "b_flag": draw.random(n) < 0.3 + shift / 5,
        }
    )


def named(comparison: Comparison) -> list[str]:
    """Columns whose corrected p-value is below one in a hundred."""
    return [m.column for m in comparison.measurements if m.q_value is not None and m.q_value < _SIGNIFICANT]


def disagreements(comparison: Comparison, bare: dict[str, dict[str, Any]]) -> list[str]:
    """Where profile or measures differ from the bare statistics: the two must have done the same work."""
    measured = {(m.column, m.method): m.value for m in comparison.measurements}
    wrong = []
    for name, sides in bare.items():
        statistic = measured.get((name, "kolmogorov_smirnov"))
        if statistic is not None and abs(statistic - sides["drift"]["ks"]) > 1e-12:
            wrong.append(f"{name}: KS {statistic}, bare {sides['drift']['ks']}")
        profiles = (comparison.reference, comparison.current)
        for profile, expected in zip(profiles, (sides["reference"], sides["current"]), strict=True):
            column = profile.columns[name]
            if (column.rows, column.nulls) != (expected["count"], expected["nulls"]):
                wrong.append(f"{name}: {column.rows} rows and {column.nulls} nulls, bare {expected}")
            if "mean" in expected and not np.allclose(
                [column.mean, column.deviation, column.minimum or 0, column.maximum or 0, column.zeros],
                [expected[key] for key in ("mean", "std", "min", "max", "zeros")],
                rtol=1e-9,
                atol=1e-12,
            ):
                wrong.append(f"{name}: mean {column.mean}, bare {expected['mean']}")
    return wrong


def _time(folder: Path, repeats: int) -> dict[str, Any]:
    reference, current = _read(folder)
    ours: list[float] = []
    yardstick: list[float] = []
    for _ in range(repeats + 1):
        seconds, comparison = timed(lambda: compare_frames(reference, current))
        ours.append(seconds)
        seconds, bare = timed(lambda: bare_drift(reference, current))
        yardstick.append(seconds)
        if wrong := disagreements(comparison, bare):
            raise SystemExit(f"ours and the yardstick disagree: {wrong[:3]}")
    return {"ours": ours[1:], "yardstick": yardstick[1:], "named": named(comparison)}


def _memory(folder: Path) -> dict[str, int]:
    """The table, and by how much the process grew beyond holding it.

    What reading the file leaves behind in the allocator counts as growth only where it is more than comparing takes.
    """
    small = make_window(np.random.default_rng(7), 100, 0.0)
    compare_frames(small, small)
    reference, current = _read(folder)
    table = int(reference.estimated_size() + current.estimated_size())
    before = psutil.Process().memory_info().rss
    compare_frames(reference, current)
    return {"peak_bytes": table + _peak_bytes() - before, "table_bytes": table}


def _peak_bytes() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _read(folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    return pl.read_parquet(folder / "reference.parquet"), pl.read_parquet(folder / "current.parquet")


def main(arguments: Sequence[str]) -> None:
    """Do one of the three parts, and print what came of it."""
    part, folder = arguments[0], Path(arguments[1])
    match part:
        case "write":
            write_windows(folder, int(arguments[2]))
        case "time":
            print(json.dumps(_time(folder, int(arguments[2]))))
        case _:
            print(json.dumps(_memory(folder)))


if __name__ == "__main__":
    main(sys.argv[1:])
