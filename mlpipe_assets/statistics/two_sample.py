"""Tests of two samples against each other. Both windows are samples: neither is taken as the truth.

The laws are scipy's, imported where a p-value is wanted: a quarter of a second that reading a report need not pay.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlpipe_assets.statistics.columns import Runs
from mlpipe_assets.statistics.distances import Vector, vectors

_EXACT_BELOW = 10_000.0


@dataclass(frozen=True, kw_only=True)
class Test:
    """Statistic and p-value of a test; NaN and 1 where a side has no values."""

    __test__ = False

    statistic: float
    p_value: float


def kolmogorov_smirnov(reference: Runs, current: Runs) -> Test:
    """Two-sample KS of values without NaN: the statistic is exact, ties included; the p-value asymptotic.

    Source: scipy.stats.ks_2samp(method="asymp"); see `ks_p_value` for where the p-value is approximated.
    """
    n, m = reference.rows, current.rows
    if not n or not m:
        return Test(statistic=float("nan"), p_value=1.0)
    values, gaps = _merge(reference, current)
    return _ks(values, gaps, n, m)


def kolmogorov_smirnov_and_wasserstein(reference: Runs, current: Runs) -> tuple[Test, float]:
    """Both from one merge of the values; Wasserstein of the finite ones."""
    n, m = reference.rows, current.rows
    if not n or not m:
        return Test(statistic=float("nan"), p_value=1.0), float("nan")
    values, gaps = _merge(reference, current)
    finite = bool(np.isfinite(values[[0, -1]]).all())
    moved = _area(values, gaps, n, m) if finite else wasserstein(reference.finite(), current.finite())
    return _ks(values, gaps, n, m), moved


def wasserstein(reference: Runs, current: Runs) -> float:
    """Area between the two empirical distribution functions, in the unit of the values; NaN for an empty side.

    Divide by `distances.spread` of the reference to compare columns. Source: scipy.stats.wasserstein_distance.
    """
    n, m = reference.rows, current.rows
    return _area(*_merge(reference, current), n, m) if n and m else float("nan")


def _merge(reference: Runs, current: Runs) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Values of both in order, and after each one n·m times the gap between the distribution functions."""
    n, m = reference.rows, current.rows
    values = np.concatenate([reference.values, current.values])
    order = np.argsort(values, kind="stable")  # two sorted runs: one merge
    values = values[order]
    if reference.repeats is None and current.repeats is None:
        gaps = np.where(order < n, m, -n)
    else:
        gaps = np.concatenate([reference.lengths() * m, current.lengths() * -n])[order]
    return values, np.cumsum(gaps, out=gaps)  # whole numbers, so exact


def _ks(values: NDArray[Any], gaps: NDArray[np.int64], n: int, m: int) -> Test:
    last = np.append(values[1:] != values[:-1], True)
    statistic = max(int(gaps.max(where=last, initial=0)), -int(gaps.min(where=last, initial=0))) / (n * m)
    return Test(statistic=statistic, p_value=ks_p_value(statistic, n, m))


def _area(values: NDArray[Any], gaps: NDArray[np.int64], n: int, m: int) -> float:
    areas = np.diff(values.astype(np.float64, copy=False))
    areas *= gaps[:-1]
    np.abs(areas, out=areas)
    return float(areas.sum() / (n * m))


def ks_p_value(statistic: float, n: int, m: int, *, exact_below: float = _EXACT_BELOW) -> float:
    """Chance of a larger KS statistic between two samples of n and m values of one continuous distribution.

    Below `exact_below` effective values n·m/(n+m) the finite law, as scipy takes it; from there the limit law with Stephens'
    correction, which differs by less than 1e-3 and takes microseconds, where the finite law takes 0.2 s for a tiny p.
    """
    if not n or not m or math.isnan(statistic):
        return 1.0
    effective = n * m / (n + m)
    if effective < exact_below:
        from scipy.stats import kstwo  # noqa: PLC0415 - a second to import, and rarely needed

        return float(np.clip(kstwo.sf(statistic, max(1, round(effective))), 0.0, 1.0))
    from scipy.special import kolmogorov  # noqa: PLC0415 - see the top of the module

    root = math.sqrt(effective)
    return float(kolmogorov(statistic * (root + 0.12 + 0.11 / root)))


def chi_squared(reference: ArrayLike, current: ArrayLike, *, least_expected: float = 0.0) -> Test:
    """Chi-squared test of homogeneity on the counts of two samples over the same categories.

    Categories of which the smaller sample is expected to hold fewer than `least_expected` are added up into one; 5 is
    Cochran's rule, 0 pools nothing. Categories absent from both sides do not count.

    Source: scipy.stats.chi2_contingency(correction=False).
    """
    p, q = vectors(reference, current)
    n, m = float(p.sum()), float(q.sum())
    if not n or not m:
        return Test(statistic=float("nan"), p_value=1.0)
    p, q = pool_sparse(p, q, least_expected)
    both = p + q
    expected_p, expected_q = both * (n / (n + m)), both * (m / (n + m))
    statistic = float(np.sum((p - expected_p) ** 2 / expected_p) + np.sum((q - expected_q) ** 2 / expected_q))
    return Test(statistic=statistic, p_value=_chi_squared_tail(statistic, len(both) - 1))


def _chi_squared_tail(statistic: float, freedom: int) -> float:
    from scipy.special import chdtrc  # noqa: PLC0415 - see the top of the module

    return float(chdtrc(freedom, statistic)) if freedom > 0 else 1.0


def pool_sparse(p: Vector, q: Vector, least_expected: float) -> tuple[Vector, Vector]:
    """Both counts with the sparse categories added up at the end, and the ones absent from both left out."""
    both = p + q
    expected = both * (min(p.sum(), q.sum()) / both.sum())
    sparse = (expected < least_expected) & (both > 0)
    kept = (both > 0) & ~sparse
    if not sparse.any():
        return p[kept], q[kept]
    return np.append(p[kept], p[sparse].sum()), np.append(q[kept], q[sparse].sum())


def correct_for_columns(p_values: list[float]) -> list[float]:
    """Benjamini-Hochberg: of the columns whose corrected value is at most q, a share q is expected to be false.

    Source: Benjamini and Hochberg (1995); scipy.stats.false_discovery_control(method="bh").
    """
    if not p_values:
        return []
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    ranked = values[order] * len(values) / np.arange(1, len(values) + 1)
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(1.0, np.minimum.accumulate(ranked[::-1])[::-1])
    return [float(value) for value in corrected]
