"""Two frames compared on all their rows: every test exact, while profiles compare on bins."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from mlpipe_assets.concurrency import in_order
from mlpipe_assets.statistics.bins import Bins, freeze_column
from mlpipe_assets.statistics.columns import Categories, Column, Kind, Numbers, kinds_of, read_column
from mlpipe_assets.statistics.distances import MeasureError
from mlpipe_assets.statistics.measurements import Measurement
from mlpipe_assets.statistics.pairs import Exact
from mlpipe_assets.statistics.profiles import ColumnProfile, Profile, profile_column, profile_series
from mlpipe_assets.statistics.two_sample import Test, chi_squared, kolmogorov_smirnov_and_wasserstein
from mlpipe_assets.statistics.verdicts import compare


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Profiles of two frames on the reference's bins, and every measure between them."""

    reference: Profile
    current: Profile
    measurements: list[Measurement]


@dataclass(frozen=True, kw_only=True)
class _Compared:
    bins: Bins
    reference: ColumnProfile
    current: ColumnProfile
    exact: Exact | None


def compare_frames(
    reference: pl.DataFrame,
    current: pl.DataFrame,
    thresholds: Mapping[str, float] | None = None,
    *,
    kinds: Mapping[str, Kind] | None = None,
    personal: Collection[str] = (),
) -> Comparison:
    """Profiles of both frames and all measures, KS, chi-squared and Wasserstein on every row.

    Columns are those of `kinds`, or else all of the reference by their types. Two columns at a time are read, so that memory
    stays at theirs.

    Raises:
        MeasureError: If a frame lacks a column.
    """
    kinds = kinds_of(reference.schema) if kinds is None else kinds
    for side, frame in (("reference", reference), ("current frame", current)):
        if absent := [name for name in kinds if name not in frame.columns]:
            raise MeasureError(f"The {side} lacks {absent[0]!r}; it has {', '.join(frame.columns)}.")
    work = in_order(
        lambda name: _compare_column(reference[name], current[name], kinds[name], personal=name in personal), kinds
    )
    found = dict(zip(kinds, work, strict=True))
    bins = {name: column.bins for name, column in found.items()}
    before = Profile(rows=reference.height, bins=bins, columns={name: c.reference for name, c in found.items()})
    after = Profile(rows=current.height, bins=bins, columns={name: c.current for name, c in found.items()})
    exact = {name: column.exact for name, column in found.items() if column.exact is not None}
    return Comparison(
        reference=before, current=after, measurements=compare(before, after, thresholds or {}, exact=exact)
    )


def _compare_column(reference: pl.Series, current: pl.Series, kind: Kind, *, personal: bool) -> _Compared:
    if personal:
        bins = Bins(kind=kind, personal=True)
        before, after = (profile_series(side, bins) for side in (reference, current))
        return _Compared(bins=bins, reference=before, current=after, exact=None)
    p, q = read_column(reference, kind), read_column(current, kind)
    bins = freeze_column(p, kind)
    return _Compared(
        bins=bins, reference=profile_column(p, bins), current=profile_column(q, bins), exact=_measure(p, q)
    )


def _measure(p: Column, q: Column) -> Exact | None:
    if isinstance(p, Numbers) and isinstance(q, Numbers):
        test, moved = kolmogorov_smirnov_and_wasserstein(p.runs, q.runs)
        return Exact(test=test, wasserstein=moved)
    if isinstance(p, Categories) and isinstance(q, Categories):
        return Exact(test=_test_categories(p, q))
    return None


def _test_categories(p: Categories, q: Categories) -> Test:
    both = p.counted.join(q.counted, on="name", how="full", suffix="_current").select(
        pl.col("rows", "rows_current").fill_null(0).cast(pl.Float64)
    )
    return chi_squared(
        np.append(both["rows"].to_numpy(), p.nulls),
        np.append(both["rows_current"].to_numpy(), q.nulls),
        least_expected=5.0,
    )
