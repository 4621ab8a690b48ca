"""The shape of a monitor: what is watched of one table."""

from dataclasses import dataclass
from datetime import timedelta

from mlpipe_assets.catalog.places import Declared


@dataclass(frozen=True, kw_only=True)
class Monitor(Declared):
    """What is watched of one table, day by day.

    Columns and their thresholds come from the table's contract (`metadata={"drift": 0.1}`).

    Attributes:
        table: `interim/<source>`, `features/<view>` or `predictions/<model>`.
        window: Length of the current window, and of the previous period right before it.
        baseline: Length of the frozen baseline: the first so many days of the table; its bin edges hold for good.
        weights: Weight of columns in the drift score; a column not named weighs 1.
        retrain_above: Drift score (weighted share of columns in drift) from which a window counts as bad.
        retrains: Models to retrain when the table has drifted.
        persist: Days that must agree before a retraining is asked for. A window is bad when it is in drift, or predictions
            came true less often than tested, also without its `persist - 1` oddest days; a window too short for that is bad
            in a row instead, one for each day that is lacking.
        entity: Column that says which rows are of one thing, so that they do not count as independent. Feature views and
            predictions know theirs, and a snapshot source takes its key.
        cooldown: Least time between two retrainings.
    """

    table: str
    window: timedelta = timedelta(days=7)
    baseline: timedelta = timedelta(days=28)
    weights: tuple[tuple[str, float], ...] = ()
    retrain_above: float = 0.05
    retrains: tuple[str, ...] = ()
    persist: int = 3
    entity: str | None = None
    cooldown: timedelta = timedelta(days=7)
    fresh_within: timedelta = timedelta(hours=30)
    owners: tuple[str, ...] = ("team:ml",)

    @property
    def stage(self) -> str:
        """Stage of the monitored table."""
        return self.table.partition("/")[0]

    @property
    def name(self) -> str:
        """Name of the monitored table within its stage, and of the asset that watches it."""
        return self.table.partition("/")[2]

    @property
    def odd_days(self) -> int:
        """Days of a window that may be odd without making it bad."""
        return max(0, min(self.persist, self.window.days) - 1)

    @property
    def in_a_row(self) -> int:
        """Bad windows in a row before a retraining is asked for: 1 unless windows are shorter than `persist` days."""
        return max(1, self.persist - self.odd_days)

    @property
    def folder(self) -> str:
        """Name of the monitored table where it is one folder: `interim.orders`."""
        return f"{self.stage}.{self.name}"
