"""The yardstick of drift: statistics of two windows and a test of each column, bare, on all rows by two threads.

Of each window and column: count, nulls, zeros, mean, standard deviation, extremes, quartiles, exact distinct values and ten
bins of equal width; of categories the ten most frequent. Between them KS, Jensen-Shannon (30 bins) and PSI (10 quantile
bins); of categories chi-squared, Jensen-Shannon, PSI and L-infinity. Nothing merges, nothing is frozen, nothing is judged.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import polars as pl
from scipy.special import chdtrc, kolmogorov
from scipy.stats import kstwo

_EXACT_BELOW = 10_000
_FEW_VALUES = 1 << 16


def bare_drift(reference: pl.DataFrame, current: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Statistics of each column of both windows, and the drift between them."""
    with ThreadPoolExecutor(2) as threads:
        work = {
            name: threads.submit(_number if dtype.is_numeric() else _category, reference[name], current[name])
            for name, dtype in reference.schema.items()
        }
        return {name: future.result() for name, future in work.items()}


def _number(reference: pl.Series, current: pl.Series) -> dict[str, Any]:
    found: dict[str, Any] = {}
    ordered = []
    for side, series in (("reference", reference), ("current", current)):
        x = np.sort(series.drop_nulls().to_numpy())
        ordered.append(x)
        low, high = float(x[0]), float(x[-1])
        inner = np.searchsorted(x, np.linspace(low, high, 11)[1:-1])
        found[side] = {
            "count": len(series),
            "nulls": series.null_count(),
            "zeros": int(np.searchsorted(x, 0, "right") - np.searchsorted(x, 0, "left")),
            "mean": float(x.mean()),
            "std": float(x.std(ddof=1)),
            "min": low,
            "max": high,
            "distinct": 1 + int(np.count_nonzero(x[1:] != x[:-1])),
            "quartiles": [float(x[int(share * (len(x) - 1))]) for share in (0.25, 0.5, 0.75)],
            "histogram": np.diff(inner, prepend=0, append=len(x)).tolist(),
        }
    p, q = ordered
    statistic = _ks_of_few(p, q) if p.dtype.kind == "i" and p[-1] - p[0] < _FEW_VALUES else _ks(p, q)
    wide = np.linspace(min(p[0], q[0]), max(p[-1], q[-1]), 31)[1:-1]
    equal = np.unique(p[(np.arange(1, 10) * len(p)) // 10])
    found["drift"] = {
        "ks": statistic,
        "ks_p": _ks_p(statistic, len(p), len(q)),
        "js": _jensen_shannon(_shares(p, wide), _shares(q, wide)),
        "psi": _stability(_shares(p, equal), _shares(q, equal)),
    }
    return found


def _category(reference: pl.Series, current: pl.Series) -> dict[str, Any]:
    found: dict[str, Any] = {}
    counted = []
    for side, series in (("reference", reference), ("current", current)):
        counts = series.alias("name").drop_nulls().cast(pl.String).value_counts(sort=True, name="rows")
        counted.append(counts)
        found[side] = {
            "count": len(series),
            "nulls": series.null_count(),
            "distinct": len(counts),
            "top": counts.head(10).rows(),
        }
    both = counted[0].join(counted[1], on="name", how="full", coalesce=True).fill_null(0)
    a, b = both["rows"].to_numpy().astype(float), both["rows_right"].to_numpy().astype(float)
    p, q, middle = a / a.sum(), b / b.sum(), (a + b) / (a.sum() + b.sum())
    expected_a, expected_b = middle * a.sum(), middle * b.sum()
    statistic = float(((a - expected_a) ** 2 / expected_a + (b - expected_b) ** 2 / expected_b).sum())
    found["drift"] = {
        "chi_squared": statistic,
        "chi_squared_p": float(chdtrc(len(a) - 1, statistic)),
        "js": _jensen_shannon(p, q),
        "psi": _stability(p, q),
        "l_infinity": float(np.abs(p - q).max()),
    }
    return found


def _ks(p: Any, q: Any) -> float:
    n, m = len(p), len(q)
    values = np.concatenate([p, q])
    order = np.argsort(values, kind="stable")
    gaps = np.cumsum(np.where(order < n, m, -n))
    values = values[order]
    last = np.empty(len(values), bool)
    last[-1:] = True
    np.not_equal(values[1:], values[:-1], out=last[:-1])
    return float(np.abs(gaps[last]).max()) / (n * m)


def _ks_of_few(p: Any, q: Any) -> float:
    every = np.arange(min(p[0], q[0]), max(p[-1], q[-1]) + 2)
    a, b = (np.diff(np.searchsorted(x, every)) for x in (p, q))
    return float(np.abs(np.cumsum(a) * len(q) - np.cumsum(b) * len(p)).max()) / (len(p) * len(q))


def _ks_p(statistic: float, n: int, m: int) -> float:
    effective = n * m / (n + m)
    if effective < _EXACT_BELOW:
        return float(kstwo.sf(statistic, round(effective)))
    root = math.sqrt(effective)
    return float(kolmogorov(statistic * (root + 0.12 + 0.11 / root)))


def _shares(x: Any, edges: Any) -> Any:
    return np.diff(np.searchsorted(x, edges), prepend=0, append=len(x)) / len(x)


def _jensen_shannon(p: Any, q: Any) -> float:
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        sums = [np.where(side > 0, side * np.log2(side / middle), 0).sum() for side in (p, q)]
    return float(np.sqrt(max(0.0, sum(sums) / 2)))


def _stability(p: Any, q: Any) -> float:
    p, q = np.maximum(p, 1e-4), np.maximum(q, 1e-4)
    return float(((p - q) * np.log(p / q)).sum())
