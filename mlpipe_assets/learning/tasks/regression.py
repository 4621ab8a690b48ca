"""How much: answers are numbers in the label's unit, models are compared by the root of the mean squared error."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import polars as pl

from mlpipe_assets.catalog.learners import Learner
from mlpipe_assets.catalog.tasks import TaskName
from mlpipe_assets.learning.metrics import Numbers
from mlpipe_assets.learning.number_metrics import NumberMetrics, answers_by_tenth, as_numbers, measure_numbers
from mlpipe_assets.learning.tasks.estimators import boosting, ridge
from mlpipe_assets.learning.tasks.loss_task import LossTask
from mlpipe_assets.learning.tasks.task import Measured, Summary
from mlpipe_assets.pictures.charts import bars

ANSWER = "prediction"
_WORSE = 1.5  # times the error of all rows from which a slice is named
_BIASED = 0.1  # share of the mean of the labels from which a bias is named
_LEAST = 30  # rows below which a mean error says nothing


class Regression(LossTask):
    """A number."""

    name: TaskName = "regression"
    loss = "rmse"
    root = True
    on_record = ("rmse", "mae", "median_absolute_error", "bias", "r2", "mape", "mean", "rows")
    told = ("rmse", "mae", "r2")
    called: Mapping[str, str] = {
        "rows": "rows",
        "mean": "mean of the label",
        "rmse": "RMSE",
        "mae": "MAE",
        "median_absolute_error": "median absolute error",
        "bias": "bias",
        "r2": "R²",
        "mape": "MAPE",
    }
    more_is_better = frozenset({"r2"})
    realised_by = "mae"
    realised_evidence: Mapping[str, str] = {"rmse": "rmse", "bias": "bias", "r2": "r2", "mean_of_the_label": "mean"}
    realised_columns = (ANSWER,)
    realised_label = pl.Float64()
    power = "rank correlation"
    off = "The mean absolute error is high"

    def objection(self, label: pl.Series) -> str | None:
        """Numbers that are none."""
        wrong = int((~label.cast(pl.Float64).is_finite()).sum())
        return f"is NaN or infinite on {wrong:,} of {label.len():,} rows" if wrong else None

    def summarise(self, label: pl.Series) -> dict[str, Any]:
        """Mean and median."""
        values = as_numbers(label)
        return {"mean": float(values.mean()), "median": float(np.median(values))}

    def encode(self, label: pl.Series, summary: Summary) -> np.ndarray[Any, Any]:
        """The numbers."""
        del summary
        return as_numbers(label)

    def estimator(self, learner: Learner, *, watched: bool) -> Any:  # noqa: ANN401 (one of two classes without a common type)
        """Gradient boosting of the squared error, or ridge regression."""
        return ridge(learner) if learner.algorithm == "linear_regression" else boosting(learner, watched, numbers=True)

    def answer(self, pipeline: Any, matrix: pl.DataFrame, summary: Summary) -> pl.Series:  # noqa: ANN401 (as above)
        """The number."""
        del summary
        answers = pipeline.predict(matrix) if matrix.height else []
        return pl.Series(ANSWER, np.asarray(answers, dtype=np.float64).reshape(-1))

    def describe(self, label: pl.Series) -> dict[str, float | int | None]:
        """Mean and median of the labels."""
        values = as_numbers(label)
        if not values.size:
            return {"mean": None, "median": None}
        return {"mean": round(float(values.mean()), 6), "median": round(float(np.median(values)), 6)}

    def targets(self, label: pl.Series) -> Sequence[pl.Series]:
        """The label itself."""
        return [label.cast(pl.Float64)] if label.n_unique() > 1 else []

    def measure(self, label: pl.Series, answers: pl.Series) -> NumberMetrics:
        """Errors of several kinds."""
        return measure_numbers(label, answers)

    def constants(self, summary: Summary, rows: int) -> dict[str, pl.Series]:
        """Mean and median of train."""
        return {name: pl.repeat(summary[name], rows, eager=True) for name in ("mean", "median")}

    def losses(self, label: pl.Series, answers: pl.Series) -> Numbers:
        """Squared error."""
        found: Numbers = (as_numbers(answers) - as_numbers(label)) ** 2
        return found

    def is_off(self, metrics: Measured, whole: Measured) -> str | None:
        """An error well above that of all rows."""
        own, all_rows = cast("NumberMetrics", metrics).mae, cast("NumberMetrics", whole).mae
        return f"{own:.4g}" if own is not None and all_rows is not None and own > _WORSE * all_rows else None

    def doubts(self, test: Measured, baselines: Mapping[str, Measured]) -> list[str]:
        """Answers that are too high or too low on the whole, and baselines that lose less."""
        whole = cast("NumberMetrics", test)
        found = super().doubts(test, baselines)
        if whole.bias is not None and whole.mean and abs(whole.bias) > _BIASED * abs(whole.mean):
            words = "high" if whole.bias > 0 else "low"
            found.append(
                f"Answers are too {words} by {abs(whole.bias):.4g} on average on test: rank by them, do not add them up."
            )
        return found

    def shifts(self, validation: Measured, test: Measured) -> list[str]:
        """Another mean of the label."""
        before, now = cast("NumberMetrics", validation).mean, cast("NumberMetrics", test).mean
        if before is None or now is None or abs(before - now) <= _BIASED * abs(before):
            return []
        return [f"The mean of the label moved from {before:.4g} in validation to {now:.4g} in test."]

    def pictures(
        self, labels: Mapping[str, pl.Series], answers: Mapping[str, pl.Series], test: Measured
    ) -> dict[str, str]:
        """Mean label beside mean answer, by tenths of the answers on test."""
        found = (
            answers_by_tenth(labels["test"], answers["test"])
            if "test" in answers
            else answers_by_tenth(*[pl.Series([])] * 2)
        )
        bias = cast("NumberMetrics", test).bias
        picture = bars(
            [f"{i + 1}" for i in range(found.height)],
            found["predicted"].to_list(),
            found["observed"].to_list(),
            title="Answered and observed on test",
            description="Mean answer and mean label of tenths of the rows, from the lowest answers to the highest."
            + (f" Mean of answer minus label: {bias:.4g}." if bias is not None else ""),
            names=("answered", "observed"),
            x_label="tenth of the rows, by answer",
        )
        return {"answered and observed": picture}

    def is_answer(self, column: str) -> bool:
        """The number."""
        return column == ANSWER

    def to_columns(self, answers: pl.Series) -> pl.DataFrame:
        """The number."""
        return answers.alias(ANSWER).to_frame()

    def from_columns(self, columns: pl.DataFrame) -> pl.Series:
        """The number."""
        return columns[ANSWER]

    def unsound(self, answers: pl.Series) -> str | None:
        """What is no number."""
        return None if answers.is_finite().all() else "some of its answers on the golden rows are NaN or infinite"

    def moved(self, expected: pl.Series, answered: pl.Series) -> pl.Series:
        """Distance of the numbers, as a share of those above 1."""
        size = pl.DataFrame({"size": expected.abs()}).select(pl.max_horizontal("size", pl.lit(1.0))).to_series()
        return (answered - expected).abs() / size

    def predictions(self, answers: pl.Series, learner: Learner, wanted: Mapping[str, pl.DataType]) -> pl.DataFrame:
        """The number."""
        del learner
        return answers.cast(wanted.get(ANSWER, pl.Float64())).alias(ANSWER).to_frame()

    def spell_prediction(self, row: Mapping[str, Any]) -> str:
        """The number."""
        return f"{row[ANSWER]:.6g}"

    def measure_realised(self, rows: pl.DataFrame) -> NumberMetrics:
        """As of any rows."""
        return measure_numbers(rows["label"], rows[ANSWER])

    def spread(self, metrics: Mapping[str, Any], apart: float) -> float | None:
        """Standard error of the mean absolute error, whose variance is that of the squared error less its own square."""
        if metrics.get("mae") is None:
            return None
        variance = max(0.0, metrics["rmse"] ** 2 - metrics["mae"] ** 2)
        return math.sqrt(variance / max(1.0, metrics["rows"] * apart))

    def too_few(self, metrics: Mapping[str, Any]) -> str | None:
        """Too few rows."""
        return None if metrics["rows"] >= _LEAST else f"too few to judge: {metrics['rows']:,} rows"


REGRESSION = Regression()
