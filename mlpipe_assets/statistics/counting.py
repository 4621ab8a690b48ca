"""Two columns as counts over the same bins, for the distances of `distances` and the chi-squared test."""

import math
from typing import Literal

import numpy as np
import polars as pl

from mlpipe_assets.statistics.bins import Bins
from mlpipe_assets.statistics.distances import Vector
from mlpipe_assets.statistics.profiles import profile_series

_NAN = "NaN"


def count_values(
    reference: pl.Series, current: pl.Series, *, bins: Bins | None = None, nan: Literal["mass", "tfdv"] = "mass"
) -> tuple[list[str], Vector, Vector]:
    """Labels and counts of both columns, by bin or, without bins, by value; null and NaN are mass of their own.

    With `nan="tfdv"` the NaN of the two sides are two bins that never meet, as in TFDV, where NaN differs from itself: two
    equal windows with 10 % NaN have a divergence of 0.1.
    """
    before, after = (_by_value(side) if bins is None else _by_bin(side, bins) for side in (reference, current))
    if nan == "tfdv" and _NAN in after:
        after[f"{_NAN} of current"] = after.pop(_NAN)
    labels = list(dict.fromkeys([*before, *after]))
    p, q = (np.array([side.get(label, 0) for label in labels], dtype=np.float64) for side in (before, after))
    return labels, p, q


def _by_value(series: pl.Series) -> dict[str, int]:
    counted = series.alias("value").value_counts(name="rows").sort("value")
    return {_label(value): rows for value, rows in counted.iter_rows()}


def _by_bin(series: pl.Series, bins: Bins) -> dict[str, int]:
    column = profile_series(series, bins)
    counted = {str(index): rows for index, rows in column.counts}
    counted |= {"null": column.nulls, _NAN: column.nans}
    return {label: rows for label, rows in counted.items() if rows}


def _label(value: object) -> str:
    if value is None:
        return "null"
    return _NAN if isinstance(value, float) and math.isnan(value) else repr(value)
