"""What rows come to, here and in PostgreSQL: how many, how many values each column has, and what these add up to."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

import polars as pl

from mlpipe_assets.warehouse.columns import Column

_CLOSE = 1e-9  # of the sum of all magnitudes: floats are added up in another order there

Tally = dict[str, Any]  # by the name of what is added up


@dataclass(frozen=True, kw_only=True)
class _Sum:
    """One thing that is added up.

    Attributes:
        text: In SQL.
        value: In polars.
        size: Name of the sum of magnitudes beside it, which says how exact it can be; None where it is exact.
    """

    name: str
    text: str
    value: pl.Expr
    size: str | None = None


def tally(rows: pl.DataFrame, columns: Sequence[Column]) -> Tally:
    """What rows come to."""
    return rows.select(one.value.alias(one.name) for one in _sums(columns)).row(0, named=True)


def add(left: Tally, right: Tally) -> Tally:
    """Both together."""
    return {name: value + right[name] for name, value in left.items()} if left else right


def tally_text(columns: Sequence[Column], quoted: Callable[[str], str]) -> str:
    """The select list that gives the same of a table."""
    return ", ".join(one.text.format(quoted(one.name.partition(" of ")[2])) for one in _sums(columns))


def differences(columns: Sequence[Column], here: Tally, there: Sequence[Any]) -> Iterator[str]:
    """What does not agree, in words; nothing where all of it does."""
    found = dict(zip((one.name for one in _sums(columns)), there, strict=True))
    for one in _sums(columns):
        ours, theirs = here.get(one.name, 0), found[one.name] or 0
        if not _agree(ours, theirs, found.get(one.size or "") or 0):
            yield (
                f"{one.name}: {ours:,} in the lake, {theirs:,} there"
                if one.name != "rows"
                else f"{ours:,} rows in the lake, {theirs:,} there"
            )


def _agree(ours: Any, theirs: Any, size: float) -> bool:  # noqa: ANN401 (numbers of any kind)
    if ours == theirs or (isinstance(ours, float) and isnan(ours) and isnan(float(theirs))):
        return True
    return abs(float(ours) - float(theirs)) <= _CLOSE * float(size)


def _sums(columns: Sequence[Column]) -> list[_Sum]:
    found = [_Sum(name="rows", text="count(*)", value=pl.len())]
    for column in columns:
        name, value = column.name, pl.col(column.name)
        found.append(_Sum(name=f"values of {name}", text="count({0})", value=value.count()))
        found += _sums_of(column, value)
    return found


def _sums_of(column: Column, value: pl.Expr) -> list[_Sum]:
    """What is added up of one column; nothing where values of its type cannot be."""
    dtype, of = column.dtype, f"of {column.name}"
    if dtype.is_float():
        number = value.cast(pl.Float64)
        size = f"magnitudes {of}"
        return [
            _Sum(name=size, text="sum(abs({0}::double precision))", value=number.abs().sum(), size=size),
            _Sum(name=f"sum {of}", text="sum({0}::double precision)", value=number.sum(), size=size),
        ]
    exact: Mapping[bool, tuple[str, str, pl.Expr]] = {
        dtype.is_integer(): ("sum", "sum({0}::numeric)", value.cast(pl.Int128)),
        dtype.is_decimal(): ("sum", "sum({0})", value),
        isinstance(dtype, pl.String): ("characters", "sum(length({0}))", value.str.len_chars().cast(pl.Int128)),
        isinstance(dtype, pl.Boolean): ("true values", "count(*) filter (where {0})", value.cast(pl.Int128)),
        isinstance(dtype, pl.Date): ("days", "sum({0} - date '1970-01-01')", value.cast(pl.Int32).cast(pl.Int128)),
        isinstance(dtype, pl.Datetime): (
            "microseconds",
            "sum(extract(epoch from {0}) * 1000000)",
            value.dt.timestamp("us").cast(pl.Int128),
        ),
    }
    if True not in exact:
        return []
    word, text, number = exact[True]
    return [_Sum(name=f"{word} {of}", text=text, value=number.sum())]
