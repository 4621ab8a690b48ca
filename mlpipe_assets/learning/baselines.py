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
    task, ours = evaluation.task, evaluation.model["test"].to_dict()
    loss, ranking = task.loss, task.ranking
    problems: list[str] = []
    for name, found in evaluation.baselines.items():
        theirs = found["test"].to_dict()
        if ours[loss] is not None and theirs[loss] is not None and ours[loss] >= theirs[loss]:
            problems.append(f"{task.called[loss]} {ours[loss]:.4f} is not below {theirs[loss]:.4f} of {name}")
        if ranking is None or ours[ranking] is None or theirs[ranking] is None or ours[ranking] >= theirs[ranking]:
            continue
        difference = compare(
            label,
            evaluation.answers["test"],
            evaluation.baseline_answers[name]["test"],
            keys,
            seed=seed,
            task=task,
        )
        if difference.high is not None and difference.high < 0:
            problems.append(
                f"{name} ranks better: {task.called[ranking]} {theirs[ranking]:.4f} against {ours[ranking]:.4f}"
            )
    return "; ".join(problems) or None
