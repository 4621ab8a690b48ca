"""Declared aggregates the slow way: rows as dicts, loops, exact fractions. What the written SQL is compared with."""

import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from mlpipe_assets.catalog.aggregates import Aggregate
from mlpipe_assets.catalog.declarations import FeatureView

Row = Mapping[str, Any]
CONDITIONS: dict[str, Any] = {  # SQL conditions of the tests, as Python reads them
    "whole > 2": lambda row: row["whole"] is not None and row["whole"] > 2,
    "word = 'a' or flag": lambda row: row["word"] == "a" or bool(row["flag"]),
}


def rows_of_view(
    view: FeatureView, order: Sequence[str], rows: Sequence[Row], days: Sequence[date]
) -> list[dict[str, Any]]:
    """The rows of a declared view without attributes, sorted by as_of and key."""
    keys = view.entity.join_keys
    found: list[dict[str, Any]] = []
    for day in days:
        entities = sorted({tuple(row[key] for key in keys) for row in rows})
        for entity in entities:
            mine = [row for row in rows if tuple(row[key] for key in keys) == entity]
            known = [row for row in mine if day - view.lookback < row["date"] <= day]
            if not known:
                continue
            found.append(dict(zip(keys, entity, strict=True)))
            found[-1]["as_of"] = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
            for one in view.aggregates:
                for name, window in one.features.items():
                    length = timedelta(days=window) if window else view.lookback
                    inside = [row for row in known if row["date"] > day - length]
                    found[-1][name] = aggregate(one, inside, day, order)
    return found


def aggregate(one: Aggregate, rows: Sequence[Row], day: date, order: Sequence[str]) -> Any:
    """One function over the rows of a window."""
    taken = [row for row in rows if one.where is None or CONDITIONS[one.where](row)]
    if one.column is not None:
        taken = [row for row in taken if row[one.column] is not None]
    if one.function == "count":
        return len(taken)
    if one.function == "days_since_last":
        return min(((day - row["date"]).days for row in taken), default=None)
    values = [row[str(one.column)] for row in sorted(taken, key=lambda row: [_ordered(row[name]) for name in order])]
    if one.function == "count_distinct":
        return len(set(values))
    if one.function == "sum":
        return sum(values) if values else 0
    if not values:
        return None
    if one.function == "mean":
        return float(sum(map(Fraction, values)) / len(values))
    if one.function == "stddev":
        return float(statistics.stdev(map(Fraction, values))) if len(values) > 1 else None
    chosen = {"min": min(values), "max": max(values), "first": values[0], "last": values[-1]}
    return chosen[one.function]


def _ordered(value: object) -> object:
    return value.encode() if isinstance(value, str) else value


def number(value: Any) -> Any:
    """A value as the contract of the tests promises it: sums of decimals may be floats."""
    return float(value) if isinstance(value, Decimal) else value
