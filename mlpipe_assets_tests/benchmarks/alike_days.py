"""Days of a table whose distribution never changes: 100 columns as they come in practice, 1,000 to 5,000 rows a day."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

FEWEST_ROWS, MOST_ROWS = 1000, 5000
BASELINE, WINDOW = 28, 7  # days, as catalog.declarations.Monitor has them

_ZIPF = 1 / np.arange(1, 1001)
_KINDS: tuple[tuple[str, int, Callable[[np.random.Generator, int], Any]], ...] = (
    ("normal", 20, lambda draw, n: draw.normal(10, 3, n)),
    ("lognormal", 15, lambda draw, n: draw.lognormal(3, 1, n)),
    ("heavy", 10, lambda draw, n: draw.standard_t(2, n)),
    ("zeros", 5, lambda draw, n: np.where(draw.random(n) < 0.6, 0.0, draw.exponential(10, n))),
    ("digit", 10, lambda draw, n: draw.integers(0, 10, n)),
    ("age", 10, lambda draw, n: draw.integers(18, 91, n)),
    ("category_4", 10, lambda draw, n: _numbered(draw, n, np.array([0.5, 0.3, 0.15, 0.05]))),
    ("category_50", 10, lambda draw, n: _numbered(draw, n, np.full(50, 0.02))),
    ("category_1000", 5, lambda draw, n: _numbered(draw, n, _ZIPF / _ZIPF.sum())),
    ("flag", 5, lambda draw, n: draw.random(n) < 0.3),
)
_NULL_SHARES = (0.0, 0.0, 0.005, 0.02, 0.3)


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column: what it is drawn from, the share of its nulls, and its declared threshold."""

    name: str
    draw: Callable[[np.random.Generator, int], Any]
    nulls: float
    threshold: float


def columns(most: int = 100) -> list[Column]:
    """The columns, spread over the kinds: numbers watched from 0.1, categories and flags from 0.05."""
    every = [
        Column(
            name=f"{kind}_{at:02d}",
            draw=draw,
            nulls=_NULL_SHARES[at % len(_NULL_SHARES)],
            threshold=0.05 if kind.startswith(("category", "flag")) else 0.1,
        )
        for kind, count, draw in _KINDS
        for at in range(count)
    ]
    return every[:: max(1, len(every) // most)][:most]


def make_day(day: int, wanted: list[Column], seed: int = 7) -> pl.DataFrame:
    """One day; the number of rows has its own chance, the distributions are those of every other day."""
    draw = np.random.default_rng([seed, day])
    n = int(draw.integers(FEWEST_ROWS, MOST_ROWS + 1))
    return pl.DataFrame({column.name: with_nulls(draw, column.draw(draw, n), column.nulls) for column in wanted})


def with_nulls(draw: np.random.Generator, values: Any, share: float) -> pl.Series:
    """The values, some of them null."""
    series = pl.Series(values)
    return series.set(pl.Series(draw.random(len(series)) < share), None) if share else series


def texts(draw: np.random.Generator, n: int, names: pl.Series, shares: Any = None) -> pl.Series:
    """Some of the names, the first of them with these shares, or all alike."""
    size = len(names) if shares is None else len(shares)
    return names.gather(pl.Series(draw.choice(size, n, p=shares).astype(np.uint32)))


def numbered_texts(size: int) -> pl.Series:
    """So many names."""
    return pl.Series([f"v{at:04d}" for at in range(size)])


def _numbered(draw: np.random.Generator, n: int, shares: Any) -> pl.Series:
    return texts(draw, n, numbered_texts(len(shares)), shares)
