"""What verdicts on a window rest on: the reference with the window's weekdays, and how rows of the table hang together."""

from collections.abc import Iterable, Mapping
from datetime import date

import numpy as np

from mlpipe_assets.monitoring.references import Reference
from mlpipe_assets.statistics.baselines import Basis, basis_of, dense, mass_of
from mlpipe_assets.statistics.distances import Vector
from mlpipe_assets.statistics.profiles import Profile

_WEEK = 7


def against_frozen(
    reference: Reference, window: Mapping[date, Profile], columns: Iterable[str] | None = None
) -> dict[str, Basis]:
    """Of each column, the frozen reference with the weekdays of a window, given as the profiles of its days."""
    wanted = reference.columns if columns is None else columns
    return {name: _of_frozen(reference, name, window) for name in wanted}


def against_window(
    reference: Reference, before: Mapping[date, Profile], window: Mapping[date, Profile]
) -> dict[str, Basis]:
    """Of each column, an earlier window with the weekdays of a later one."""
    found = {}
    for name, column in reference.columns.items():
        bins = reference.bins[name]
        masses: list[Vector] = [np.zeros(max(bins.count, 1) + 2) for _ in range(_WEEK)]
        for day, profile in before.items():
            masses[day.weekday()] += mass_of(profile.columns[name], bins)
        found[name] = basis_of(column, masses, _rows_by_day(window), frozen=False)
    return found


def _of_frozen(reference: Reference, name: str, window: Mapping[date, Profile]) -> Basis:
    column, bins = reference.columns[name], reference.bins[name]
    masses = [dense(weekday, bins) for weekday in column.by_weekday]
    return basis_of(
        column, masses or [mass_of(reference.profile.columns[name], bins)], _rows_by_day(window), frozen=True
    )


def _rows_by_day(window: Mapping[date, Profile]) -> list[tuple[int, int]]:
    """Weekday and rows of each day."""
    return [(day.weekday(), profile.rows) for day, profile in window.items()]
