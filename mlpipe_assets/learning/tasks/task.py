"""What stages and monitoring ask of a task, whatever it is: no other room knows which one a model has.

A series of answers has one value a row: a probability (binary), a number (regression), or a struct with the probability of
each class (multiclass). Labels are columns as the training set has them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import polars as pl

from mlpipe_assets.catalog.learners import Learner, Promotion
from mlpipe_assets.catalog.tasks import TASKS, TaskName, TaskShape

Numbers = np.ndarray[Any, np.dtype[np.float64]]
Summary = Mapping[str, Any]  # what is known of the labels of train, as it is stored with the model
Scorer = Callable[
    [Numbers], Numbers
]  # weights of keys, a resample a column, to the score of each; NaN where it has none


class Measured(Protocol):
    """Metrics of answers on some rows."""

    @property
    def rows(self) -> int:
        """Number of rows."""

    def to_dict(self) -> dict[str, Any]:
        """The numbers by name; None for what these rows cannot tell."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Score of one model minus that of another on the same rows, with a bootstrap interval; above 0 the first is better.

    Attributes:
        rows: Number of rows both answered.
        keys: Entities the rows belong to; they are what is resampled.
        value: The difference on the rows themselves; None where they cannot tell, as with one class only.
        low: Lower bound of the 95 % interval.
        high: Upper bound.
        replicates: Resamples that could tell.
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


