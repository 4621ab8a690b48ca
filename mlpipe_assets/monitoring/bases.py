"""What verdicts on a window rest on: the reference with the window's weekdays, and how rows of the table hang together."""

from collections.abc import Iterable, Mapping
from datetime import date

import numpy as np

from mlpipe_assets.resources.profiles import Reference
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
        found[name] = basis_of(column, masses, _rows_by_weekday(window), days=len(window), frozen=False)
    return found


def _of_frozen(reference: Reference, name: str, window: Mapping[date, Profile]) -> Basis:
    column, bins = reference.columns[name], reference.bins[name]
    if column.by_weekday:
        masses = [dense(weekday, bins) for weekday in column.by_weekday]
        wanted = _rows_by_weekday(window)
    else:
        masses = [mass_of(reference.profile.columns[name], bins)]
        wanted = [sum(profile.rows for profile in window.values())]
    return basis_of(column, masses, wanted, days=len(window), frozen=True)


def _rows_by_weekday(window: Mapping[date, Profile]) -> list[int]:
    rows = [0] * _WEEK
    for day, profile in window.items():
        rows[day.weekday()] += profile.rows
    return rows
