"""The shapes of how a model learns, and of what it must show to become champion."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from mlpipe_assets.catalog.places import Declared

Values = Mapping[str, Any] | tuple[tuple[str, Any], ...]  # declared as a mapping, kept as pairs, which have a hash
Algorithm = Literal["gradient_boosting", "logistic_regression", "linear_regression"]
_PREPARATION = ("scaling", "missing", "keep")
_BUILT_IN = ("algorithm", "rounds", "rounds_unwatched", "learning_rate", "leaves", "patience")


@dataclass(frozen=True, kw_only=True)
class Search(Declared):
    """Values of hyper-parameters to try: each combination is fitted on train and judged on validation, never on test.

    The first of the best wins. Without a validation split there is nothing to judge by, and the first combination is taken.

    Attributes:
        grid: Values to try by name, in order; a name is a field of the learner (`learning_rate`, `leaves`, `missing`, …) or
            a parameter of its estimator. The last name changes fastest.
        metric: What is judged by; None for the task's own: `roc_auc`, `log_loss` or `rmse`.
    """

    grid: Values
    metric: str | None = None

    def __post_init__(self) -> None:
        """Keep the grid as pairs of name and values."""
        super().__post_init__()
        pairs = _pairs(self.grid)
        if isinstance(pairs, tuple) and all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs):  # noqa: PLR2004 (a pair)
            pairs = tuple((name, tuple(tried) if isinstance(tried, list) else tried) for name, tried in pairs)
        object.__setattr__(self, "grid", pairs)


@dataclass(frozen=True, kw_only=True)
class Learner(Declared):
    """How a model is fitted on a training set: every step between a feature row and an answer.

    Attributes:
        numeric: Feature columns taken as numbers.
        categorical: Feature columns taken as one-hot encoded categories; a null is a category of its own.
        algorithm: `gradient_boosting` (early stopping on the validation split), `logistic_regression` of classes, or
            `linear_regression` (ridge) of numbers. Of no account where an estimator is declared.
        scaling: `standard` or `none`, of the numeric columns.
        missing: Of numeric nulls: `median` with an indicator column, or `native` where the algorithm knows nulls.
        keep: How many of the prepared columns to keep, by mutual information with the label on train; None keeps all.
        rounds: Most boosting rounds, or iterations.
        rounds_unwatched: Boosting rounds while the history is too short for a validation split to say when to stop.
        learning_rate: Of gradient boosting.
        leaves: Most leaves of one tree.
        patience: Rounds without a better validation loss after which boosting stops.
        seed: Of everything random.
        decide_above: Probability from which the decision of a binary model is yes.
        recency: Numeric column of a baseline that looks at nothing else; None leaves it out.
        estimator: In place of the algorithm: a scikit-learn class by its dotted name or itself, or a function that returns an
            unfitted estimator. An estimator comes after the preparation declared here; a scikit-learn Pipeline takes the
            feature columns themselves (numbers as floats with NaN for null, categories as text) and prepares them.
        parameters: Parameters of the estimator, by name; plain values.
        trusted: Types beyond scikit-learn's own that the fitted estimator holds, as skops names them.
        search: Values of hyper-parameters to choose from on validation; None takes those declared.
    """

    numeric: tuple[str, ...]
    categorical: tuple[str, ...] = ()
    algorithm: Algorithm = "gradient_boosting"
    scaling: Literal["standard", "none"] = "none"
    missing: Literal["median", "native"] = "native"
    keep: int | None = None
    rounds: int = 300
    rounds_unwatched: int = 50
    learning_rate: float = 0.1
    leaves: int = 15
    patience: int = 20
    seed: int = 7
    decide_above: float = 0.5
    recency: str | None = None
    # Out of `repr`, by which learners of before are known: models that do not declare these keep their version.
    estimator: str | type[Any] | Callable[[], Any] | None = field(default=None, repr=False)
    parameters: Values = field(default=(), repr=False)
    trusted: tuple[str, ...] = field(default=(), repr=False)
    search: Search | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Keep the parameters as pairs."""
        super().__post_init__()
        object.__setattr__(self, "parameters", _pairs(self.parameters))


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """What a challenger must show before it becomes champion, all of it on the test split.

    Attributes:
        min_roc_auc: Least area under the ROC curve of a binary model; None for 0.55.
        max_log_loss_ratio: Most log loss of a binary model, as a multiple of that of the prevalence baseline; None for 1.
        max_loss_ratio: Most loss of any other model (log loss of classes, RMSE of numbers), as a multiple of that of the best
            constant baseline; None for 1.
        tolerance: How much worse than the champion on the same rows a model may be, beyond what the paired bootstrap interval
            of the difference explains: in ROC AUC of a binary model, as a share of the loss of any other.
        answers_within: How far a probability may move on the golden rows before the check fails; of a number, as a share of
            it where it is above 1.
    """

    min_roc_auc: float | None = None
    max_log_loss_ratio: float | None = None
    max_loss_ratio: float | None = None
    tolerance: float = 0.01
    answers_within: float = 1e-6


def differing(learner: Learner) -> dict[str, Any]:
    """The fields of a learner that its `repr` leaves out, where they are declared."""
    return {
        one.name: getattr(learner, one.name)
        for one in fields(learner)
        if not one.repr and getattr(learner, one.name) not in (None, ())
    }


def searchable(learner: Learner) -> tuple[str, ...]:
    """Fields of a learner that a search may vary; what else its grid names is a parameter of the estimator."""
    return _PREPARATION if learner.estimator is not None else (*_PREPARATION, *_BUILT_IN)


def is_boosted(learner: Learner) -> bool:
    """Whether a learner boosts, so that validation says when to stop."""
    return learner.estimator is None and learner.algorithm == "gradient_boosting"


def of_built_in(learner: Learner) -> list[str]:
    """Fields that concern built-in algorithms alone, where they are declared otherwise than they are of their own."""
    return [name for name in _BUILT_IN if getattr(learner, name) != getattr(Learner, name)]


def named(values: Values) -> dict[str, Any]:
    """Declared values by name."""
    return dict(values)


def _pairs(values: Any) -> Any:  # noqa: ANN401 (whatever was declared; what is wrong with it is said when it is loaded)
    if isinstance(values, Mapping):
        return tuple((name, _hashable(value)) for name, value in values.items())
    return tuple(values) if isinstance(values, list) else values


def _hashable(value: Any) -> Any:  # noqa: ANN401 (a plain value)
    return tuple(map(_hashable, value)) if isinstance(value, list) else value
