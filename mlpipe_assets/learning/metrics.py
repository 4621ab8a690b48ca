"""How good probabilities are: ranking, loss, calibration.

Labels are booleans, probabilities lie between 0 and 1, one each per row. A number that a sample cannot tell is None: what
ranks needs both classes, and no sample of no rows tells anything.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

Numbers = np.ndarray[Any, np.dtype[np.float64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
_SMALLEST = 1e-15  # a probability of 0 for what happened would make the loss infinite
BINS = 10
MAIN_METRICS = ("roc_auc", "pr_auc", "log_loss", "brier", "calibration_error", "prevalence", "rows")  # on record


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """How good probabilities are on some rows.

    Attributes:
        rows: Number of rows.
        positives: Rows whose label is true.
        prevalence: Their share.
        roc_auc: Chance that a positive row ranks above a negative one; a tie counts half.
        pr_auc: Average precision.
        log_loss: Mean negative log-likelihood, in nats.
        brier: Mean squared difference of probability and label.
        calibration_error: Mean distance of predicted probability and observed share over ten bins, weighted by rows.
    """

    rows: int
    positives: int
    prevalence: float | None = None
    roc_auc: float | None = None
    pr_auc: float | None = None
    log_loss: float | None = None
    brier: float | None = None
    calibration_error: float | None = None

    def to_dict(self) -> dict[str, float | int | None]:
        """The numbers by name."""
        return asdict(self)


def measure(label: pl.Series, probability: pl.Series) -> Metrics:
    """All metrics of probabilities against the labels of the same rows."""
    y, p = _arrays(label, probability)
    if not y.size:
        return Metrics(rows=0, positives=0)
    positives = int(y.sum())
    both = 0 < positives < y.size
    sure = np.clip(p, _SMALLEST, 1 - _SMALLEST)
    return Metrics(
        rows=int(y.size),
        positives=positives,
        prevalence=positives / y.size,
        roc_auc=roc_auc(y, p) if both else None,
        pr_auc=_average_precision(y, p) if both else None,
        log_loss=float(-np.mean(np.where(y, np.log(sure), np.log1p(-sure)))),
        brier=float(np.mean((p - y) ** 2)),
        calibration_error=calibration_error(calibration(label, probability)),
    )


def calibration(label: pl.Series, probability: pl.Series) -> pl.DataFrame:
    """Predicted probability against observed share in ten bins of equal width; bins without rows are left out.

    Columns: `low` and `high` bound of the bin, `rows`, mean `predicted`, share `observed`.
    """
    y, p = _arrays(label, probability)
    place = np.minimum((p * BINS).astype(np.int64), BINS - 1)
    rows = np.bincount(place, minlength=BINS)
    filled = np.flatnonzero(rows)
    return pl.DataFrame(
        {
            "low": filled / BINS,
            "high": (filled + 1) / BINS,
            "rows": rows[filled],
            "predicted": np.bincount(place, weights=p, minlength=BINS)[filled] / rows[filled],
            "observed": np.bincount(place, weights=y, minlength=BINS)[filled] / rows[filled],
        },
        schema={
            "low": pl.Float64,
            "high": pl.Float64,
            "rows": pl.Int64,
            "predicted": pl.Float64,
            "observed": pl.Float64,
        },
    )


def precision_recall(label: pl.Series, probability: pl.Series, most: int = 200) -> list[tuple[float, float]]:
    """Recall and precision as the bound falls, at most so many points; none without positives."""
    y, p = _arrays(label, probability)
    if not y.any():
        return []
    hits, alarms = _steps(y, p)
    recall, precision = hits / hits[-1], hits / alarms
    places = np.unique(np.linspace(0, recall.size - 1, min(most, recall.size)).round().astype(np.int64))
    return [(float(recall[i]), float(precision[i])) for i in places]


def spread_of_auc(auc: float, positives: float, negatives: float) -> float:
    """Standard error of an area under the ROC curve. Source: Hanley and McNeil, Radiology 143 (1982)."""
    one, two = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (positives - 1) * (one - auc**2) + (negatives - 1) * (two - auc**2)
    return math.sqrt(variance / (positives * negatives))


def _arrays(label: pl.Series, probability: pl.Series) -> tuple[Flags, Numbers]:
    return label.cast(pl.Boolean).to_numpy(), probability.cast(pl.Float64).to_numpy()


def roc_auc(y: Flags, p: Numbers) -> float:
    """Mann-Whitney statistic of rows of both classes; ties count half."""
    order = np.argsort(p, kind="stable")
    ordered = p[order]
    ties = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    positive = np.add.reduceat(y[order].astype(np.float64), ties)
    negative = np.add.reduceat((~y[order]).astype(np.float64), ties)
    below = np.cumsum(negative) - negative
    return float((positive * (below + negative / 2)).sum() / (positive.sum() * negative.sum()))


def _steps(y: Flags, p: Numbers) -> tuple[Numbers, Numbers]:
    """True positives and all rows at or above each distinct probability, from the highest down."""
    order = np.argsort(-p, kind="stable")
    ordered = p[order]
    last = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])
    return np.cumsum(y[order])[last].astype(np.float64), (last + 1).astype(np.float64)


def _average_precision(y: Flags, p: Numbers) -> float:
    hits, alarms = _steps(y, p)
    gained = np.diff(np.r_[0.0, hits / hits[-1]])
    return float((gained * hits / alarms).sum())


def calibration_error(bins: pl.DataFrame) -> float:
    """Mean distance of predicted and observed over bins, weighted by rows."""
    away = (bins["predicted"] - bins["observed"]).abs().to_numpy()
    return float(np.average(away, weights=bins["rows"].to_numpy()))
