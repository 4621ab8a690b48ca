"""Whether something happens: answers are probabilities, models are compared by how they rank."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import polars as pl

from mlpipe_assets.catalog.learners import Learner, Promotion
from mlpipe_assets.catalog.tasks import TaskName
from mlpipe_assets.errors import spell_count
from mlpipe_assets.learning.metrics import (
    MAIN_METRICS,
    Flags,
    Metrics,
    Numbers,
    calibration,
    measure,
    precision_recall,
    roc_auc,
    spread_of_auc,
)
from mlpipe_assets.learning.tasks.estimators import boosting, logistic_regression
from mlpipe_assets.learning.tasks.task import Difference, Measured, Scorer, Summary, Task
from mlpipe_assets.pictures.charts import curve
from mlpipe_assets.pictures.lines import Series

ANSWER = "probability"
_OFF = 0.05  # a calibration error people would notice in a decision
_LEAST = 10  # of either class: below that a metric of a slice says nothing


class Binary(Task):
    """Yes or no."""

    name: TaskName = "binary"
    loss = "log_loss"
    ranking = "roc_auc"
    on_record = MAIN_METRICS
    told = ("roc_auc", "log_loss", "brier")
    called: Mapping[str, str] = {
        "rows": "rows",
        "prevalence": "prevalence",
        "roc_auc": "ROC AUC",
        "pr_auc": "PR AUC",
        "log_loss": "log loss",
        "brier": "Brier",
        "calibration_error": "calibration error",
    }
    more_is_better = frozenset({"roc_auc", "pr_auc"})
    realised_by = "roc_auc"
    realised_evidence: Mapping[str, str] = {
        "pr_auc": "pr_auc",
        "log_loss": "log_loss",
        "brier": "brier",
        "calibration_error": "calibration_error",
        "share_that_came_true": "prevalence",
    }
    realised_columns = (ANSWER,)
    realised_label = pl.Boolean()
    untold = "of one class only"
    power = "area under the ROC curve"
    off = "Probabilities are off"

    def objection(self, label: pl.Series) -> str | None:
        """Other values than yes and no."""
        other = label.cast(pl.Int64).unique().sort().to_list()
        found = [value for value in other if value not in (0, 1)]
        if not found:
            return None
        return f"holds {found[0]}, and a binary label is 0 or 1: declare task='multiclass' or 'regression', or mend the SQL"

    def summarise(self, label: pl.Series) -> dict[str, Any]:
        """The share of positives."""
        return {"prevalence": float(label.cast(pl.Int64).to_numpy().mean())}

    def encode(self, label: pl.Series, summary: Summary) -> np.ndarray[Any, Any]:
        """0 and 1."""
        del summary
        return label.cast(pl.Int64).to_numpy()

    def estimator(self, learner: Learner, *, watched: bool) -> Any:  # noqa: ANN401 (one of two classes without a common type)
        """Gradient boosting or logistic regression."""
        return (
            logistic_regression(learner) if learner.algorithm == "logistic_regression" else boosting(learner, watched)
        )

    def answer(self, pipeline: Any, matrix: pl.DataFrame, summary: Summary) -> pl.Series:  # noqa: ANN401 (as above)
        """Probability of yes."""
        del summary
        answers = pipeline.predict_proba(matrix)[:, 1] if matrix.height else []
        return pl.Series(ANSWER, np.asarray(answers, dtype=np.float64))

    def describe(self, label: pl.Series) -> dict[str, float | int | None]:
        """Number of positives."""
        return {"positives": int(label.cast(pl.Int64).sum())}

    def targets(self, label: pl.Series) -> Sequence[pl.Series]:
        """The label itself, where it has two values."""
        if label.dtype == pl.Boolean:
            return [label]
        return [label == label.max()] if label.n_unique() <= 2 else []  # noqa: PLR2004 (yes and no)

    def measure(self, label: pl.Series, answers: pl.Series) -> Metrics:
        """Ranking, loss and calibration."""
        return measure(label, answers)

    def constants(self, summary: Summary, rows: int) -> dict[str, pl.Series]:
        """The share of positives in train."""
        return {"prevalence": pl.repeat(summary["prevalence"], rows, eager=True)}

    def score(self, label: pl.Series, answers: pl.Series) -> float | None:
        """Area under the ROC curve."""
        y, p = _arrays(label, answers)
        return roc_auc(y, p) if y.size and y.any() and not y.all() else None

    def scorer(self, label: pl.Series, answers: pl.Series, codes: np.ndarray[Any, Any], count: int) -> Scorer:
        """Area under the ROC curve of weighted keys: a resample only weighs keys, so rows are ranked once."""
        from scipy import sparse  # noqa: PLC0415 (definitions need no scipy)

        y, p = _arrays(label, answers)
        values, rank = np.unique(p, return_inverse=True)
        shape = (values.size, count)
        positive, negative = (  # how many of each key stand at each rank
            sparse.csr_array((np.ones(int(rows.sum())), (rank[rows], codes[rows])), shape=shape) for rows in (y, ~y)
        )

        def areas(weights: Numbers) -> Numbers:
            hits, alarms = positive @ weights, negative @ weights
            below = np.cumsum(alarms, axis=0)
            below -= alarms / 2
            pairs = hits.sum(axis=0) * alarms.sum(axis=0)
            won: Numbers = np.einsum("ij,ij->j", hits, below)
            found: Numbers = np.divide(won, pairs, out=np.full(pairs.size, np.nan), where=pairs > 0)
            return found

        return areas

    def spell_difference(self, difference: Difference) -> tuple[str, str]:
        """A difference of areas, and its interval."""
        return f"ROC AUC {difference.value:+.4f}", f"{difference.low:+.4f} to {difference.high:+.4f}"

    def spell_loss(self, difference: Difference) -> tuple[str, str]:
        """How far the area lies below the champion's."""
        return (
            f"ROC AUC is {-(difference.value or 0.0):.4f} below the champion's",
            f"{difference.low:+.4f} to {difference.high:+.4f}",
        )

    def missed(self, promotion: Promotion, test: Measured, constants: Mapping[str, Measured]) -> list[str]:
        """The least area, and the most log loss as a multiple of that of the prevalence baseline."""
        ours, prevalence = cast("Metrics", test), cast("Metrics", constants["prevalence"])
        least = 0.55 if promotion.min_roc_auc is None else promotion.min_roc_auc
        ratio = 1.0 if promotion.max_log_loss_ratio is None else promotion.max_log_loss_ratio
        problems: list[str] = []
        if ours.roc_auc is None:
            problems.append(
                f"ROC AUC on test cannot be told: {ours.positives:,} of {spell_count(ours.rows, 'row is', 'rows are')} positive"
            )
        elif ours.roc_auc < least:
            problems.append(f"ROC AUC {ours.roc_auc:.4f} on test is below {least:g}")
        if ours.log_loss is not None and prevalence.log_loss is not None:
            most = ratio * prevalence.log_loss
            if ours.log_loss > most:
                problems.append(
                    f"log loss {ours.log_loss:.4f} on test is above {most:.4f} ({ratio:g} times the prevalence baseline)"
                )
        return problems

    def facts(self, learner: Learner) -> dict[str, Any]:
        """The bound of the decision."""
        return {"decide_above": learner.decide_above}

    def card_lines(self, learner: Mapping[str, Any]) -> list[str]:
        """The bound of the decision."""
        return [f"- Decision: yes from a probability of {learner['decide_above']:g}"]

    def doubts(self, test: Measured, baselines: Mapping[str, Measured]) -> list[str]:
        """Probabilities that are off, and baselines that rank better."""
        whole, found = cast("Metrics", test), []
        if whole.calibration_error is not None and whole.calibration_error > _OFF:
            found.append(
                f"Probabilities are off by {whole.calibration_error:.3f} on average on test: rank by them, and do not read them as "
                "frequencies."
            )
        for name, baseline in baselines.items():
            ours, theirs = whole.roc_auc, cast("Metrics", baseline).roc_auc
            if ours is not None and theirs is not None and ours < theirs:
                found.append(f"On test the {name} baseline ranks better (ROC AUC {theirs:.3f} against {ours:.3f}).")
        return found

    def is_off(self, metrics: Measured, whole: Measured) -> str | None:
        """A calibration error of twice what people would notice."""
        del whole
        error = cast("Metrics", metrics).calibration_error
        return f"{error:.3f}" if error is not None and error > 2 * _OFF else None

    def shifts(self, validation: Measured, test: Measured) -> list[str]:
        """Another share of positives."""
        before, now = cast("Metrics", validation).prevalence, cast("Metrics", test).prevalence
        if before is None or now is None or abs(before - now) <= _OFF:
            return []
        return [f"The share of positives moved from {before:.3f} in validation to {now:.3f} in test."]

    def pictures(
        self, labels: Mapping[str, pl.Series], answers: Mapping[str, pl.Series], test: Measured
    ) -> dict[str, str]:
        """Calibration and precision-recall curves."""
        whole = cast("Metrics", test)
        bins = {name: calibration(labels[name], answers[name]) for name in answers}
        error = whole.calibration_error
        return {
            "calibration": curve(
                [
                    Series(name=name, points=list(zip(found["predicted"], found["observed"], strict=True)))
                    for name, found in bins.items()
                ],
                title="Calibration",
                description="Observed share of positives by predicted probability, in ten bins."
                + (f" Mean distance on test: {error:.3f}." if error is not None else ""),
                x_label="predicted probability",
                y_label="observed share",
                diagonal="perfect",
            ),
            "precision and recall": curve(
                [Series(name=name, points=precision_recall(labels[name], answers[name])) for name in answers],
                title="Precision and recall",
                description="Precision by recall as the bound of the decision falls.",
                x_label="recall",
                y_label="precision",
                level=whole.prevalence,
                level_label="prevalence of test",
            ),
        }

    def is_answer(self, column: str) -> bool:
        """The probability."""
        return column == ANSWER

    def to_columns(self, answers: pl.Series) -> pl.DataFrame:
        """The probability."""
        return answers.alias(ANSWER).to_frame()

    def from_columns(self, columns: pl.DataFrame) -> pl.Series:
        """The probability."""
        return columns[ANSWER]

    def unsound(self, answers: pl.Series) -> str | None:
        """What is no probability."""
        sound = answers.is_between(0, 1).all() and not answers.is_nan().any()
        return None if sound else "some of its answers on the golden rows are no probabilities"

    def moved(self, expected: pl.Series, answered: pl.Series) -> pl.Series:
        """Distance of the probabilities."""
        return (answered - expected).abs()

    def predictions(self, answers: pl.Series, learner: Learner, wanted: Mapping[str, pl.DataType]) -> pl.DataFrame:
        """Probability and decision."""
        del wanted
        return pl.DataFrame({ANSWER: answers, "decision": answers >= learner.decide_above})

    def spell_prediction(self, row: Mapping[str, Any]) -> str:
        """Probability and decision."""
        return f"{row[ANSWER]:.4f}, decision {'yes' if row['decision'] else 'no'}"

    def measure_realised(self, rows: pl.DataFrame) -> Metrics:
        """As of any rows."""
        return measure(rows["label"], rows[ANSWER])

    def spread(self, metrics: Mapping[str, Any], apart: float) -> float | None:
        """Standard error of the area."""
        positives, negatives = metrics["positives"], metrics["rows"] - metrics["positives"]
        if metrics.get("roc_auc") is None or not positives or not negatives:
            return None
        return spread_of_auc(metrics["roc_auc"], max(1.0, positives * apart), max(1.0, negatives * apart))

    def too_few(self, metrics: Mapping[str, Any]) -> str | None:
        """Too few of either class."""
        least = min(metrics["positives"], metrics["rows"] - metrics["positives"])
        if metrics["roc_auc"] is not None and least >= _LEAST:
            return None
        return f"too few to judge: {metrics['positives']:,} of {metrics['rows']:,} came true"


def _arrays(label: pl.Series, probability: pl.Series) -> tuple[Flags, Numbers]:
    return label.cast(pl.Boolean).to_numpy(), probability.cast(pl.Float64).to_numpy()


BINARY = Binary()
