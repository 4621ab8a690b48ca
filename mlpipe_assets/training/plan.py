"""What a training set as of a day is made of: which feature days, in which split, and the days their labels look at."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from mlpipe_assets.catalog.declarations import Model
from mlpipe_assets.partitions import ONE_DAY, START_DATE
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
        return label_days(self.model, self.used if of is None else of)


def plan_training_set(model: Model, as_of: date, first_features: date | None) -> TrainingPlan:
    """Which feature days a training set takes, and in which split; none before the first feature partition."""
    spine = spine_days(START_DATE, as_of, every=model.every, horizon=model.horizon)
    spine = [day for day in spine if first_features is not None and day >= first_features]
    return TrainingPlan(
        model=model,
        as_of=as_of,
        spine=spine,
        splits=split_days(spine, model.split, every=model.every, embargo=embargo_of(model)),
    )


def label_days(model: Model, days: Iterable[date]) -> list[date]:
    """Days that the labels of some feature days look at; those of moments look at the rest of their own day, too."""
    first, last = 0 if model.view.moments else 1, model.horizon.days
    return sorted({day + timedelta(days=n) for day in days for n in range(first, last + 1)})


def embargo_of(model: Model) -> timedelta:
    """What has to lie between the last feature day of one split and the first of the next.

    The last moment of a day is a day later than its first, so moments take a day more.
    """
    return model.embargo + (ONE_DAY if model.view.moments else timedelta(0))
