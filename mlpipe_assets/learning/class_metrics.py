"""How good the probabilities of several classes are: loss, accuracy, ranking of each class against the rest, calibration.

Classes are known by their text. A number that some rows cannot tell is None.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import polars as pl

from mlpipe_assets.learning.metrics import Numbers, calibration, calibration_error, roc_auc

_SMALLEST = 1e-15  # as of two classes: a probability of 0 for what happened would make the loss infinite


@dataclass(frozen=True, kw_only=True)
class ClassMetrics:
    """How good answers are on some rows.

    Attributes:
        rows: Number of rows.
        log_loss: Mean negative log-likelihood of the class that happened, in nats.
        accuracy: Share of rows whose likeliest class happened; of equally likely ones the first counts.
        macro_f1: Mean over the classes that happened or were answered of the harmonic mean of precision and recall.
        macro_roc_auc: Mean over the classes that happened, not always, of the chance that a row of the class ranks above one
            of another by the probability of the class; a tie counts half.
        calibration_error: Mean distance of the probability of the likeliest class and the share in which it happened, over
            ten bins, weighted by rows.
        by_class: Of each class: rows, how often it was answered, precision, recall, f1 and ROC AUC against the rest.
        confusion: Number of rows by the class that happened and the one that was answered; pairs without rows are left out.
    """

    rows: int
    log_loss: float | None = None
    accuracy: float | None = None
    macro_f1: float | None = None
    macro_roc_auc: float | None = None
    calibration_error: float | None = None
    by_class: Mapping[str, Mapping[str, float | int | None]] = field(default_factory=dict)
    confusion: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The numbers by name."""
        return asdict(self)


def measure_classes(label: pl.Series, probabilities: pl.DataFrame) -> ClassMetrics:
    """All metrics of the probabilities of classes, a column each, against the labels of the same rows."""
    happened = label.cast(pl.String)
    if not happened.len():
        return ClassMetrics(rows=0)
    answered, top = likeliest(probabilities)
    hits = happened == answered
    areas = _areas(happened, probabilities)
    by_class = _by_class(happened, answered, areas)
    known = [area for area in areas.values() if area is not None]
    return ClassMetrics(
        rows=happened.len(),
        log_loss=float(losses_of_classes(happened, probabilities).mean()),
        accuracy=float(hits.to_numpy().mean()),
        macro_f1=_macro_f1(by_class),
        macro_roc_auc=float(np.mean(known)) if known else None,
        calibration_error=calibration_error(calibration(hits, top)),
        by_class=by_class,
        confusion=_confusion(happened, answered),
    )


def measure_answered(label: pl.Series, prediction: pl.Series, probability: pl.Series) -> ClassMetrics:
    """The metrics that follow from the likeliest class and its probability alone: those of stored predictions."""
    happened, answered = label.cast(pl.String), prediction.cast(pl.String)
    if not happened.len():
        return ClassMetrics(rows=0)
    hits = happened == answered
    by_class = _by_class(happened, answered, {})
    return ClassMetrics(
        rows=happened.len(),
        accuracy=float(hits.to_numpy().mean()),
        macro_f1=_macro_f1(by_class),
        calibration_error=calibration_error(calibration(hits, probability)),
        by_class=by_class,
        confusion=_confusion(happened, answered),
    )


def likeliest(probabilities: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """The likeliest class of each row, the first of equally likely ones, and its probability."""
    if not probabilities.height:
        return pl.Series([], dtype=pl.String), pl.Series([], dtype=pl.Float64)
    table = probabilities.to_numpy()
    place = table.argmax(axis=1)
    names = np.array(probabilities.columns, dtype=object)
    return pl.Series(names[place].tolist(), dtype=pl.String), pl.Series(table[np.arange(place.size), place])


def losses_of_classes(label: pl.Series, probabilities: pl.DataFrame) -> Numbers:
    """Negative log-likelihood of each row; a class without a column has the smallest probability."""
    table, names = probabilities.to_numpy(), probabilities.columns
    column = label.cast(pl.String).replace_strict(
        {n: i for i, n in enumerate(names)}, default=-1, return_dtype=pl.Int64
    )
    place = column.to_numpy()
    likely = np.where(place >= 0, table[np.arange(place.size), np.maximum(place, 0)], 0.0)
    found: Numbers = -np.log(np.clip(likely, _SMALLEST, 1.0))
    return found


def _areas(happened: pl.Series, probabilities: pl.DataFrame) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for name in probabilities.columns:
        is_it = (happened == name).to_numpy()
        both = is_it.any() and not is_it.all()
        found[name] = roc_auc(is_it, probabilities[name].to_numpy()) if both else None
    return found


def _by_class(
    happened: pl.Series, answered: pl.Series, areas: Mapping[str, float | None]
) -> dict[str, dict[str, float | int | None]]:
    found: dict[str, dict[str, float | int | None]] = {}
    for name in sorted({*happened.unique(), *answered.unique()}):
        is_it, said = happened == name, answered == name
        right = int((is_it & said).sum())
        rows, times = int(is_it.sum()), int(said.sum())
        found[name] = {
            "rows": rows,
            "answered": times,
            "precision": right / times if times else None,
            "recall": right / rows if rows else None,
            "f1": 2 * right / (rows + times),
            "roc_auc": areas.get(name),
        }
    return found


def _macro_f1(by_class: Mapping[str, Mapping[str, float | int | None]]) -> float:
    return float(np.mean([one["f1"] for one in by_class.values()]))


def _confusion(happened: pl.Series, answered: pl.Series) -> dict[str, dict[str, int]]:
    pairs = pl.DataFrame({"happened": happened, "answered": answered}).group_by("happened", "answered").len()
    found: dict[str, dict[str, int]] = {}
    for was, said, count in pairs.sort("happened", "answered").iter_rows():
        found.setdefault(was, {})[said] = count
    return found


def names_of(counts: Mapping[str, Mapping[str, int]]) -> Sequence[str]:
    """Every class of a confusion matrix, in order."""
    return sorted({*counts, *(name for row in counts.values() for name in row)})
