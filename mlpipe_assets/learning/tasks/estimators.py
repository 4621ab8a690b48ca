"""The built-in estimators, each for what it answers: scikit-learn's, with the learner's parameters.

scikit-learn takes seconds to import, so it is imported where a model is fitted.
"""
# ruff: noqa: PLC0415

from typing import Any

from mlpipe_assets.catalog.learners import Learner


def logistic_regression(learner: Learner) -> Any:  # noqa: ANN401 (scikit-learn has no types)
    """Logistic regression; of more than two classes by softmax."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=learner.rounds, random_state=learner.seed)


def ridge(learner: Learner) -> Any:  # noqa: ANN401 (as above)
    """Linear regression with a small penalty, which keeps it defined where columns follow from each other."""
    from sklearn.linear_model import Ridge

    return Ridge(solver="svd", random_state=learner.seed)


def boosting(learner: Learner, watched: bool, *, numbers: bool = False) -> Any:  # noqa: ANN401, FBT001 (as above)
    """Gradient boosting of classes, or of numbers; `watched` by a validation split that says when to stop."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingRegressor if numbers else HistGradientBoostingClassifier
    return kind(
        max_iter=learner.rounds if watched else learner.rounds_unwatched,
        learning_rate=learner.learning_rate,
        max_leaf_nodes=learner.leaves,
        early_stopping=watched,
        n_iter_no_change=learner.patience,
        random_state=learner.seed,
    )
