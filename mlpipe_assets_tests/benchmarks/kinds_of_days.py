"""Tables whose law does not change, of the kinds that look as if it did: many categories, the same entities, odd and closed days.

A kind makes one column: a frame for each day, by a number. What a week is shifted by is asked of the same kinds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

Draw = np.random.Generator


@dataclass(frozen=True, kw_only=True)
class Day:
    """A day to make: its number from the first of the baseline, and whether it is one of a shifted week."""

    number: int
    shifted: bool = False


MakeDay = Callable[[Draw, Day], pl.DataFrame]

_FIVE = np.array([0.4, 0.3, 0.15, 0.1, 0.05])


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of table.

    Attributes:
        name: In words, with its size.
        start: Starts one column: gives the function that makes a day, from its number and whether it is shifted.
        entity: Whether the rows are of entities that the table declares.
        threshold: Declared for the column.
        days: How many of the last days of the week are shifted, where a shift is asked for.
    """

    name: str
    start: Callable[[Draw], MakeDay]
    entity: bool = False
    threshold: float = 0.1
    days: int = 7


def quiet_kinds() -> list[Kind]:
    """Kinds of which every drift is a false alarm."""
    return [
        Kind(name="number, 50 a day", start=independent(50, lambda d, n: d.normal(size=n))),
        Kind(name="number, 1,000 a day", start=independent(1000, lambda d, n: d.normal(size=n))),
        Kind(name="1,000 equal categories, 100 a day", start=_categories(1000, 100, equal=True)),
        Kind(name="1,000 Zipf categories, 50 a day", start=_categories(1000, 50)),
        Kind(name="20,000 Zipf categories, 1,000 a day", start=_categories(20_000, 1000)),
        Kind(name="ids, each once, 100 a day", start=_ids(100)),
        Kind(name="features of 105 entities, AR 0.9", start=_wandering(105, 0.9), entity=True),
        Kind(name="features of 500 entities, AR 0.98", start=_wandering(500, 0.98), entity=True),
        Kind(name="105 entities, fixed category, churn 1 %", start=_settled(105), entity=True),
        Kind(name="105 entities, a city each of 3,000, churn 1 %", start=_settled(105, 3000), entity=True),
        Kind(name="1,000 a day of 500 customers, ICC 0.5", start=_events(500, 1000), entity=True),
        Kind(name="1,000 a day, half of one customer", start=_events(500, 1000, half_of_one=True), entity=True),
        Kind(name="weekdays differ, 0 to 4 closed, 1,000 a day", start=_weekly(1000)),
        Kind(name="weekdays differ, category, 0 to 4 closed, 1,000 a day", start=_weekly(1000, category=True)),
        Kind(name="weekdays differ, Sundays closed, 50 a day", start=_weekly(50, sundays=True)),
        Kind(name="days differ by 0.2 sd, 1,000 a day", start=_shocked(1000)),
        Kind(name="constant", start=independent(100, lambda _, n: np.full(n, 7.0))),
        Kind(name="all null", start=independent(100, lambda _, n: pl.Series([None] * n, dtype=pl.Float64))),
    ]


def odd_kinds() -> list[Kind]:
    """Kinds of which a day or two of the week are odd: in drift, and no reason to learn anew."""
    return [
        Kind(name="one day x1000, 200 a day", start=independent(200, _normal(0.0), _thousandfold), days=1),
        Kind(name="one day all null, 1,000 a day", start=independent(1000, _normal(0.0), _some_null(1.0)), days=1),
        Kind(name="two days +3 sd, 1,000 a day", start=independent(1000, _normal(0.0), _normal(3.0)), days=2),
    ]


def shifted_kinds() -> list[Kind]:
    """Kinds whose shifted week is a real one, with the shift in the name."""
    return [
        *[
            Kind(name=f"number +{by} sd, {rows:,} a day", start=independent(rows, _normal(0.0), _normal(by)))
            for by in (0.25, 0.5)
            for rows in (50, 1000)
        ],
        Kind(name="nulls +5 points, 1,000 a day", start=independent(1000, _some_null(0.02), _some_null(0.07))),
        Kind(name="5 categories, +10 points, 1,000 a day", start=_moving(1000)),
        *[
            Kind(name=f"{size:,} Zipf categories, new 5 %, 1,000 a day", start=_categories(size, 1000, new=0.05))
            for size in (50, 1000, 20_000)
        ],
        Kind(name="105 entities AR 0.9, +0.5 sd", start=_wandering(105, 0.9, by=0.5), entity=True),
        Kind(name="500 entities AR 0.9, +0.25 sd", start=_wandering(500, 0.9, by=0.25), entity=True),
        Kind(name="500 entities AR 0.9, +0.5 sd", start=_wandering(500, 0.9, by=0.5), entity=True),
        Kind(name="1,000 a day of 500 customers, ICC 0.5, +0.5 sd", start=_events(500, 1000, by=0.5), entity=True),
        Kind(
            name="1,000 a day of 500 fixed customers, 8 categories, ICC 0.5, +6 points",
            start=_habits(500, 1000, by=0.06),
            entity=True,
        ),
        Kind(name="weekdays differ, 0 to 4 closed, +0.5 sd, 1,000 a day", start=_weekly(1000, by=0.5)),
        Kind(
            name="constant that begins to vary, 100 a day",
            start=independent(100, _ones, lambda d, n: d.normal(size=n)),
        ),
        Kind(name="all null that gets values, 100 a day", start=independent(100, _some_null(1.0), _some_null(0.5))),
    ]


