"""Rows of two weeks for views of every function, and what such a view asks of an engine over them."""

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from mlpipe_assets.catalog.declarations import FeatureView
from mlpipe_assets.engines.engine import Slice
from mlpipe_assets_tests.catalog.declared import FIRST, LAST, SCHEMA, catalog_of, params_for, tables_for
from mlpipe_assets_tests.catalog.test_view_text import BY_TWO_KEYS, EVERYTHING
from mlpipe_assets_tests.catalog.test_view_text_as_known import BEGUN, TIME

VIEWS = {
    "every function": EVERYTHING,
    "two keys": BY_TWO_KEYS,
    "every function as known": replace(EVERYTHING, late="as_known"),
    "two keys as known": replace(BY_TWO_KEYS, late="as_known"),
}


def rows_of_two_weeks() -> list[dict[str, Any]]:
    """Forty rows of three people in two shops, with nulls in every column that may have them, and times that tie."""
    draw = random.Random(7)

    def maybe(value: Any) -> Any:
        return None if draw.random() < 1 / 5 else value

    found: list[dict[str, Any]] = []
    for number in range(40):
        day = FIRST + timedelta(days=draw.randint(-3, 13))
        found.append(
            {
                "who": draw.choice(["a|b", "a", "ä"]),
                "shop": draw.choice([1, -7]),
                "date": day,
                "at": datetime(day.year, day.month, day.day, draw.choice([0, 11, 22]), tzinfo=UTC),
                "id": f"{number}",
                "whole": maybe(draw.randint(-4, 9)),
                "number": draw.randint(-3, 3),
                "money": maybe(Decimal(draw.randint(-(10**9), 10**9)) / 100),
                "fine": maybe(Decimal(draw.randint(-(10**16), 10**16)).scaleb(-6)),
                "wide": maybe(Decimal(draw.randint(-(10**20), 10**20)).scaleb(-4)),
                "ratio": maybe(draw.randint(-(10**6), 10**6) / 8),
                "word": maybe(draw.choice(["a", "b", "", "Z", "ö"])),
                "on": maybe(draw.choice([FIRST, LAST])),
                "flag": maybe(draw.random() < 1 / 2),
                "known_at": datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=draw.randint(1, 99)),
            }
        )
    return found


def asked_of(view: FeatureView) -> tuple[str, dict[str, Slice], dict[str, date]]:
    """The text of a view, its tables and its parameters, over the two weeks."""
    text, tables = catalog_of(view).view_sql(view), tables_for(view, [], FIRST, LAST)
    placed = pl.DataFrame(rows_of_two_weeks(), schema={**SCHEMA, "known_at": TIME})
    if not view.is_as_known:
        return text, {**tables, "events": placed.drop("known_at")}, params_for(view, FIRST, LAST)
    gone = placed.with_columns(known_until=pl.col("known_at") + pl.duration(hours=60))
    second = pl.int_range(pl.len()) % 2 == 0
    tables |= {"events": placed.filter(~second), "events_versions": gone.filter(second)}
    return text, tables, {"start": FIRST, "end": LAST, "begun": BEGUN}
