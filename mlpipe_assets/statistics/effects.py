"""How many rows of a table tell as much as one independent row, measured where a baseline is frozen.

Rows of one entity resemble each other, and so do rows of one day: a hundred customers on each of seven days are not seven
hundred customers. Rows are divided by the design effect: how much larger the variance of the shares is than that of as many
independent rows. Sources: Kish, Survey Sampling (1965); Rao and Scott (1981, 1984) for shares of several groups; for days the
dispersion of McCullagh and Nelder, Generalized Linear Models (1989).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlpipe_assets.statistics.distances import Vector

Codes = NDArray[np.int64]

_SURE = 0.05
_FEWEST = 2


@dataclass(frozen=True, kw_only=True)
class Effects:
    """Rows of one column for each independent one; 1 where rows are independent.

    Attributes:
        baseline: In all of the baseline.
        window: In a window.
        nulls_baseline, nulls_window: The same of the share of nulls alone.
        together: Rows of an entity in a window, as a row meets them.
        uneven: Squared variation of the effect from group to group, that of days left out.
        days: What each further row of the same day adds.
        nulls_days: The same of the share of nulls alone.
        days_uneven: Squared variation, from group to group, of what days add.
        days_seen: How many days tell what days add, those that their weekdays take up left out.
    """

    baseline: float = 1.0
    window: float = 1.0
    nulls_baseline: float = 1.0
    nulls_window: float = 1.0
    together: float = 1.0
    uneven: float = 0.0
    days: float = 0.0
    nulls_days: float = 0.0
    days_uneven: float = 0.0
    days_seen: float = 0.0

    def uneven_with(self, effect: float, days: float) -> float:
        """Squared variation of the effect of entities and what days add to it, both together."""
        return (self.uneven * effect**2 + self.days_uneven * days**2) / (effect + days) ** 2

    def of_window(self, share: float) -> tuple[float, float]:
        """Effect in a window that has a share of a window's days, over all groups and of the nulls alone.

        Rows of one entity are as alike as in a whole window, but there are fewer of them.
        """
        return self._shorter(self.window, share), self._shorter(self.nulls_window, share)

    def _shorter(self, effect: float, share: float) -> float:
        alike = (effect - 1) / (self.together - 1) if self.together > 1 else 0.0
        return 1 + (max(1.0, self.together * share) - 1) * alike if alike else effect


@dataclass(frozen=True, kw_only=True)
class DayEffect:
    """What each further row of the same day adds to the effect.

    Attributes:
        more: Over all groups.
        nulls: To that of the nulls alone.
        uneven: Squared variation of it from group to group.
        seen: How many days tell it, those that their weekdays take up left out.
    """

    more: float = 0.0
    nulls: float = 0.0
    uneven: float = 0.0
    seen: int = 0


@dataclass(frozen=True, kw_only=True)
class _Clustered:
    """One stretch of days: effect over all groups, of the nulls alone, rows of an entity, variation between groups."""

    effect: float
    nulls: float
    together: float
    uneven: float


def effects_of_entities(groups: Codes, nulls: int | None, entities: Codes, periods: Codes) -> Effects:
    """Effects by the entity of each row.

    Args:
        groups: Group of each row, from 0.
        nulls: Which group holds the nulls alone; None where none does.
        entities: Entity of each row, from 0.
        periods: Window of each row, from 0; -1 for none.
    """
    whole = _cluster(groups, nulls, entities)
    parts = [
        _cluster(groups[periods == period], nulls, entities[periods == period])
        for period in range(int(periods.max(initial=-1)) + 1)
    ]
    if whole is None:
        return Effects()
    found = [part for part in parts if part] or [whole]
    return Effects(
        baseline=whole.effect,
        window=float(np.mean([part.effect for part in found])),
        nulls_baseline=whole.nulls,
        nulls_window=float(np.mean([part.nulls for part in found])),
        together=float(np.mean([part.together for part in found])),
        uneven=(whole.uneven + float(np.mean([part.uneven for part in found]))) / 2,
    )


def effect_of_days(by_day: NDArray[np.float64], weekdays: Codes, nulls: int | None = None) -> DayEffect:
    """By how much the shares of days vary beyond chance, around their weekday; none unless chance seldom explains it.

    Shape of `by_day`: days, groups. `nulls`: which group holds the nulls alone, if one does: an outage of an hour moves
    them and nothing else. Source: the dispersion, Pearson's statistic over its degrees of freedom, less 1; a row of a day
    of n rows meets n - 1 others.
    """
    rows = by_day.sum(axis=1)
    width, freedom, spare = by_day.shape[1], 0, 0
    variation = np.zeros((width, width))
    for weekday in np.unique(weekdays[rows > 0]):
        same = by_day[(weekdays == weekday) & (rows > 0)]
        expected = np.outer(same.sum(axis=1), same.sum(axis=0) / same.sum())
        apart = (same - expected) / np.sqrt(np.where(expected > 0, expected, 1.0))
        variation += apart.T @ apart
        spare += len(same) - 1
        freedom += (len(same) - 1) * (int(np.count_nonzero(same.sum(axis=0))) - 1)
    others = max(1.0, float(rows[rows > 0].mean()) - 1) if rows.any() else 1.0
    more = own = _beyond_chance(float(np.trace(variation)), freedom)
    if nulls is not None and 0 < (share := float(by_day[:, nulls].sum() / rows.sum())) < 1:
        own = _beyond_chance(float(variation[nulls, nulls]) / (1 - share), spare)
    uneven = 0.0
    if more:  # chance is the same in every group, so all that differs is of the days; in one direction at most
        differs = _unevenness(variation / spare, freedom / spare, spare) * ((1 + more) / more) ** 2
        uneven = min(differs, freedom / spare - 1)
    return DayEffect(more=more / others, nulls=own / others, uneven=uneven, seen=spare if more or own else 0)


def _beyond_chance(statistic: float, freedom: int) -> float:
    """A chi-squared statistic over its degrees of freedom, less 1; 0 unless chance seldom explains it."""
    from scipy.special import chdtri  # noqa: PLC0415 - a quarter of a second to import, and only a baseline needs it

    return statistic / freedom - 1 if freedom >= 1 and statistic > float(chdtri(freedom, _SURE)) else 0.0


def _cluster(groups: Codes, nulls: int | None, entities: Codes) -> _Clustered | None:
    """The effect of rows of one entity; None without two entities."""
    if not len(groups):
        return None
    width = int(groups.max()) + 1
    counts = np.bincount(entities * width + groups, minlength=(int(entities.max()) + 1) * width)
    table = counts.reshape(-1, width).astype(np.float64)
    size = table.sum(axis=1)
    table, size = table[size > 0], size[size > 0]
    if len(size) < _FEWEST:
        return None
    rows = float(size.sum())
    together = float((size**2).sum() / rows)
    share: Vector = table.sum(axis=0) / rows
    held = share > 0
    apart = (table - np.outer(size, share))[:, held] / np.sqrt(share[held])
    variation = len(size) / (len(size) - 1) / rows * (apart.T @ apart)
    freedom = int(np.count_nonzero(held)) - 1
    own = together
    if nulls is not None and nulls < width and 0 < share[nulls] < 1:
        at = int(np.count_nonzero(held[:nulls]))
        own = float(variation[at, at]) / (1 - float(share[nulls]))
    if freedom < 1:
        return _Clustered(effect=together, nulls=max(1.0, own), together=together, uneven=0.0)
    return _Clustered(
        effect=max(1.0, float(np.trace(variation)) / freedom),
        nulls=max(1.0, own),
        together=together,
        uneven=_unevenness(variation, freedom, len(size) - 1),
    )


def _unevenness(variation: NDArray[np.float64], freedom: float, seen: int) -> float:
    """Squared variation of the eigenvalues of a matrix of `freedom` dimensions, less what seeing it `seen` times adds."""
    whole = float(np.trace(variation))
    squares = float((variation**2).sum()) - whole**2 / seen
    return max(0.0, freedom * squares / whole**2 - 1) if whole > 0 else 0.0
