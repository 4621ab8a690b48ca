"""Statistics of each column of one window, kept so that windows merge: a month is a merge of its days, not a rescan."""

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlpipe_assets.concurrency import in_order
from mlpipe_assets.statistics.bins import Bins, count_runs
from mlpipe_assets.statistics.columns import Categories, Column, Numbers, Opaque, Runs, read_column
from mlpipe_assets.statistics.distances import MeasureError, Vector
from mlpipe_assets.statistics.sketches import Distinct, LeadingZeros, SmallestHashes, hash_numbers, hash_texts

_MOST_UNSEEN = 200
_CELLS_WORTH_THREADS = 1_000_000
_AT_ONCE = 65_536
_LARGEST = sys.float_info.max
_SMALLEST = math.ulp(0.0)
_KNOWN = {"name": pl.String, "bin": pl.Int64}


@dataclass(frozen=True, kw_only=True)
class ColumnProfile:
    """Statistics of one column.

    Attributes:
        rows: Rows, nulls included.
        nans: NaN, which are not null; no number, and in no bin.
        below, above: Negative and positive infinities; they are in the outer bins, not in mean and spread.
        minimum, maximum: Of the finite numbers; of times in microseconds since 1970.
        mean, squares: Mean of the finite numbers, and the sum of squared distances from it.
        distinct: Sketch of the different values, nulls aside.
        counts: Bin and rows, for bins that hold any.
        unseen: Texts outside the reference's categories with their rows: of each day the 200 most frequent. A window adds
            up what its days kept, so a text loses at most one in 200 of the rows that lie outside.
    """

    rows: int
    nulls: int
    nans: int = 0
    zeros: int = 0
    below: int = 0
    above: int = 0
    minimum: float | None = None
    maximum: float | None = None
    mean: float = 0.0
    squares: float = 0.0
    distinct: Distinct | None = None
    counts: tuple[tuple[int, int], ...] = ()
    unseen: tuple[tuple[str, int], ...] = ()

    @property
    def finite(self) -> int:
        """Rows with a finite number; of categories, rows with a text."""
        return self.rows - self.nulls - self.nans - self.below - self.above

    @property
    def deviation(self) -> float:
        """Standard deviation of the finite numbers, with n - 1; NaN below two of them."""
        return math.sqrt(self.squares / (self.finite - 1)) if self.finite > 1 else math.nan

    def histogram(self, bins: Bins) -> Vector:
        """Rows in every bin."""
        dense = np.zeros(bins.count)
        for index, rows in self.counts:
            dense[index] = rows
        return dense


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Statistics of the columns of one window, counted into `bins`."""

    rows: int
    bins: Mapping[str, Bins]
    columns: Mapping[str, ColumnProfile]


def profile_frame(frame: pl.DataFrame, bins: Mapping[str, Bins]) -> Profile:
    """Statistics of the columns that have bins, each read once.

    Raises:
        MeasureError: If the frame lacks a column.
    """
    absent = [name for name in bins if name not in frame.columns]
    if absent:
        raise MeasureError(f"The frame lacks {absent[0]!r}, which has bins; it has {', '.join(frame.columns)}.")
    many = frame.height * len(bins) > _CELLS_WORTH_THREADS
    found = in_order(lambda name: profile_series(frame[name], bins[name]), bins, at_once=2 if many else 1)
    return Profile(rows=frame.height, bins=dict(bins), columns=dict(zip(bins, found, strict=True)))


def profile_series(series: pl.Series, bins: Bins) -> ColumnProfile:
    """Statistics of one column."""
    if bins.personal:
        known = series.drop_nulls().unique()
        texts = known.cast(pl.String) if bins.kind != "opaque" else pl.Series([], dtype=pl.String)
        sketch = LeadingZeros.of(hash_texts(texts)) if bins.kind != "opaque" else None
        return ColumnProfile(rows=len(series), nulls=series.null_count(), distinct=sketch)
    return profile_column(read_column(series, bins.kind), bins)


def profile_column(column: Column, bins: Bins) -> ColumnProfile:
    """Statistics of one column that was read."""
    if isinstance(column, Opaque):
        return ColumnProfile(rows=column.rows, nulls=column.nulls)
    return _profile_categories(column, bins) if isinstance(column, Categories) else _profile_numbers(column, bins)


def _profile_numbers(column: Numbers, bins: Bins) -> ColumnProfile:
    runs, finite = column.runs, column.runs.finite()
    infinite = count_runs(runs, (-_LARGEST, math.inf)) if runs.values.dtype.kind == "f" else (0, 0, 0)
    mean, squares = _moments(finite)
    return ColumnProfile(
        rows=column.rows,
        nulls=column.nulls,
        nans=column.nans,
        zeros=int(count_runs(finite, (0.0, _SMALLEST))[1]),
        below=int(infinite[0]),
        above=int(infinite[2]),
        minimum=finite.values[0].item() if finite.rows else None,
        maximum=finite.values[-1].item() if finite.rows else None,
        mean=mean,
        squares=squares,
        distinct=SmallestHashes.of(hash_numbers(_different(column))),
        counts=_sparse(count_runs(runs, bins.edges)),
    )


def _profile_categories(column: Categories, bins: Bins) -> ColumnProfile:
    known = pl.DataFrame({"name": bins.categories, "bin": range(len(bins.categories))}, schema_overrides=_KNOWN)
    found = column.counted.join(known, on="name", how="left", maintain_order="left")
    hashes = hash_texts(found["name"])
    held = found["rows"].to_numpy()
    places = found["bin"].fill_null(len(bins.categories)).to_numpy()
    counts = np.zeros(bins.count, dtype=np.int64)
    np.add.at(counts, places, held)
    unseen = np.flatnonzero(places == len(bins.categories))
    frequent = unseen[:_MOST_UNSEEN]  # the most frequent come first, ties by name
    return ColumnProfile(
        rows=column.rows,
        nulls=column.nulls,
        distinct=SmallestHashes.of(hashes),
        counts=_sparse(counts),
        unseen=tuple(sorted(zip(found["name"][frequent].to_list(), held[frequent].tolist(), strict=True))),
    )


def _moments(runs: Runs) -> tuple[float, float]:
    """Mean and sum of squared distances from it, some values at a time, which fit a core's cache.

    Sums are numpy's own: those of BLAS depend on its threads, and the same rows must give the same bytes.
    """
    if not runs.rows:
        return 0.0, 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        values = runs.values
        weights = runs.repeats
        whole = float(np.sum(values if weights is None else values * weights.astype(np.float64), dtype=np.float64))
        mean, squares = whole / runs.rows, 0.0
        for at in range(0, len(values), _AT_ONCE):
            apart = values[at : at + _AT_ONCE] - mean
            apart *= apart
            squares += float(np.sum(apart if weights is None else apart * weights[at : at + _AT_ONCE]))
    return mean, squares


def _different(column: Numbers) -> NDArray[Any]:
    values = column.runs.values
    if column.runs.repeats is not None or column.different == len(values):
        return values
    different: NDArray[Any] = values[np.append(True, values[1:] != values[:-1])]
    return different


def _sparse(counts: NDArray[np.int64]) -> tuple[tuple[int, int], ...]:
    held = np.flatnonzero(counts)
    return tuple(zip(held.tolist(), counts[held].tolist(), strict=True))
