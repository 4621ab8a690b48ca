"""Two profiles of a column as a histogram people can look at: few bins on round numbers, shares of all rows."""

import math
from dataclasses import dataclass

import numpy as np

from mlpipe_assets.statistics.bins import Bins
from mlpipe_assets.statistics.distances import Vector
from mlpipe_assets.statistics.profiles import ColumnProfile
from mlpipe_assets.statistics.summaries import bounds, finite_counts, quantiles

_BARS = 24
_CATEGORIES = 12
_NOBODY = 1e-6  # rows: what rounding leaves of none


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Shares of the rows of a reference and of a current window, bar by bar. Shape: three sequences of one length."""

    labels: tuple[str, ...]
    reference: tuple[float, ...]
    current: tuple[float, ...]


def compare_shapes(
    reference: ColumnProfile, current: ColumnProfile, bins: Bins, named: tuple[str, ...] | None = None
) -> Histogram | None:
    """What a column held then and now; None for columns without bins, and where a side has no rows.

    Nulls and NaN are a bar of their own. Rows inside one of the profile's bins are spread evenly over it. Categories that are
    not in `named` are "category 1" and on, the largest first; None names all.
    """
    if not bins.count or bins.kind == "time" or not reference.rows or not current.rows:
        return None
    if bins.kind == "category":
        labels, before, now = _categories(reference, current, bins, named)
    else:
        labels, before, now = _numbers(reference, current, bins)
    absent = (reference.nulls + reference.nans, current.nulls + current.nans)
    if any(absent):
        labels, before, now = [*labels, "no value"], [*before, absent[0]], [*now, absent[1]]
    return Histogram(
        labels=tuple(labels),
        reference=tuple(round(rows / reference.rows, 5) for rows in before),
        current=tuple(round(rows / current.rows, 5) for rows in now),
    )


def _categories(
    reference: ColumnProfile, current: ColumnProfile, bins: Bins, named: tuple[str, ...] | None
) -> tuple[list[str], list[float], list[float]]:
    sides = [_rows_by_name(side, bins) for side in (reference, current)]
    shares = {
        name: max(sides[0].get(name, 0) / reference.rows, sides[1].get(name, 0) / current.rows)
        for name in {**sides[0], **sides[1]}
    }
    largest = sorted(shares, key=lambda name: (-shares[name], name))[:_CATEGORIES]
    known = sorted(name for name in largest if named is None or name in named)
    others = [name for name in largest if named is not None and name not in named]
    shown = [*known, *others]
    labels = [*known, *(f"category {place}" for place, _ in enumerate(others, start=1))]
    rest = [
        side.rows - side.nulls - sum(found.get(n, 0) for n in shown)
        for side, found in zip((reference, current), sides, strict=True)
    ]
    columns = [[float(found.get(name, 0)) for name in shown] for found in sides]
    if any(rest):
        return [*labels, "all others"], [*columns[0], rest[0]], [*columns[1], rest[1]]
    return labels, columns[0], columns[1]


def _rows_by_name(column: ColumnProfile, bins: Bins) -> dict[str, int]:
    known = {bins.categories[index]: rows for index, rows in column.counts if index < len(bins.categories)}
    return {**known, **dict(column.unseen)}


def _numbers(
    reference: ColumnProfile, current: ColumnProfile, bins: Bins
) -> tuple[list[str], list[float], list[float]]:
    ends = bounds(reference, bins, current)
    whole = bool(np.all(np.asarray(bins.edges) % 1 == 0))
    ends[-1] = max(ends[-1], ends[-2] if len(ends) > 1 else ends[-1]) + (1 if whole else abs(ends[-1]) * 1e-9)
    low, high = _span(reference, current, bins)
    step = _round_step((high - low) / _BARS, whole=whole)
    first, last = math.floor(low / step), math.ceil((high + (1 if whole else 0)) / step)
    edges = np.arange(first, max(last, first + 1) + 1, dtype=np.float64) * np.float64(step)
    before, now = (_mass(side, bins, ends, edges) for side in (reference, current))
    labels = [f"< {edges[0]:g}", *(f"{edge:g}" for edge in edges[:-1]), f"≥ {edges[-1]:g}"]
    kept = [
        i for i in range(len(labels)) if 0 < i < len(labels) - 1 or max(before[i], now[i]) > _NOBODY
    ]  # a tail nobody is in
    return [labels[i] for i in kept], [float(before[i]) for i in kept], [float(now[i]) for i in kept]


def _span(reference: ColumnProfile, current: ColumnProfile, bins: Bins) -> tuple[float, float]:
    """Where all but one percent at either end lies, of both sides."""
    found = [q for side in (reference, current) for q in quantiles(side, bins, (0.01, 0.99)) if math.isfinite(q)]
    return (min(found), max(found)) if found else (0.0, 1.0)


def _round_step(rough: float, *, whole: bool) -> float:
    """The next round width: 1, 2 or 5 times a power of ten; of whole numbers at least 1."""
    rough = max(rough, 1.0 if whole else 1e-9)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= rough * (1 - 1e-9))
    return float(f"{step:.12g}")


def _mass(column: ColumnProfile, bins: Bins, ends: Vector, edges: Vector) -> Vector:
    """Rows below the first edge, between each two, and from the last one on; infinities are in the tails."""
    counts = finite_counts(column, bins)
    wide = np.diff(ends) > 0
    cumulated = np.concatenate([[0.0], np.cumsum(counts[wide])])
    at = np.interp(edges, np.concatenate([ends[:1], ends[1:][wide]]), cumulated)
    tails = at[0] + column.below, cumulated[-1] - at[-1] + column.above
    return np.concatenate([tails[:1], np.diff(at), tails[1:]])