def independent(rows: int, law: Callable[[Draw, int], Any], moved: Callable[[Draw, int], Any] | None = None) -> Any:
    """Starts a column of independent rows, of another law where it is shifted."""
    return lambda _: lambda draw, day: frame_of((moved if day.shifted and moved else law)(draw, rows))


def _normal(mean: float) -> Callable[[Draw, int], Any]:
    return lambda draw, n: draw.normal(mean, 1, n)


def _thousandfold(draw: Draw, n: int) -> Any:
    return 1000 * draw.normal(size=n)


def _ones(_: Draw, n: int) -> Any:
    return np.ones(n)


def _some_null(share: float) -> Callable[[Draw, int], Any]:
    return lambda draw, n: pl.Series(draw.normal(size=n)).set(pl.Series(draw.random(n) < share), None)


def _categories(size: int, rows: int, *, equal: bool = False, new: float = 0.0) -> Any:
    shares = np.ones(size) if equal else 1 / np.arange(1, size + 1)
    shares /= shares.sum()

    def make(draw: Draw, day: Day) -> pl.DataFrame:
        found = draw.choice(size, rows, p=shares)
        return texts_of(np.where(draw.random(rows) < new, -1, found) if day.shifted else found)

    return lambda _: make


def _ids(rows: int) -> Any:
    return lambda _: lambda _draw, day: texts_of(np.arange(rows) + day.number * rows)


def _moving(rows: int) -> Any:
    moved = _FIVE + np.array([-0.1, 0.1, 0, 0, 0])
    return lambda _: lambda draw, day: texts_of(draw.choice(5, rows, p=moved if day.shifted else _FIVE))


def _wandering(entities: int, again: float, by: float = 0.0) -> Any:
    def start(draw: Draw) -> MakeDay:
        state = draw.normal(size=entities)

        def make(draw: Draw, day: Day) -> pl.DataFrame:
            nonlocal state
            state = again * state + np.sqrt(1 - again**2) * draw.normal(size=entities)
            return frame_of(state + (by if day.shifted else 0.0), np.arange(entities))

        return make

    return start


def _settled(entities: int, categories: int = 8) -> Any:
    def start(draw: Draw) -> MakeDay:
        held, names, newest = draw.integers(categories, size=entities), np.arange(entities), entities

        def make(draw: Draw, day: Day) -> pl.DataFrame:
            nonlocal newest
            for at in np.flatnonzero(draw.random(entities) < 0.01):
                held[at], names[at], newest = draw.integers(categories), newest, newest + 1
            return texts_of(held, names.copy())

        return make

    return start


def _events(entities: int, rows: int, *, by: float = 0.0, half_of_one: bool = False) -> Any:
    def start(draw: Draw) -> MakeDay:
        own = draw.normal(0, np.sqrt(0.5), entities)

        def make(draw: Draw, day: Day) -> pl.DataFrame:
            who = draw.integers(entities, size=rows)
            if half_of_one:
                who[: rows // 2] = 0
            return frame_of(own[who] + draw.normal(by if day.shifted else 0.0, np.sqrt(0.5), rows), who)

        return make

    return start


def _habits(entities: int, rows: int, by: float) -> Any:
    """Half of the rows are what their entity always has; a shift moves rows from the first category to the second."""

    def start(draw: Draw) -> MakeDay:
        own = draw.integers(8, size=entities)

        def make(draw: Draw, day: Day) -> pl.DataFrame:
            who = draw.integers(entities, size=rows)
            found = np.where(draw.random(rows) < np.sqrt(0.5), own[who], draw.integers(8, size=rows))
            moved = (found == 0) & (draw.random(rows) < 8 * by)
            return texts_of(np.where(moved, 1, found) if day.shifted else found, who)

        return make

    return start


def _weekly(rows: int, *, category: bool = False, sundays: bool = False, by: float = 0.0) -> Any:
    def start(draw: Draw) -> MakeDay:
        means = draw.normal(0, 0.5, 7)
        shares = draw.dirichlet(_FIVE * 20, size=7)

        def make(draw: Draw, day: Day) -> pl.DataFrame:
            weekday = day.number % 7
            week = np.random.default_rng([int(means[0] * 1e6) % 100_000, day.number // 7])
            closed = (
                {6} if sundays else set(week.permutation(7)[: week.integers(5)].tolist()) if day.number >= 28 else set()
            )
            n = 0 if weekday in closed else rows
            if category:
                return texts_of(draw.choice(5, n, p=shares[weekday]))
            return frame_of(draw.normal(means[weekday] + (by if day.shifted else 0.0), 1, n))

        return make

    return start


def _shocked(rows: int) -> Any:
    return lambda _: lambda draw, _day: frame_of(draw.normal(draw.normal(0, 0.2), 1, rows))


def frame_of(values: Any, entities: Any = None) -> pl.DataFrame:
    """A day of a column, with the entity of each row where the table declares one."""
    frame = pl.DataFrame({"x": values})
    return frame if entities is None else frame.with_columns(entity=pl.Series(entities))


def texts_of(numbers: Any, entities: Any = None) -> pl.DataFrame:
    """The same of texts, one for each number."""
    frame = pl.DataFrame({"x": pl.Series(numbers, dtype=pl.Int64).cast(pl.String)})
    return frame if entities is None else frame.with_columns(entity=pl.Series(entities))
