"""How far answered numbers lie from what happened."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from mlpipe_assets.learning.metrics import Numbers


@dataclass(frozen=True, kw_only=True)
class NumberMetrics:
    """How far answers lie from labels on some rows, in the label's unit; None for what these rows cannot tell.

    Attributes:
        rows: Number of rows.
        mean: Mean of the labels.
        rmse: Root of the mean squared error.
        mae: Mean absolute error.
        median_absolute_error: Median of the absolute error.
        bias: Mean of answer minus label: above 0 the answers are too high.
        r2: 1 minus the squared error as a share of that of the mean of these labels; with two different labels at least.
        mape: Mean absolute error as a share of the label's size; only where no label is 0.
    """

    rows: int
    mean: float | None = None
    rmse: float | None = None
    mae: float | None = None
    median_absolute_error: float | None = None
    bias: float | None = None
    r2: float | None = None
    mape: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The numbers by name."""
        return asdict(self)


def measure_numbers(label: pl.Series, answers: pl.Series) -> NumberMetrics:
    """All metrics of answers against the labels of the same rows."""
    y, p = as_numbers(label), as_numbers(answers)
    if not y.size:
        return NumberMetrics(rows=0)
    off = p - y
    away = np.abs(off)
    spread = float(((y - y.mean()) ** 2).sum())
    return NumberMetrics(
        rows=int(y.size),
        mean=float(y.mean()),
        rmse=float(np.sqrt((off**2).mean())),
        mae=float(away.mean()),
        median_absolute_error=float(np.median(away)),
        bias=float(off.mean()),
        r2=1 - float((off**2).sum()) / spread if spread > 0 else None,
        mape=float((away / np.abs(y)).mean()) if (y != 0).all() else None,
    )


def answers_by_tenth(label: pl.Series, answers: pl.Series) -> pl.DataFrame:
    """Mean answer and mean label of rows in order of their answers, in up to ten groups of equal size; ties stay together.

    Columns: `rows`, mean `predicted`, mean `observed`.
    """
    y, p = as_numbers(label), as_numbers(answers)
    if not y.size:
        return pl.DataFrame(schema={"rows": pl.Int64, "predicted": pl.Float64, "observed": pl.Float64})
    values, place, counts = np.unique(p, return_inverse=True, return_counts=True)
    before = np.cumsum(counts) - counts
    group = np.minimum((before + counts / 2) * 10 // y.size, 9).astype(np.int64)[place]
    rows = np.bincount(group, minlength=10)
    filled = np.flatnonzero(rows)
    means = [np.bincount(group, weights=one, minlength=10)[filled] / rows[filled] for one in (p, y)]
    del values
    return pl.DataFrame({"rows": rows[filled], "predicted": means[0], "observed": means[1]})


def as_numbers(values: pl.Series) -> Numbers:
    """Values as 64-bit floats."""
    return values.cast(pl.Float64).to_numpy()
