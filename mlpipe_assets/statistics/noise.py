"""How far two samples of one distribution lie apart by chance, given their sizes: the floor under every verdict.

For two samples of n and m rows over k bins with shares π, the differences of shares have the covariance
(1/n + 1/m)(diag π - ππᵀ), so that sum((p - q)² / π) is (1/n + 1/m) times a chi-squared variable with k - 1 degrees of freedom;
and the Jensen-Shannon divergence in bits is that sum over 8 ln 2, to second order. Both hold where every bin expects a few
rows on either side, which is why sparse bins are pooled first. Where rows hang together, n and m are how many independent
rows tell as much (`effects`).
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from mlpipe_assets.statistics.distances import Vector, jensen_shannon_divergence

CHANCE = 1e-5
_LEAST_EXPECTED = 5.0
_MOST_GROUPS = 16
_LEAST_SHARE = 0.005


@dataclass(frozen=True, kw_only=True)
class Above:
    """A distance of two samples, and what chance does to it.

    Attributes:
        value: The distance, without what chance adds on average.
        floor: What chance seldom passes.
        error: Standard error of a distance that is none of chance's.
    """

    value: float
    floor: float
    error: float = 0.0


def pool_ordered(p: Vector, q: Vector, missing: int) -> tuple[Vector, Vector]:
    """Neighbouring bins added up to at most 16 of about equal mass of both sides, each of which expects 5 rows a side.

    The sum of both sides decides, never one of them: under one distribution it says nothing about their difference. The last
    `missing` bins (nulls, NaN) have no neighbours: each stays alone where it expects 5 rows a side, else the last group
    takes it.
    """
    groups = group_ordered(p, q, missing)
    return add_up(p, groups), add_up(q, groups)


def group_ordered(p: Vector, q: Vector, missing: int) -> NDArray[np.int64]:
    """Group of each bin, as `pool_ordered` adds them up."""
    both = p + q
    total = float(both.sum())
    groups = np.zeros(len(both), dtype=np.int64)
    if not total:
        return groups[:0]
    sparse = _LEAST_EXPECTED * total / max(min(p.sum(), q.sum()), 1.0)
    enough = max(total / _MOST_GROUPS, sparse)
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
    return groups


def pool_rare(p: Vector, q: Vector, rest: int | None = None) -> tuple[Vector, Vector]:
    """Categories that hold half a percent of both sides and expect 5 rows a side, and the sum of all others at the end.

    Whether the reference knows a category does not matter: two sides are alike only if each is asked the same. The bin
    `rest` is no category but what is left of others, and stays with them however large it is.
    """
    groups = group_rare(p, q, rest)
    return add_up(p, groups), add_up(q, groups)


def group_rare(p: Vector, q: Vector, rest: int | None = None) -> NDArray[np.int64]:
    """Group of each category, as `pool_rare` adds them up."""
    both = p + q
    total = float(both.sum())
    if not total:
        return np.zeros(0, dtype=np.int64)
    enough = max(_LEAST_SHARE * total, _LEAST_EXPECTED * total / max(min(p.sum(), q.sum()), 1.0))
    kept = both >= enough
    if rest is not None:
        kept[rest] = False
    return np.where(kept, np.cumsum(kept) - 1, np.count_nonzero(kept))


def add_up(side: Vector, groups: NDArray[np.int64]) -> Vector:
    """Rows of every group."""
    return np.bincount(groups, weights=side[: len(groups)]).astype(np.float64) if len(groups) else side[:0]


def distance_above_noise(
    p: Vector, q: Vector, *, uneven: float = 0.0, seen: float = math.inf, chance: float = CHANCE
) -> Above:
    """Jensen-Shannon distance of two samples beyond chance; NaN where a side is empty.

    Without the correction the distance of two samples of one distribution grows with the number of bins and shrinks with that
    of rows: a thousand rows against ten score 0.6 over a dozen bins.

    Args:
        p: Rows of the reference by group, in independent rows.
        q: The same of the current window.
        uneven: Squared variation of how strongly rows hang together, from group to group; it makes the tail heavier.
            Source: Rao and Scott (1984), second order, after Satterthwaite (1946).
        seen: How many days tell how strongly; of few days the estimate may be far too small, which makes the tail heavier
            still: that of an F variable, as Rao and Scott (1987) have it.
        chance: How often two samples of one distribution may pass the floor.
    """
    n, m = float(p.sum()), float(q.sum())
    held = (p + q) > 0
    freedom = int(np.count_nonzero(held)) - 1
    if not n or not m:
        return Above(value=math.nan, floor=math.nan)
    if freedom < 1:
        return Above(value=0.0, floor=0.0)
    unit = (1 / n + 1 / m) / (8 * math.log(2))
    divergence = jensen_shannon_divergence(p[held], q[held])
    seldom = freedom * _f_quantile(chance, freedom / (1 + uneven), seen)
    return Above(
        value=math.sqrt(max(0.0, divergence - freedom * unit)),
        floor=math.sqrt(max(0.0, seldom - freedom) * unit),
        error=math.sqrt(unit),
    )


def share_above_noise(
    difference: float,
    pooled: float,
    n: float,
    m: float,
    *,
    more: float = 0.0,
    seen: float = math.inf,
    chance: float = CHANCE,
) -> Above:
    """Difference of two shares with its floor.

    Args:
        difference: Of the shares, its sign aside.
        pooled: Share of both sides together; one more row on each side keeps the floor off zero.
        n: Independent rows of the reference; infinite where the variance of its share is given.
        m: The same of the current window.
        more: That variance.
        seen: See `distance_above_noise`.
        chance: The same.
    """
    if not n or not m:
        return Above(value=math.nan, floor=math.nan)
    sizes = m if math.isinf(n) else n + m
    share = (pooled * sizes + 1) / (sizes + 2)
    error = math.sqrt(more + share * (1 - share) * (1 / n + 1 / m))
    return Above(value=difference, floor=_t_quantile(chance / 2, seen) * error, error=error)


@cache
def chi_squared_quantile(chance: float, freedom: float) -> float:
    """The value that a chi-squared variable exceeds with a chance."""
    from scipy.special import chdtri  # noqa: PLC0415 - a quarter of a second to import, and only a comparison needs it

    return float(chdtri(freedom, chance))


def _f_quantile(chance: float, freedom: float, seen: float) -> float:
    """The value that an F variable exceeds with a chance, each of `seen` days telling of `freedom` dimensions."""
    if math.isinf(seen):
        return chi_squared_quantile(chance, freedom) / freedom
    from scipy.special import fdtri  # noqa: PLC0415 - as above

    return float(fdtri(freedom, seen * freedom, 1 - chance))


def _t_quantile(chance: float, seen: float) -> float:
    """The value that a t variable of `seen` degrees of freedom exceeds with a chance; a normal one of infinitely many."""
    from scipy.special import ndtri, stdtrit  # noqa: PLC0415 - as above

    return -float(ndtri(chance) if math.isinf(seen) else stdtrit(seen, chance))
