"""Distances between two windows given as counts (or shares) over the same bins.

Every function takes two vectors of one length, bin by bin the mass of the reference and of the current window; they are
scaled to sum to 1. An empty side has no distribution: the distance to it is NaN, never 0.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlpipe_assets.errors import MlpipeError

Vector = NDArray[np.float64]


class MeasureError(MlpipeError):
    """A measure was asked of something it says nothing about."""


def jensen_shannon_divergence(reference: ArrayLike, current: ArrayLike) -> float:
    """Mean relative entropy to the mixture of both, in bits: 0 for equal shares, 1 for shares that share no bin.

    The divergence, as TFDV reports it. Source: Lin (1991); scipy.spatial.distance.jensenshannon(base=2) squared.
    """
    p, q = shares(reference, current)
    middle = (p + q) / 2
    divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    return float(np.maximum(divergence, 0.0))  # rounding may fall below 0; a NaN stays one


def jensen_shannon_distance(reference: ArrayLike, current: ArrayLike) -> float:
    """Square root of the divergence: a metric from 0 to 1, and about proportional to the size of a small shift.

    Source: Endres and Schindelin (2003); scipy.spatial.distance.jensenshannon(base=2).
    """
    return float(np.sqrt(jensen_shannon_divergence(reference, current)))


def l_infinity(reference: ArrayLike, current: ArrayLike, *, numeric: bool = False) -> float:
    """Largest change of any category's share, from 0 to 1.

    Bins of a number are our choice and not the data's, so their largest change says nothing about the column.

    Raises:
        MeasureError: With `numeric`, rather than a 0 that reads as no drift.
    """
    if numeric:
        raise MeasureError(
            "L-infinity is a measure of categories and says nothing about a number. "
            "Use the Jensen-Shannon distance or KS for this column."
        )
    p, q = shares(reference, current)
    return float(np.abs(p - q).max(initial=0.0)) if _both(p, q) else float("nan")


def population_stability_index(reference: ArrayLike, current: ArrayLike, *, least_share: float = 1e-4) -> float:
    """PSI in nats: 0 for equal shares; shares below `least_share` count as `least_share`, so that empty bins stay finite.

    Source: Siddiqi, Credit Risk Scorecards (2006).
    """
    p, q = shares(reference, current)
    if not _both(p, q):
        return float("nan")
    p, q = np.maximum(p, least_share), np.maximum(q, least_share)
    return float(np.sum((p - q) * np.log(p / q)))


def normalised_absolute_difference(reference: ArrayLike, current: ArrayLike) -> float:
    """Largest absolute difference of counts over the sum of all counts, from 0 to 1; counts, not shares.

    It sees a change in the number of rows as well. Source: TFDV's comparator, max|x - y| / sum(x + y).
    """
    p, q = vectors(reference, current)
    total = float((p + q).sum())
    return float(np.abs(p - q).max(initial=0.0) / total) if total else float("nan")


def binned_kolmogorov_smirnov(reference: ArrayLike, current: ArrayLike) -> float:
    """Largest difference of the two cumulative shares at the edges of ordered bins: at most the statistic of the samples."""
    p, q = vectors(reference, current)
    n, m = p.sum(), q.sum()
    return float(np.abs(np.cumsum(p) * m - np.cumsum(q) * n).max(initial=0.0) / (n * m)) if n and m else float("nan")


def binned_wasserstein(reference: ArrayLike, current: ArrayLike, edges: ArrayLike) -> float:
    """Area between two distribution functions that rise linearly inside each bin, in the unit of the edges.

    Bin i lies from `edges[i]` to `edges[i + 1]`; there is one edge more than bins. It equals the distance of the samples
    up to the widths of the bins. Divide by `spread` of the reference to compare columns.
    """
    p, q = shares(reference, current)
    if not _both(p, q):
        return float("nan")
    gap = np.concatenate([[0.0], np.cumsum(p - q)])
    left, right, width = np.abs(gap[:-1]), np.abs(gap[1:]), np.diff(np.asarray(edges, dtype=np.float64))
    crossing = gap[:-1] * gap[1:] < 0
    height = np.where(crossing, (left**2 + right**2) / np.where(crossing, left + right, 1.0), left + right) / 2
    return float(np.sum(height * width))


def spread(standard_deviation: float, lower_quartile: float, upper_quartile: float) -> float:
    """Unit in which a distance of numbers is told: the reference's standard deviation, in the column's own unit.

    Where a heavy tail makes that meaningless (infinite, or more than 10 times what the quartiles give), the interquartile
    range over 1.349, which is the standard deviation of a normal. Never below a thousandth of the larger quartile's size,
    so that a constant column does not divide by 0; 1 where even that is 0.
    """
    robust = (upper_quartile - lower_quartile) / 1.349
    usable = np.isfinite(standard_deviation) and not (robust > 0 and standard_deviation > 10 * robust)
    floor = 1e-3 * max(abs(lower_quartile), abs(upper_quartile))
    chosen = max(standard_deviation if usable else robust, floor)
    return float(chosen) if chosen > 0 else 1.0


def shares(reference: ArrayLike, current: ArrayLike) -> tuple[Vector, Vector]:
    """Both vectors scaled to sum to 1; NaN throughout where a side is empty."""
    p, q = vectors(reference, current)
    with np.errstate(invalid="ignore"):
        return p / p.sum(), q / q.sum()


def vectors(reference: ArrayLike, current: ArrayLike) -> tuple[Vector, Vector]:
    """Both sides as vectors of one length, finite and nowhere negative; raises MeasureError otherwise."""
    p, q = np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64)
    if p.ndim != 1 or p.shape != q.shape:
        raise MeasureError(
            f"Two vectors over the same bins are needed, got shapes {p.shape} and {q.shape}. Bin both by one set of edges."
        )
    for side, name in ((p, "reference"), (q, "current")):
        wrong: NDArray[Any] = side[~(np.isfinite(side) & (side >= 0))]
        if wrong.size:
            raise MeasureError(f"{wrong.size} of {side.size} counts of the {name} are no counts (e.g. {wrong[0]}).")
    return p, q


def _both(p: Vector, q: Vector) -> bool:
    return bool(p.size and q.size and not np.isnan(p[0]) and not np.isnan(q[0]))


def _relative_entropy(p: Vector, middle: Vector) -> float:
    if p.size == 0 or np.isnan(p[0]):
        return float("nan")
    positive = p > 0
    return float(np.sum(p[positive] * np.log2(p[positive] / middle[positive])))
