"""Whether a model is better than its baselines."""

import polars as pl

from mlpipe_assets.learning.comparison import compare
from mlpipe_assets.learning.evaluation import Evaluation


def find_better_baselines(evaluation: Evaluation, label: pl.Series, keys: pl.Series, *, seed: int) -> str | None:
    """Which baseline has the smaller loss on test, or ranks better beyond what chance explains; None when none has.

    Args:
        evaluation: A model next to its baselines.
        label: Labels of the rows of test.
        keys: Entities they belong to.
        seed: Of the bootstrap.
    """
    ours = evaluation.model["test"]
    problems: list[str] = []
    for name, found in evaluation.baselines.items():
        theirs = found["test"]
        if ours.log_loss is not None and theirs.log_loss is not None and ours.log_loss >= theirs.log_loss:
            problems.append(f"log loss {ours.log_loss:.4f} is not below {theirs.log_loss:.4f} of {name}")
        if ours.roc_auc is None or theirs.roc_auc is None or ours.roc_auc >= theirs.roc_auc:
            continue
        difference = compare(
            label,
            evaluation.answers["test"],
            evaluation.baseline_answers[name]["test"],
            keys,
            seed=seed,
        )
        if difference.high is not None and difference.high < 0:
            problems.append(f"{name} ranks better: ROC AUC {theirs.roc_auc:.4f} against {ours.roc_auc:.4f}")
    return "; ".join(problems) or None
