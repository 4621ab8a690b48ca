"""Tables of whatever columns a SQL text may read, with few values, many nulls and keys that meet."""

import random
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from mlpipe_assets.engines.engine import Columns
from mlpipe_assets.partitions import ONE_DAY, days_between

FIRST, LAST = date(2026, 1, 5), date(2026, 1, 14)
_EARLIER = 12  # days before the first that rows are of, too
_WORDS = ("a", "b", "Z", "ö", "a|b", "")


def draw_tables(
    tables: Mapping[str, Columns], unique: Mapping[str, Collection[str]], keys: Collection[str], rows: int = 120
) -> dict[str, pl.DataFrame]:
    """A table of each name, the same each time.

    Args:
        tables: Columns by name.
        unique: By table the columns that are another value in each row.
        keys: Columns that are never null, and of few values.
        rows: Of each table.
    """
    found: dict[str, pl.DataFrame] = {}
    for name, columns in tables.items():
        if name == "days":
            days = days_between(FIRST, LAST)
            found[name] = pl.DataFrame(dict.fromkeys(columns, days), schema={**columns})
            continue
        own = random.Random(name)
        number = 0 if name == "held" else rows
        never_null = {"date", "as_of", "known_at", "known_until", *keys, *unique.get(name, ())}
        made = [_row(own, columns, place, never_null, unique.get(name, ())) for place in range(number)]
        found[name] = pl.DataFrame(made, schema={**columns})
    return found


def _row(
    own: random.Random, columns: Columns, place: int, never_null: Collection[str], unique: Collection[str]
) -> dict[str, Any]:
    day = own.choice(days_between(FIRST - ONE_DAY * _EARLIER, LAST))
    midnight = datetime.combine(day, time(), tzinfo=UTC)
    known = midnight + timedelta(hours=own.randint(0, 80))
    placed = {
        "date": day,
        "as_of": midnight + ONE_DAY,
        "known_at": known,
        "known_until": known + timedelta(hours=own.randint(1, 90)),
    }
    row: dict[str, Any] = {}
    for name, dtype in columns.items():
        value = placed[name] if name in placed else _value(own, dtype, day)
        if name in unique and dtype == pl.String:
            value = f"{place}"
        row[name] = None if name not in never_null and own.random() < 1 / 6 else value
    return row


def _value(own: random.Random, dtype: pl.DataType, day: date) -> Any:
    if isinstance(dtype, pl.Decimal):
        return Decimal(own.randint(-999, 99_999)).scaleb(-(dtype.scale or 0))
    if isinstance(dtype, pl.Datetime):
        return datetime.combine(day, time(own.choice([0, 9, 23])), tzinfo=UTC)
    if dtype == pl.Date:
        return own.choice([day, FIRST, LAST])
    if dtype == pl.Boolean:
        return own.random() < 1 / 2
    if dtype.is_float():
        return own.randint(-999, 9_999) / 8
    if dtype.is_integer():
        return own.choice([-3, 0, 1, 2, 75, 90])
    return own.choice(_WORDS)
