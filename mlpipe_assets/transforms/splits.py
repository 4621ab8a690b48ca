"""Feature days of a training set into train, validation and test, by time, with an embargo between them."""

import math
from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from mlpipe_assets.row_times import day_of_row

SPLITS = ("train", "validation", "test")


def spine_days(start: date, as_of: date, *, every: timedelta, horizon: timedelta) -> list[date]:
    """Feature days, one every `every` from `start` on, whose label window is over by the end of `as_of`."""
    first = start + every - timedelta(days=1)
    count = max(0, ((as_of - horizon) - first) // every + 1)
    return [first + every * i for i in range(count)]


def split_days(
    spine: Sequence[date], shares: tuple[float, float, float], *, every: timedelta, embargo: timedelta
) -> dict[str, list[date]]:
    """The days of each split, in order; days inside an embargo belong to none.

    The last day of a split and the first of the next are at least `embargo` apart. A spine too short for three splits
    gives up validation first, then test.
    """
    gap = max(0, math.ceil(embargo / every) - 1)
    days = list(spine)
    if len(days) >= 3 + 2 * gap:
        usable = len(days) - 2 * gap
        test = max(1, min(round(usable * shares[2]), usable - 2))
        validation = max(1, min(round(usable * shares[1]), usable - test - 1))
        train = usable - test - validation
        after = train + gap
        return {
            "train": days[:train],
            "validation": days[after : after + validation],
            "test": days[after + validation + gap :],
        }
    if len(days) >= 2 + gap:
        usable = len(days) - gap
        test = max(1, min(round(usable * shares[2]), usable - 1))
        return {"train": days[: usable - test], "validation": [], "test": days[usable - test + gap :]}
    return {"train": days, "validation": [], "test": []}


def feature_days(rows: pl.DataFrame, *, moments: bool = False) -> list[date]:
    """Feature days that the rows of a split really describe, in order."""
    return rows.select(day_of_row(moments=moments).unique().sort()).to_series().to_list()