class Task(ABC):
    """One kind of model.

    Attributes:
        name: As a `Model` declares it.
        loss: Metric that must be below that of every baseline.
        ranking: Metric by which no baseline may rank better beyond chance; None where the loss says it all.
        on_record: Metrics of the registry.
        told: Metrics that are named where one line is all there is.
        called: Metrics of the card's tables, in order, as people call them.
        realised_by: Metric that decides whether predictions came true as tested; of classes and numbers other than `loss`.
        realised_evidence: Metrics shown beside it, by the name they are shown under.
        more_is_better: Metrics of which that holds.
        realised_columns: Columns of predictions that are held against what came of them.
        realised_label: Type of the label beside them.
        untold: Why rows compare nothing, though there are some.
        power: What `targets` are told by, in words.
    """

    name: TaskName
    loss: str
    ranking: str | None = None
    on_record: tuple[str, ...]
    told: tuple[str, ...]
    called: Mapping[str, str]
    realised_by: str
    realised_evidence: Mapping[str, str]
    more_is_better: frozenset[str] = frozenset()
    realised_columns: tuple[str, ...]
    realised_label: pl.DataType
    power: str
    untold: str = "which tell nothing"

    @property
    def shape(self) -> TaskShape:
        """What it asks of declarations."""
        return TASKS[self.name]

    # labels and estimators

    @abstractmethod
    def objection(self, label: pl.Series) -> str | None:
        """Why nothing can be learnt from these labels of train, in words that follow their name."""

    @abstractmethod
    def summarise(self, label: pl.Series) -> dict[str, Any]:
        """What is kept of the labels of train: plain values, which skops stores."""

    @abstractmethod
    def encode(self, label: pl.Series, summary: Summary) -> np.ndarray[Any, Any]:
        """Labels as the estimator takes them, one a row; -1 for a class that train does not have."""

    def usable(self, target: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which encoded labels an estimator that was fitted on train knows."""
        return np.full(target.size, fill_value=True)

    @abstractmethod
    def estimator(self, learner: Learner, *, watched: bool) -> Any:  # noqa: ANN401 (scikit-learn has no common type)
        """The built-in estimator of the learner's algorithm, unfitted."""

    @abstractmethod
    def answer(self, pipeline: Any, matrix: pl.DataFrame, summary: Summary) -> pl.Series:  # noqa: ANN401 (as above)
        """What a fitted pipeline answers, one a row."""

    @abstractmethod
    def describe(self, label: pl.Series) -> dict[str, float | int | None]:
        """What the card says of the labels of a split."""

    @abstractmethod
    def targets(self, label: pl.Series) -> Sequence[pl.Series]:
        """What a single feature must not tell: flags, told by ranking, or numbers, told by rank correlation."""

    # metrics

    @abstractmethod
    def measure(self, label: pl.Series, answers: pl.Series) -> Measured:
        """All metrics of answers against the labels of the same rows."""

    @abstractmethod
    def constants(self, summary: Summary, rows: int) -> dict[str, pl.Series]:
        """What baselines that look at no feature answer for so many rows."""

    @abstractmethod
    def score(self, label: pl.Series, answers: pl.Series) -> float | None:
        """What two models are compared by: more is better; None where the rows cannot tell."""

    @abstractmethod
    def scorer(self, label: pl.Series, answers: pl.Series, codes: np.ndarray[Any, Any], count: int) -> Scorer:
        """The score of weighted keys; `codes` says of each row which of the `count` keys it belongs to."""

    @abstractmethod
    def spell_difference(self, difference: Difference) -> tuple[str, str]:
        """A difference of scores in words, and its interval; the value must be known."""

    @abstractmethod
    def spell_loss(self, difference: Difference) -> tuple[str, str]:
        """By how much a challenger loses to the champion, and the interval."""

    @abstractmethod
    def missed(self, promotion: Promotion, test: Measured, constants: Mapping[str, Measured]) -> list[str]:
        """Which declared thresholds a model misses on test, in words; what cannot be told is missed."""

    # the card

    def facts(self, learner: Learner) -> dict[str, Any]:
        """What else the metadata of predictions says of how they were made."""
        del learner
        return {}

    def card_lines(self, learner: Mapping[str, Any]) -> list[str]:
        """What else the head of the card says."""
        del learner
        return []

    @abstractmethod
    def doubts(self, test: Measured, baselines: Mapping[str, Measured]) -> list[str]:
        """What to keep in mind of the model on test."""

    @abstractmethod
    def is_off(self, metrics: Measured, whole: Measured) -> str | None:
        """How much worse a slice is than it may be, in short; None where it is not."""

    off: str  # of which slices, in words before `by <column>`

    @abstractmethod
    def shifts(self, validation: Measured, test: Measured) -> list[str]:
        """What moved between validation and test."""

    @abstractmethod
    def pictures(
        self, labels: Mapping[str, pl.Series], answers: Mapping[str, pl.Series], test: Measured
    ) -> dict[str, str]:
        """Pictures of answers against labels by split, as SVG by name."""

    def tables(self, test: Measured) -> list[str]:
        """More of the card as Markdown lines, about test."""
        del test
        return []

    # golden answers

    @abstractmethod
    def is_answer(self, column: str) -> bool:
        """Whether a column of golden rows is an answer, or part of one."""

    @abstractmethod
    def to_columns(self, answers: pl.Series) -> pl.DataFrame:
        """Answers as plain columns; of no rows too."""

    @abstractmethod
    def from_columns(self, columns: pl.DataFrame) -> pl.Series:
        """Answers of the columns that `to_columns` made."""

    @abstractmethod
    def unsound(self, answers: pl.Series) -> str | None:
        """Why some answers are none; None where all are."""

    @abstractmethod
    def moved(self, expected: pl.Series, answered: pl.Series) -> pl.Series:
        """How far each answer lies from the one that was kept, in the unit of `answers_within`; null where one is missing."""

    def show_golden(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Golden rows with `expected`, `answered` and `from_features` as their contract has them."""
        return rows

    # predictions, and what came of them

    @abstractmethod
    def predictions(self, answers: pl.Series, learner: Learner, wanted: Mapping[str, pl.DataType]) -> pl.DataFrame:
        """The columns of predictions that answers make; `wanted` has names and types of the contract."""

    @abstractmethod
    def spell_prediction(self, row: Mapping[str, Any]) -> str:
        """A row of predictions in one line."""

    @abstractmethod
    def measure_realised(self, rows: pl.DataFrame) -> Measured:
        """Metrics of `realised_columns` against `label`."""

    @abstractmethod
    def spread(self, metrics: Mapping[str, Any], apart: float) -> float | None:
        """Standard error of `realised_by` from the metrics of some rows; None where they cannot tell.

        `apart` is the number of entities to a row: rows of one entity do not count as independent.
        """

    @abstractmethod
    def too_few(self, metrics: Mapping[str, Any]) -> str | None:
        """Why some realised rows are too few to judge by."""

    def slack(self, tolerance: float, tested: float) -> float:
        """How far `realised_by` may lie on the worse side of that of the test set, chance aside."""
        return tolerance if self.realised_by in self.more_is_better else tolerance * tested
