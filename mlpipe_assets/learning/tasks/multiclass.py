"""Which of several classes: answers are a probability of each, models are compared by log loss."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import polars as pl

from mlpipe_assets.catalog.learners import Learner
from mlpipe_assets.catalog.tasks import CLASS_PREFIX, TaskName
from mlpipe_assets.learning.class_metrics import (
    ClassMetrics,
    likeliest,
    losses_of_classes,
    measure_answered,
    measure_classes,
    names_of,
)
from mlpipe_assets.learning.errors import LearningError
from mlpipe_assets.learning.metrics import Numbers, calibration
from mlpipe_assets.learning.tasks.estimators import boosting, logistic_regression
from mlpipe_assets.learning.tasks.loss_task import LossTask
from mlpipe_assets.learning.tasks.task import Measured, Summary
from mlpipe_assets.pictures.charts import curve
from mlpipe_assets.pictures.lines import Series

_OFF = 0.05  # a calibration error people would notice in a decision
_WORSE = 1.25  # times the loss of all rows from which a slice is named
_LEAST = 30  # rows below which an accuracy says nothing
_MOST_CLASSES = 20  # of which the card shows the confusion matrix, and a giveaway is looked for


class Multiclass(LossTask):
    """One of several classes, which are known by their text."""

    name: TaskName = "multiclass"
    loss = "log_loss"
    root = False
    on_record = ("log_loss", "accuracy", "macro_f1", "macro_roc_auc", "calibration_error", "rows")
    told = ("log_loss", "accuracy", "macro_roc_auc")
    called: Mapping[str, str] = {
        "rows": "rows",
        "log_loss": "log loss",
        "accuracy": "accuracy",
        "macro_f1": "macro F1",
        "macro_roc_auc": "macro ROC AUC",
        "calibration_error": "calibration error",
    }
    more_is_better = frozenset({"accuracy", "macro_f1", "macro_roc_auc"})
    realised_by = "accuracy"
    realised_evidence: Mapping[str, str] = {"macro_f1": "macro_f1", "calibration_error": "calibration_error"}
    realised_columns = ("prediction", "probability")
    realised_label = pl.String()
    power = "area under the ROC curve of one class against the rest"
    off = "The log loss is high"

    def objection(self, label: pl.Series) -> str | None:
        """Nothing: any text or whole number is a class."""
        del label
        return None

    def summarise(self, label: pl.Series) -> dict[str, Any]:
        """The classes in the order of their values, and the share of each."""
        counts = label.value_counts().sort(label.name)
        shares = (counts["count"] / label.len()).to_list()
        return {"classes": counts[label.name].cast(pl.String).to_list(), "shares": [float(one) for one in shares]}

    def encode(self, label: pl.Series, summary: Summary) -> np.ndarray[Any, Any]:
        """The place of each class."""
        places = {name: i for i, name in enumerate(summary["classes"])}
        return label.cast(pl.String).replace_strict(places, default=-1, return_dtype=pl.Int64).to_numpy()

    def usable(self, target: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Labels of classes that train has."""
        found: np.ndarray[Any, np.dtype[np.bool_]] = target >= 0
        return found

    def estimator(self, learner: Learner, *, watched: bool) -> Any:  # noqa: ANN401 (one of two classes without a common type)
        """Gradient boosting or softmax regression."""
        return (
            logistic_regression(learner) if learner.algorithm == "logistic_regression" else boosting(learner, watched)
        )

    def answer(self, pipeline: Any, matrix: pl.DataFrame, summary: Summary) -> pl.Series:  # noqa: ANN401 (as above)
        """Probability of each class."""
        names = summary["classes"]
        table = np.asarray(
            pipeline.predict_proba(matrix) if matrix.height else np.zeros((0, len(names))), dtype=np.float64
        )
        if table.shape[1] != len(names):
            raise LearningError(f"The estimator answers {table.shape[1]} classes, and train has {len(names)}.")
        return pl.DataFrame({name: table[:, i] for i, name in enumerate(names)}).to_struct("probabilities")

    def describe(self, label: pl.Series) -> dict[str, float | int | None]:
        """Number of classes."""
        return {"classes": label.n_unique()}

    def targets(self, label: pl.Series) -> Sequence[pl.Series]:
        """Each class against the rest; of many, the most frequent ones."""
        counts = label.value_counts().sort("count", label.name, descending=[True, False])
        return [label == value for value in counts[label.name].head(_MOST_CLASSES)] if counts.height > 1 else []

    def measure(self, label: pl.Series, answers: pl.Series) -> ClassMetrics:
        """Loss, accuracy, ranking and calibration."""
        return measure_classes(label, answers.struct.unnest())

    def constants(self, summary: Summary, rows: int) -> dict[str, pl.Series]:
        """The shares of the classes in train."""
        shares = dict(zip(summary["classes"], summary["shares"], strict=True))
        table = pl.DataFrame({name: pl.repeat(share, rows, eager=True) for name, share in shares.items()})
        return {"prevalence": table.to_struct("probabilities")}

    def losses(self, label: pl.Series, answers: pl.Series) -> Numbers:
        """Negative log-likelihood."""
        return losses_of_classes(label, answers.struct.unnest())

    def is_off(self, metrics: Measured, whole: Measured) -> str | None:
        """A loss well above that of all rows."""
        own, all_rows = cast("ClassMetrics", metrics).log_loss, cast("ClassMetrics", whole).log_loss
        return f"{own:.3f}" if own is not None and all_rows is not None and own > _WORSE * all_rows else None

    def doubts(self, test: Measured, baselines: Mapping[str, Measured]) -> list[str]:
        """Probabilities that are off, baselines that lose less, and classes that are never answered."""
        whole, found = cast("ClassMetrics", test), []
        if whole.calibration_error is not None and whole.calibration_error > _OFF:
            found.append(
                f"Probabilities of the likeliest class are off by {whole.calibration_error:.3f} on average on test: do not read "
                "them as frequencies."
            )
        never = [
            f"{name} ({one['rows']:,})" for name, one in whole.by_class.items() if one["rows"] and not one["answered"]
        ]
        if never:
            found.append(f"Never the likeliest class on test: {', '.join(never[:10])}.")
        return [*found, *super().doubts(test, baselines)]

    def shifts(self, validation: Measured, test: Measured) -> list[str]:
        """Other shares of the classes."""
        before, now = cast("ClassMetrics", validation), cast("ClassMetrics", test)
        found = []
        for name in sorted({*before.by_class, *now.by_class}):
            was, is_now = (m.by_class.get(name, {}).get("rows", 0) / m.rows for m in (before, now))  # type: ignore[operator]
            if abs(was - is_now) > _OFF:
                found.append(f"The share of {name} moved from {was:.3f} in validation to {is_now:.3f} in test.")
        return found[:10]

    def pictures(
        self, labels: Mapping[str, pl.Series], answers: Mapping[str, pl.Series], test: Measured
    ) -> dict[str, str]:
        """Calibration of the likeliest class."""
        lines = []
        for name, found in answers.items():
            answered, top = likeliest(found.struct.unnest())
            bins = calibration(labels[name].cast(pl.String) == answered, top)
            lines.append(Series(name=name, points=list(zip(bins["predicted"], bins["observed"], strict=True))))
        error = cast("ClassMetrics", test).calibration_error
        picture = curve(
            lines,
            title="Calibration of the likeliest class",
            description="Share in which the likeliest class happened by its probability, in ten bins."
            + (f" Mean distance on test: {error:.3f}." if error is not None else ""),
            x_label="predicted probability",
            y_label="observed share",
            diagonal="perfect",
        )
        return {"calibration": picture}

    def tables(self, test: Measured) -> list[str]:
        """Metrics of each class, and which is taken for which."""
        whole = cast("ClassMetrics", test)
        lines = ["### By class, on test", "", "| class | rows | answered | precision | recall | F1 | ROC AUC |"]
        lines.append("|---|---:|---:|---:|---:|---:|---:|")
        for name, one in whole.by_class.items():
            numbers = [_spell(one[metric]) for metric in ("precision", "recall", "f1", "roc_auc")]
            lines.append(f"| {_cell(name)} | {one['rows']:,} | {one['answered']:,} | {' | '.join(numbers)} |")
        names = names_of(whole.confusion)
        if len(names) > _MOST_CLASSES:
            return [*lines, ""]
        lines += ["", "### What happened (rows) and what was answered (columns), on test", ""]
        lines += [f"| | {' | '.join(map(_cell, names))} |", f"|---|{'---:|' * len(names)}"]
        for name in names:
            row = whole.confusion.get(name, {})
            lines.append(f"| {_cell(name)} | {' | '.join(f'{row.get(other, 0):,}' for other in names)} |")
        return [*lines, ""]

    def is_answer(self, column: str) -> bool:
        """The probability of a class."""
        return column.startswith(CLASS_PREFIX)

    def to_columns(self, answers: pl.Series) -> pl.DataFrame:
        """A column for each class."""
        table = answers.struct.unnest()
        return table.rename({name: f"{CLASS_PREFIX}{name}" for name in table.columns})

    def from_columns(self, columns: pl.DataFrame) -> pl.Series:
        """The columns of classes, without what they begin with."""
        return columns.rename(lambda name: name.removeprefix(CLASS_PREFIX)).to_struct("probabilities")

    def unsound(self, answers: pl.Series) -> str | None:
        """What is no probability."""
        for one in answers.struct.unnest().get_columns():
            if not one.is_between(0, 1).all() or one.is_nan().any():
                return "some of its answers on the golden rows are no probabilities"
        return None

    def moved(self, expected: pl.Series, answered: pl.Series) -> pl.Series:
        """The furthest that the probability of any class moved; a class that only one has counts as 0 in the other."""
        moves = _moves(expected, answered)
        furthest = moves.select(pl.max_horizontal(pl.all())).to_series()
        return furthest.set(answered.is_null() | expected.is_null(), None)

    def show_golden(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The probabilities of the class that moved furthest, of equal ones the likeliest."""
        kept = rows["expected"].struct.unnest()
        moves = pl.DataFrame({name: pl.zeros(rows.height, eager=True) for name in kept.columns})
        for other in ("answered", "from_features"):
            found = _moves(rows["expected"], rows[other]).select(kept.columns)
            known = rows[other].is_not_null()
            moves = moves.with_columns(
                pl.max_horizontal(pl.col(n), pl.when(known).then(found[n]).otherwise(0.0)).alias(n)
                for n in kept.columns
            )
        far, likely = moves.to_numpy(), kept.to_numpy()
        order = np.lexsort((-likely, -far), axis=1)[:, 0] if rows.height else np.zeros(0, dtype=np.int64)
        shown = [kept.columns[i] for i in order]

        def of_shown(column: str) -> pl.Series:
            probabilities = rows[column].to_list()
            values = [row.get(name, 0.0) if row else None for row, name in zip(probabilities, shown, strict=True)]
            return pl.Series(column, values, dtype=pl.Float64)

        return rows.with_columns(
            of_shown("expected"),
            of_shown("answered"),
            of_shown("from_features"),
            pl.Series("shown_class", shown, dtype=pl.String),
        )

    def predictions(self, answers: pl.Series, learner: Learner, wanted: Mapping[str, pl.DataType]) -> pl.DataFrame:
        """The likeliest class, its probability, and those of the classes that are wanted; 0 of one that train did not have."""
        del learner
        table = answers.struct.unnest()
        answered, top = likeliest(table)
        columns = [answered.cast(wanted.get("prediction", pl.String())).alias("prediction"), top.alias("probability")]
        for name in wanted:
            if name.startswith(CLASS_PREFIX):
                known = table.to_dict().get(name.removeprefix(CLASS_PREFIX))
                columns.append((pl.zeros(table.height, eager=True) if known is None else known).alias(name))
        return pl.DataFrame(columns)

    def spell_prediction(self, row: Mapping[str, Any]) -> str:
        """The class and its probability."""
        return f"{row['prediction']}, probability {row['probability']:.4f}"

    def measure_realised(self, rows: pl.DataFrame) -> ClassMetrics:
        """What follows from the likeliest class and its probability."""
        return measure_answered(rows["label"], rows["prediction"], rows["probability"])

    def spread(self, metrics: Mapping[str, Any], apart: float) -> float | None:
        """Standard error of the accuracy. Source: Agresti and Coull, The American Statistician 52 (1998): two more of each."""
        if metrics.get("accuracy") is None:
            return None
        n = max(1.0, metrics["rows"] * apart)
        share = (metrics["accuracy"] * n + 2) / (n + 4)
        return float(np.sqrt(share * (1 - share) / (n + 4)))

    def too_few(self, metrics: Mapping[str, Any]) -> str | None:
        """Too few rows."""
        return None if metrics["rows"] >= _LEAST else f"too few to judge: {metrics['rows']:,} rows"


def _moves(expected: pl.Series, answered: pl.Series) -> pl.DataFrame:
    """Distance of the probabilities of each class that either has."""
    before, now = (one.struct.unnest() if one.dtype == pl.Struct else pl.DataFrame() for one in (expected, answered))
    names = [*before.columns, *(name for name in now.columns if name not in before.columns)]
    zero = pl.zeros(expected.len(), eager=True)
    sides = [[frame.to_dict().get(name, zero).fill_null(0.0) for name in names] for frame in (before, now)]
    return pl.DataFrame({name: (a - b).abs() for name, a, b in zip(names, *sides, strict=True)})


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _spell(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


MULTICLASS = Multiclass()
