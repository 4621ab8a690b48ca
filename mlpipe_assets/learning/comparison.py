"""Whether one model ranks better than another on the same rows, with an interval."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse

from mlpipe_assets.learning.metrics import Flags, Numbers, roc_auc

_AT_ONCE = 8  # replicates a pass weighs: at 120,000 rows about 30 MB


@dataclass(frozen=True, kw_only=True)
class Difference:
    """ROC AUC of one model minus that of another on the same rows, with a bootstrap interval.

    Attributes:
        rows: Number of rows both answered.
        keys: Entities the rows belong to; they are what is resampled.
        value: The difference on the rows themselves; None with one class only.
        low: Lower bound of the 95 % interval.
        high: Upper bound.
        replicates: Resamples that held both classes.
    """

    rows: int
    keys: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    replicates: int = 0

    def to_dict(self) -> dict[str, float | int | None]:
        """The numbers by name."""
        return asdict(self)


def compare(
    label: pl.Series,
    challenger: pl.Series,
    champion: pl.Series,
    keys: pl.Series,
    *,
    seed: int,
    replicates: int = 200,
) -> Difference:
    """ROC AUC of the challenger minus that of the champion, with a 95 % paired bootstrap interval.

    Keys are resampled, not rows: rows of one customer are alike, and taken for independent they would make the interval
    too narrow. Both models see the same resample. A resample only weighs keys, so each model's rows are ranked once and
    many resamples are one product of matrices.
    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), percentile interval.
    """
    y = label.cast(pl.Boolean).to_numpy()
    answers = [one.cast(pl.Float64).to_numpy() for one in (challenger, champion)]
    codes = keys.rank("dense").to_numpy().astype(np.int64) - 1 if keys.len() else np.zeros(0, dtype=np.int64)
    count = int(codes.max()) + 1 if codes.size else 0
    if not y.size or y.all() or not y.any():
        return Difference(rows=int(y.size), keys=count)
    ranked = [_by_rank(y, p, codes, count) for p in answers]
    chance = np.random.default_rng(seed)
    found: list[Numbers] = []
    for done in range(0, replicates, _AT_ONCE):
        draws = [chance.integers(0, count, count) for _ in range(min(_AT_ONCE, replicates - done))]
        weights = np.stack([np.bincount(draw, minlength=count) for draw in draws], axis=1).astype(np.float64)
        first, second = (_areas(positive, negative, weights) for positive, negative in ranked)
        found.append(first - second)
    differences = np.concatenate(found) if found else np.zeros(0)
    differences = differences[~np.isnan(differences)]
    low, high = np.quantile(differences, [0.025, 0.975]) if differences.size else (None, None)
    return Difference(
        rows=int(y.size),
        keys=count,
        value=roc_auc(y, answers[0]) - roc_auc(y, answers[1]),
        low=None if low is None else float(low),
        high=None if high is None else float(high),
        replicates=int(differences.size),
    )


def _by_rank(y: Flags, p: Numbers, codes: np.ndarray[Any, Any], count: int) -> tuple[Any, Any]:
    """How many positive, and negative, rows of each key stand at each rank. Shape: ranks by keys, sparse."""
    values, rank = np.unique(p, return_inverse=True)
    shape = (values.size, count)
    positive, negative = (
        sparse.csr_array((np.ones(int(rows.sum())), (rank[rows], codes[rows])), shape=shape) for rows in (y, ~y)
    )
    return positive, negative


def _areas(positive: Any, negative: Any, weights: Numbers) -> Numbers:  # noqa: ANN401 (scipy has no types)
    """Area under the ROC curve of each column of key weights; NaN where they leave one class only."""
    hits, alarms = positive @ weights, negative @ weights
    below = np.cumsum(alarms, axis=0)
    below -= alarms / 2
    pairs = hits.sum(axis=0) * alarms.sum(axis=0)
    won: Numbers = np.einsum("ij,ij->j", hits, below)
    areas: Numbers = np.divide(won, pairs, out=np.full(pairs.size, np.nan), where=pairs > 0)
    return areas
