"""What tasks have in common whose models are compared by a mean loss."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from mlpipe_assets.catalog.learners import Promotion
from mlpipe_assets.errors import spell_count
from mlpipe_assets.learning.tasks.task import Difference, Measured, Numbers, Scorer, Task


class LossTask(Task):
    """A task whose models are compared by a mean loss: the score is minus its logarithm, so a difference is a ratio."""

    root: bool  # whether the loss is the root of the mean

    @abstractmethod
    def losses(self, label: pl.Series, answers: pl.Series) -> Numbers:
        """Loss of each row."""

    def score(self, label: pl.Series, answers: pl.Series) -> float | None:
        """Minus the logarithm of the loss."""
        found = self.losses(label, answers)
        return float(self._of_mean(np.array([found.mean()]))[0]) if found.size else None

    def scorer(self, label: pl.Series, answers: pl.Series, codes: np.ndarray[Any, Any], count: int) -> Scorer:
        """The score of weighted keys, from the sum of losses of each."""
        sums = np.bincount(codes, weights=self.losses(label, answers), minlength=count)
        rows = np.bincount(codes, minlength=count).astype(np.float64)
        return lambda weights: self._of_mean((sums @ weights) / (rows @ weights))

    def spell_difference(self, difference: Difference) -> tuple[str, str]:
        """The loss as a share more or less than the other model's."""
        value, low, high = difference.value or 0.0, difference.low or 0.0, difference.high or 0.0
        return f"{self.called[self.loss]} {_more(value)}", f"{_more(high)} to {_more(low)}"

    def spell_loss(self, difference: Difference) -> tuple[str, str]:
        """How much more the loss is."""
        value, interval = self.spell_difference(difference)
        return f"{value} against the champion's", interval

    def missed(self, promotion: Promotion, test: Measured, constants: Mapping[str, Measured]) -> list[str]:
        """Whether the loss on test is within its multiple of that of the best constant baseline."""
        ours = test.to_dict()[self.loss]
        theirs = {name: found.to_dict()[self.loss] for name, found in constants.items()}
        known = {name: value for name, value in theirs.items() if value is not None}
        if ours is None or not known:
            return [f"{self.called[self.loss]} on test cannot be told of {spell_count(test.rows, 'row')}"]
        best = min(known, key=lambda name: known[name])
        ratio = 1.0 if promotion.max_loss_ratio is None else promotion.max_loss_ratio
        most = ratio * known[best]
        if ours <= most:
            return []
        return [
            f"{self.called[self.loss]} {ours:.4g} on test is above {most:.4g} ({ratio:g} times the {best} baseline)"
        ]

    def doubts(self, test: Measured, baselines: Mapping[str, Measured]) -> list[str]:
        """Which baselines lose less."""
        ours = test.to_dict()[self.loss]
        found = []
        for name, baseline in baselines.items():
            theirs = baseline.to_dict()[self.loss]
            if ours is not None and theirs is not None and theirs < ours:
                found.append(
                    f"On test the {name} baseline loses less ({self.called[self.loss]} {theirs:.4g} against {ours:.4g})."
                )
        return found

    def _of_mean(self, means: Numbers) -> Numbers:
        powers = 0.5 if self.root else 1.0
        found: Numbers = -powers * np.log(np.maximum(means, 1e-300))
        return found


def _more(score: float) -> str:
    """A difference of scores as the share by which the loss is more."""
    return f"{100 * (np.exp(-score) - 1):+.2f} %"
