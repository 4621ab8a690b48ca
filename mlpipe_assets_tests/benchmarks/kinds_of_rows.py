"""Tables whose law does not change, of the kinds that come from how rows are made: in batches, in growing numbers, with gaps."""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from mlpipe_assets_tests.benchmarks.kinds_of_days import Day, Draw, Kind, MakeDay, frame_of, independent, texts_of


def kinds_by_rows() -> list[Kind]:
    """Kinds of which every drift is a false alarm. None was there when the rules were first made; see docs/benchmarks.md."""
    return [
        Kind(name="10 rows an order, 200 a day", start=_orders(20, _alike)),
        Kind(name="500 categories, 1 to 19 rows an order, 1,000 a day", start=_orders(100, _popular, most=19)),
        Kind(name="order ids, 1 to 19 rows each, 1,000 a day", start=_orders(100, _own_id, most=19)),
        Kind(name="a promotion of the day on 10 % of 1,000 rows", start=_promoted(1000)),
        Kind(name="rows grow from 20 to 500 a day", start=_growing(20, 500)),
        Kind(name="rows grow from 500 to 2,000 a day, days differ by 0.2 sd", start=_growing(500, 2000, shock=0.2)),
        Kind(name="full and empty days, about 1,000 rows, days differ by 0.2 sd", start=_uneven(1000, 0.2)),
        Kind(name="four times the rows at the end of a month", start=_month_end(500)),
        Kind(name="2,000 a day of 1,000 Zipf customers, ICC 0.8", start=_by_few(1000, 2000), entity=True),
        Kind(name="60 a day of 12 shops 2 sd apart, shares by day", start=_shops(12, 60), entity=True),
        Kind(name="95 % one value, 200 a day", start=independent(200, _mostly_zero)),
        Kind(name="two peaks, 100 a day", start=independent(100, _two_peaks)),
        Kind(name="prices, most in steps of 5, 300 a day", start=independent(300, _prices)),
        Kind(name="second of the day, 500 a day", start=independent(500, lambda d, n: d.integers(86_400, size=n))),
        Kind(name="number, 20 a day", start=independent(20, lambda d, n: d.normal(size=n))),
        Kind(name="10 % nulls in blocks of 50, 500 a day", start=_null_blocks(500, 0.1, 50)),
        Kind(name="nulls of about 10 %, another share each day, 500 a day", start=_null_days(500, 0.1)),
    ]


def _orders(orders: int, law: Callable[[Draw, int, Day], pl.DataFrame], most: int = 0) -> Any:
    """Rows of one order have its value: ten, or one to `most`."""

    def make(draw: Draw, day: Day) -> pl.DataFrame:
        rows = draw.integers(1, most + 1, orders) if most else np.full(orders, 10)
        return law(draw, orders, day)[np.repeat(np.arange(orders), rows)]

    return lambda _: make


def _alike(draw: Draw, n: int, _: Day) -> pl.DataFrame:
    return frame_of(draw.normal(size=n))


def _popular(draw: Draw, n: int, _: Day) -> pl.DataFrame:
    return texts_of(np.minimum(draw.zipf(1.3, n), 500))


def _own_id(_: Draw, n: int, day: Day) -> pl.DataFrame:
    return texts_of(np.arange(n) + day.number * n)


def _promoted(rows: int) -> Any:
    def make(draw: Draw, day: Day) -> pl.DataFrame:
        return texts_of(np.where(draw.random(rows) < 0.1, 1000 + day.number, draw.integers(20, size=rows)))

    return lambda _: make


def _growing(first: int, last: int, shock: float = 0.0) -> Any:
    def make(draw: Draw, day: Day) -> pl.DataFrame:
        rows = int(first * (last / first) ** (day.number / 90))
        return frame_of(draw.normal(draw.normal(0, shock), 1, rows))

    return lambda _: make


def _uneven(rows: int, shock: float) -> Any:
    def make(draw: Draw, _: Day) -> pl.DataFrame:
        return frame_of(draw.normal(draw.normal(0, shock), 1, int(rows * draw.lognormal(-0.5, 1)) + 1))

    return lambda _: make


def _month_end(rows: int) -> Any:
    return lambda _: lambda draw, day: frame_of(draw.normal(size=4 * rows if day.number % 30 > 26 else rows))


def _by_few(entities: int, rows: int) -> Any:
    shares = 1 / np.arange(1, entities + 1)
    shares /= shares.sum()

    def start(draw: Draw) -> MakeDay:
        own = draw.normal(0, np.sqrt(0.8), entities)

        def make(draw: Draw, _: Day) -> pl.DataFrame:
            who = draw.choice(entities, rows, p=shares)
            return frame_of(own[who] + draw.normal(0, np.sqrt(0.2), rows), who)

        return make

    return start


def _shops(shops: int, rows: int) -> Any:
    def start(draw: Draw) -> MakeDay:
        own = draw.normal(0, 2, shops)

        def make(draw: Draw, _: Day) -> pl.DataFrame:
            who = draw.choice(shops, rows, p=draw.dirichlet(np.full(shops, 5.0)))
            return frame_of(own[who] + draw.normal(0, 0.5, rows), who)

        return make

    return start


def _mostly_zero(draw: Draw, n: int) -> Any:
    return np.where(draw.random(n) < 0.95, 0.0, draw.lognormal(3, 1, n))


def _two_peaks(draw: Draw, n: int) -> Any:
    return draw.normal(np.where(draw.random(n) < 0.5, 0.0, 100.0), 1.0)


def _prices(draw: Draw, n: int) -> Any:
    price = draw.lognormal(3, 1, n)
    return np.where(draw.random(n) < 0.6, np.round(price / 5) * 5, np.round(price, 2))


def _null_blocks(rows: int, share: float, block: int) -> Any:
    return lambda _: lambda draw, _day: _without(draw, np.repeat(draw.random(rows // block) < share, block))


def _null_days(rows: int, share: float) -> Any:
    return lambda _: lambda draw, _day: _without(draw, draw.random(rows) < share * draw.exponential())


def _without(draw: Draw, lost: Any) -> pl.DataFrame:
    return frame_of(pl.Series(draw.normal(size=len(lost))).set(pl.Series(lost), None))
