"""How far two samples of one distribution lie apart by chance, given their sizes: the floor under every verdict.

For two samples of n and m rows over k bins with shares π, the differences of shares have the covariance
(1/n + 1/m)(diag π - ππᵀ), so that sum((p - q)² / π) is (1/n + 1/m) times a chi-squared variable with k - 1 degrees of freedom;
and the Jensen-Shannon divergence in bits is that sum over 8 ln 2, to second order. Both hold where every bin expects a few
rows on either side, which is why sparse bins are pooled first.
"""

import math

import numpy as np

from mlpipe_assets.statistics.distances import Vector, jensen_shannon_divergence
from mlpipe_assets.statistics.laws import chi_squared_quantile

_CHANCE = 1e-4
_NORMAL_QUANTILE = 3.8906  # two-sided, of the same chance
_LEAST_EXPECTED = 5.0
_MOST_GROUPS = 16
_LEAST_SHARE = 0.005


def pool_ordered(p: Vector, q: Vector, missing: int) -> tuple[Vector, Vector]:
    """Neighbouring bins added up to at most 16 of about equal mass of both sides, each of which expects 5 rows a side.

    The sum of both sides decides, never one of them: under one distribution it says nothing about their difference. The last
    `missing` bins (nulls, NaN) have no neighbours: each stays alone where it expects 5 rows a side, else the last group
    takes it.
    """
    both = p + q
    total = float(both.sum())
    if not total:
        return p[:0], q[:0]
    sparse = _LEAST_EXPECTED * total / max(min(p.sum(), q.sum()), 1.0)
    enough = max(total / _MOST_GROUPS, sparse)
    groups = np.zeros(len(both), dtype=np.int64)
    group, held, ordered = 0, 0.0, len(both) - missing
    left = float(both[:ordered].sum())
    for index, rows in enumerate(both[:ordered].tolist()):
        groups[index] = group
        held += rows
        left -= rows
        if held >= enough and left >= enough:
            group, held = group + 1, 0.0
    for index in range(ordered, len(both)):
        groups[index] = groups.max() + 1 if both[index] >= sparse else group
    size = int(groups.max()) + 1
    grouped: list[Vector] = [np.zeros(size), np.zeros(size)]
    for sums, side in zip(grouped, (p, q), strict=True):
        np.add.at(sums, groups, side)
    return grouped[0], grouped[1]


def pool_rare(p: Vector, q: Vector) -> tuple[Vector, Vector]:
    """Categories that hold half a percent of both sides and expect 5 rows a side, and the sum of all others at the end."""
    both = p + q
    total = float(both.sum())
    if not total:
        return p[:0], q[:0]
    enough = max(_LEAST_SHARE * total, _LEAST_EXPECTED * total / max(min(p.sum(), q.sum()), 1.0))
    kept = both >= enough
    return np.append(p[kept], p[~kept].sum()), np.append(q[kept], q[~kept].sum())


def distance_above_noise(p: Vector, q: Vector) -> tuple[float, float]:
    """Jensen-Shannon distance without what sampling adds to it on average, and the floor that chance passes once in 10,000.

    Without the correction the distance of two samples of one distribution grows with the number of bins and shrinks with that
    of rows: a thousand rows against ten score 0.6 over a dozen bins.
    """
    n, m = float(p.sum()), float(q.sum())
    held = (p + q) > 0
    freedom = int(np.count_nonzero(held)) - 1
    if not n or not m:
        return math.nan, math.nan
    if freedom < 1:
        return 0.0, 0.0
    unit = (1 / n + 1 / m) / (8 * math.log(2))
    divergence = jensen_shannon_divergence(p[held], q[held])
    return math.sqrt(max(0.0, divergence - freedom * unit)), math.sqrt(
        (chi_squared_quantile(_CHANCE, freedom) - freedom) * unit
    )


def share_floor(rows_p: float, n: int, rows_q: float, m: int) -> float:
    """Difference of two shares that chance passes once in 10,000; one more row on each side keeps it off zero."""
    if not n or not m:
        return math.nan
    pooled = (rows_p + rows_q + 1) / (n + m + 2)
    return _NORMAL_QUANTILE * math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
