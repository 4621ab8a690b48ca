"""One column read once, into the form every statistic is taken from: sorted numbers, or counted categories."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

Kind = Literal["number", "category", "time", "opaque"]

_DAY = 86_400_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Runs:
    """Values in ascending order, NaN apart; each different value once where `repeats` tells how often.

    Attributes:
        repeats: Rows of each value; None for one row each, where values may also come twice.
    """

    values: NDArray[Any]
    repeats: NDArray[np.int64] | None = None

    @property
    def rows(self) -> int:
        """How many values there are, repeated ones as often as they come."""
        return len(self.values) if self.repeats is None else int(self.repeats.sum())

    def lengths(self) -> NDArray[np.int64]:
        """Rows of each value."""
        return np.ones(len(self.values), dtype=np.int64) if self.repeats is None else self.repeats

    def finite(self) -> "Runs":
        """The values without the infinities."""
        if self.values.dtype.kind != "f":
            return self
        kept = slice(int(np.searchsorted(self.values, -np.inf, "right")), int(np.searchsorted(self.values, np.inf)))
        return Runs(values=self.values[kept], repeats=None if self.repeats is None else self.repeats[kept])


@dataclass(frozen=True, kw_only=True, eq=False)
class Numbers:
    """Values of a column, infinities included, nulls and NaN apart; times are microseconds since 1970, UTC."""

    rows: int
    nulls: int
    nans: int
    different: int
    runs: Runs


@dataclass(frozen=True, kw_only=True, eq=False)
class Categories:
    """Different values of a column as text with their counts, the most frequent first, ties by name."""

    rows: int
    nulls: int
    counted: pl.DataFrame


@dataclass(frozen=True, kw_only=True)
class Opaque:
    """A column of which only nulls are counted."""

    rows: int
    nulls: int


Column = Numbers | Categories | Opaque


def kinds_of(schema: Mapping[str, pl.DataType]) -> dict[str, Kind]:
    """Kind of each column by its type: text, flags and enumerations are categories; lists, structs and bytes are opaque."""
    return {name: _kind(dtype) for name, dtype in schema.items()}


def read_column(series: pl.Series, kind: Kind) -> Column:
    """The column in the form its statistics are taken from.

    Decimals, and integers beyond 64 bits, become floats: their sums here describe, and are no accounts.
    """
    nulls = series.null_count()
    if kind == "opaque":
        return Opaque(rows=len(series), nulls=nulls)
    if kind == "category":
        return Categories(rows=len(series), nulls=nulls, counted=_count(series))
    values = np.sort(numbers_of(series).drop_nulls().to_numpy())
    nans = len(values) - int(np.searchsorted(values, np.nan)) if values.dtype.kind == "f" else 0
    different, runs = _run(values[: len(values) - nans])
    return Numbers(rows=len(series), nulls=nulls, nans=nans, different=different, runs=runs)


def spell_time(microseconds: float) -> str:
    """A time as text, without what is zero: 2026-01-05 or 2026-01-05T10:30:00."""
    at = np.datetime64(int(microseconds), "us")
    return str(at.astype("datetime64[D]") if int(microseconds) % _DAY == 0 else at.astype("datetime64[s]"))


def _kind(dtype: pl.DataType) -> Kind:
    if dtype.is_numeric():
        return "number"
    if dtype.is_temporal():
        return "time"
    if dtype in (pl.String, pl.Boolean, pl.Enum, pl.Categorical):
        return "category"
    return "opaque"


def numbers_of(series: pl.Series) -> pl.Series:
    """A column of numbers or times as the numbers that are counted; times are microseconds."""
    dtype = series.dtype
    if dtype in (pl.Date, pl.Datetime):
        return series.cast(pl.Datetime("us")).to_physical()
    if dtype == pl.Duration:
        return series.cast(pl.Duration("us")).to_physical()
    if dtype == pl.Time:
        return series.to_physical() // 1000
    if dtype in (pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt16, pl.UInt32, pl.Int64):
        return series.cast(pl.Int64)
    return series.cast(pl.Float64)


def _run(values: NDArray[Any]) -> tuple[int, Runs]:
    """How many different values there are, and the values: each once only where that halves them at least."""
    new = np.concatenate([np.ones(min(1, len(values)), dtype=np.bool_), values[1:] != values[:-1]])
    different = int(np.count_nonzero(new))
    if 2 * different > len(values):
        return different, Runs(values=values)
    starts = np.flatnonzero(new)
    return different, Runs(values=values[starts], repeats=np.diff(starts, append=len(values)))


def _count(series: pl.Series) -> pl.DataFrame:
    counted = series.alias("name").drop_nulls().value_counts(name="rows")
    return counted.select(pl.col("name").cast(pl.String), pl.col("rows").cast(pl.Int64)).sort(
        "rows", "name", descending=[True, False]
    )
