"""Shifts put into a week on purpose, and how often the verdicts see them."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from mlpipe_assets.statistics.bins import freeze_bins
from mlpipe_assets.statistics.columns import kinds_of
from mlpipe_assets.statistics.profiles import profile_frame
from mlpipe_assets.statistics.verdicts import compare, worst
from mlpipe_assets_tests.benchmarks.alike_days import BASELINE, WINDOW, texts, with_nulls

ROWS_A_DAY = (50, 1000, 5000)

_THRESHOLDS = {"number": 0.1, "amount": 0.1, "sparse": 0.1, "category": 0.05}
_SHARES = np.array([0.5, 0.3, 0.15, 0.05])
_NAMES = pl.Series(["web", "app", "store", "partner", "kiosk"])
_EVIDENT = 1e-4  # as one of 100 columns: 0.01 after any correction

Shift = tuple[str, str, Callable[[np.random.Generator, int], Any]]


def shifts() -> list[Shift]:
    """Name, column and shifted values of each: what the column has moved to in the current week."""
    return [
        ("nothing", "number", lambda draw, n: draw.normal(0, 1, n)),
        *[(f"mean +{by} sd", "number", _moved(by)) for by in (0.1, 0.25, 0.5)],
        *[(f"share +{by} pt", "category", _share(by / 100)) for by in (5, 10, 20)],
        ("new kind 5 %", "category", _new_category),
        *[(f"nulls +{by} pt", "sparse", _sparser(by / 100)) for by in (5, 10, 20)],
        ("unit x1000", "amount", lambda draw, n: draw.lognormal(3, 1, n) * 1000),
    ]


def detect(repeats: int, seed: int = 7) -> list[dict[str, Any]]:
    """Of each shift and number of rows a day: how often `drift`, at least `possible`, and an evident p-value."""
    found = []
    for rows in ROWS_A_DAY:
        seen: dict[str, Counter[str]] = {name: Counter() for name, _, _ in shifts()}
        for turn in range(repeats):
            draw = np.random.default_rng([seed, rows, turn])
            reference = _reference(draw, BASELINE * rows)
            bins = freeze_bins(reference, kinds_of(reference.schema))
            before = profile_frame(reference, bins)
            for name, column, shifted in shifts():
                week = pl.DataFrame({column: shifted(draw, WINDOW * rows)})
                own = {column: bins[column]}
                then = type(before)(rows=before.rows, bins=own, columns={column: before.columns[column]})
                measured = compare(then, profile_frame(week, own), {column: _THRESHOLDS[column]})
                verdict = worst(measured)[column]
                seen[name]["drift"] += verdict == "drift"
                seen[name]["possible"] += verdict != "none"
                seen[name]["evidence"] += any(m.p_value is not None and m.p_value < _EVIDENT for m in measured)
        found += [
            {
                "shift": name,
                "rows_a_day": rows,
                **{level: counts[level] / repeats for level in ("drift", "possible", "evidence")},
            }
            for name, counts in seen.items()
        ]
    return found


def _reference(draw: np.random.Generator, n: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "number": draw.normal(0, 1, n),
            "amount": draw.lognormal(3, 1, n),
            "sparse": with_nulls(draw, draw.normal(0, 1, n), 0.02),
            "category": texts(draw, n, _NAMES, _SHARES),
        }
    )


def _moved(by: float) -> Callable[[np.random.Generator, int], Any]:
    return lambda draw, n: draw.normal(by, 1, n)


def _sparser(by: float) -> Callable[[np.random.Generator, int], Any]:
    return lambda draw, n: with_nulls(draw, draw.normal(0, 1, n), 0.02 + by)


def _share(by: float) -> Callable[[np.random.Generator, int], Any]:
    return lambda draw, n: texts(draw, n, _NAMES, _SHARES + np.array([-by, by, 0, 0]))


def _new_category(draw: np.random.Generator, n: int) -> pl.Series:
    return texts(draw, n, _NAMES, np.append(_SHARES * 0.95, 0.05))
