"""What a training set as of a day is made of: which feature days, in which split, and the days their labels look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from mlpipe_assets.catalog.declarations import Model
from mlpipe_assets.partitions import START_DATE
from mlpipe_assets.transforms.splits import SPLITS, spine_days, split_days


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """What a training set as of a day is made of."""

    model: Model
    as_of: date
    spine: list[date]
    splits: dict[str, list[date]]

    @property
    def used(self) -> list[date]:
        """Feature days that belong to a split."""
        return [day for name in SPLITS for day in self.splits[name]]

    def label_days(self, of: Sequence[date] | None = None) -> list[date]:
        """Days the labels look at, of all feature days or of some."""
        horizon = self.model.horizon.days
        days = self.used if of is None else of
        return sorted({d + timedelta(days=i) for d in days for i in range(1, horizon + 1)})


def plan_training_set(model: Model, as_of: date, first_features: date | None) -> TrainingPlan:
    """Which feature days a training set takes, and in which split; none before the first feature partition."""
    spine = spine_days(START_DATE, as_of, every=model.every, horizon=model.horizon)
    spine = [day for day in spine if first_features is not None and day >= first_features]
    return TrainingPlan(
        model=model,
        as_of=as_of,
        spine=spine,
        splits=split_days(spine, model.split, every=model.every, embargo=model.embargo),
    )
