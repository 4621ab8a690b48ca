"""What a reader wants to know of a profiled column: quantiles, most frequent values, number of different values."""

import numpy as np

from mlpipe_assets.statistics.bins import Bins
from mlpipe_assets.statistics.distances import Vector
from mlpipe_assets.statistics.profiles import ColumnProfile


def bounds(column: ColumnProfile, bins: Bins, other: ColumnProfile | None = None) -> Vector:
    """Where the bins of a number begin and end: the outer ones reach as far as the finite values of the columns."""
    edges = np.asarray(bins.edges, dtype=np.float64)
    values = [value for c in (column, other or column) for value in (c.minimum, c.maximum) if value is not None]
    lowest, highest = [*values, *edges[:1]], [*values, *edges[-1:]]
    return np.concatenate([[min(lowest, default=0.0)], edges, [max(highest, default=0.0)]])


def finite_counts(column: ColumnProfile, bins: Bins) -> Vector:
    """Rows in every bin of a number, the infinities taken out of the outer bins."""
    counts = column.histogram(bins)
    if len(counts):
        counts[0] -= column.below
        counts[-1] -= column.above
    return counts


def quantiles(column: ColumnProfile, bins: Bins, shares: tuple[float, ...]) -> tuple[float, ...]:
    """Values below which the given shares of the finite numbers lie, right up to the width of a bin; NaN without any."""
    if not column.finite or column.minimum is None or column.maximum is None or bins.kind == "category":
        return tuple(float("nan") for _ in shares)
    ends = np.clip(bounds(column, bins), column.minimum, column.maximum)
    counts = finite_counts(column, bins)
    held = counts > 0
    upper = np.cumsum(counts[held])
    # each held bin is a rising stretch: its lower end at the mass before it, its upper end at the mass up to it
    mass = np.stack([upper - counts[held], upper], axis=1).ravel()
    where = np.stack([ends[:-1][held], ends[1:][held]], axis=1).ravel()
    return tuple(float(value) for value in np.interp(np.asarray(shares) * upper[-1], mass, where))


def top(column: ColumnProfile, bins: Bins, most: int = 10) -> list[tuple[str, int]]:
    """Most frequent categories with their rows, ties by name; nothing for a personal column."""
    if bins.kind != "category" or bins.personal:
        return []
    known = [(bins.categories[index], rows) for index, rows in column.counts if index < len(bins.categories)]
    return sorted([*known, *column.unseen], key=lambda pair: (-pair[1], pair[0]))[:most]


def count_distinct(column: ColumnProfile) -> int | None:
    """How many different values there are, nulls aside; exact below 512, None where they are not counted."""
    return None if column.distinct is None else column.distinct.estimate()
