"""How well realised predictions ranked who came back, and whether that is worse than the test set promised."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import polars as pl

from mlpipe_assets.learning.metrics import Metrics, measure, measure_slices
from mlpipe_assets.monitoring.champions import OVERALL, OnTestSet
from mlpipe_assets.monitoring.odd_days import without_oddest
from mlpipe_assets.statistics.measurements import Measurement, Verdict

METHOD = "roc_auc"
_LEAST = 10  # of either class: below that a metric of a slice says nothing
_SURE = 1.96  # standard errors that chance passes once in twenty


def spread_of_auc(auc: float, positives: float, negatives: float) -> float:
    """Standard error of an area under the ROC curve. Source: Hanley and McNeil, Radiology 143 (1982)."""
    one, two = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (positives - 1) * (one - auc**2) + (negatives - 1) * (two - auc**2)
    return math.sqrt(variance / (positives * negatives))


def measure_ranking(
    rows: pl.DataFrame,
    tested: Mapping[str, OnTestSet],
    slices: Sequence[str],
    tolerance: float,
    *,
    keys: Sequence[str] = (),
) -> list[Measurement]:
    """Metrics of realised rows, over all of them and by slice. Columns: probability, label, and one of text per slice.

    The area under the ROC curve decides. It is worse when it lies below that of the test set by more than the tolerance and
    what chance explains for samples of both sizes, perhaps worse when by more than chance. The rest is evidence. Chance takes
    the rows of one entity as one: the same customer on seven days is no seven customers.
    """
    apart = rows.select(keys).n_unique() / rows.height if keys and rows.height else 1.0
    whole = measure(rows["label"], rows["probability"])
    found = [_judge(OVERALL, whole, tested.get(OVERALL), tolerance, apart)]
    evidence = {
        "pr_auc": whole.pr_auc,
        "log_loss": whole.log_loss,
        "brier": whole.brier,
        "calibration_error": whole.calibration_error,
        "share_that_came_true": whole.prevalence,
    }
    found += [
        Measurement(column=OVERALL, method=method, value=_known(value), n_reference=0, n_current=whole.rows)
        for method, value in evidence.items()
    ]
    by_slice = measure_slices(rows["label"], rows["probability"], rows.select(slices))
    for column, values in by_slice.items():
        for value, metrics in values.items():
            name = f"{column}={value}"
            found.append(_judge(name, metrics, tested.get(name), tolerance, apart))
    return found


def is_worse_without(
    rows: pl.DataFrame, tested: Mapping[str, OnTestSet], tolerance: float, odd: int, *, keys: Sequence[str] = ()
) -> bool:
    """Whether rows rank worse than tested also without the `odd` days of them whose absence helps most, by `as_of`.

    What a day does to the ranking is seen only beside the others: one on which every probability is twice as large ranks its
    own rows as well as ever. Rows of no more days than that are never worse.
    """
    days = rows["as_of"].unique().to_list()
    if len(days) <= odd:
        return False
    of_others = {day: _measure_without(rows, [day]).roc_auc for day in days}
    far = {day: -math.inf if auc is None else auc for day, auc in of_others.items()}
    kept = rows.filter(pl.col("as_of").is_in(without_oddest(far, odd)))
    return measure_ranking(kept, tested, [], tolerance, keys=keys)[0].verdict == "drift"


def _measure_without(rows: pl.DataFrame, days: Sequence[date]) -> Metrics:
    others = rows.filter(~pl.col("as_of").is_in(days))
    return measure(others["label"], others["probability"])


def _judge(column: str, metrics: Metrics, tested: OnTestSet | None, tolerance: float, apart: float) -> Measurement:
    negatives = metrics.rows - metrics.positives
    n = tested.rows if tested else 0
    plain = Measurement(
        column=column, method=METHOD, value=_known(metrics.roc_auc), n_reference=n, n_current=metrics.rows
    )
    if metrics.roc_auc is None or min(metrics.positives, negatives) < _LEAST:
        note = f"too few to judge: {metrics.positives:,} of {metrics.rows:,} came true"
        return replace(plain, note=note)
    if tested is None or not 0 < tested.positives < tested.rows:
        return replace(plain, note="the test set did not tell")
    chance = _SURE * math.hypot(
        spread_of_auc(metrics.roc_auc, max(1.0, metrics.positives * apart), max(1.0, negatives * apart)),
        spread_of_auc(tested.roc_auc, tested.positives, tested.rows - tested.positives),
    )
    lost = tested.roc_auc - metrics.roc_auc
    verdict: Verdict = "drift" if lost > tolerance + chance else "possible" if lost > chance else "none"
    return replace(
        plain,
        threshold=tested.roc_auc - tolerance - chance,
        floor=chance,
        verdict=verdict,
        note=f"{tested.roc_auc:.3f} on the test set",
    )


def _known(value: float | None) -> float:
    return math.nan if value is None else value
