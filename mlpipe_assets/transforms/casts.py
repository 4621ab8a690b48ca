"""Text as received to the types of a contract, visibly: a value that cannot be cast is marked, never guessed."""

from collections.abc import Sequence

import polars as pl

from mlpipe_assets.transforms.times import in_bounds, read_dates, read_times

_TRUE, _FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")


def trim(text: pl.DataFrame, nulls: Sequence[str]) -> pl.DataFrame:
    """The same text without surrounding white space, with the texts that mean null as null."""
    stripped = pl.all().str.strip_chars()
    return text.select(pl.when(~stripped.is_in(list(nulls))).then(stripped).name.keep())


def cast_column(
    text: pl.Series, dtype: pl.DataType, *, formats: Sequence[str] | None = None, time_zone: str = "UTC"
) -> pl.Series:
    """Trimmed text as `dtype`; null where it was null or cannot be read exactly.

    Decimals with more digits than the type holds, numbers with a fraction where whole ones belong and times that do
    not exist in the zone are not rounded: they are null.
    """
    if dtype == pl.String:
        return text
    if dtype == pl.Boolean:
        low = text.str.to_lowercase()
        return pl.select(pl.when(low.is_in(_TRUE)).then(statement=True).when(low.is_in(_FALSE)).then(statement=False))[
            "literal"
        ].alias(text.name)
    if dtype == pl.Date:
        return read_dates(text, formats)
    if isinstance(dtype, pl.Datetime):
        times = in_bounds(read_times(text, formats, time_zone))
        return times if dtype.time_zone else times.dt.replace_time_zone(None)
    if isinstance(dtype, pl.Decimal):
        leading = rf"|\.\d{{1,{dtype.scale}}}0*" if dtype.scale else ""
        exact = text.str.contains(rf"^[+-]?(\d+(\.\d{{0,{dtype.scale}}}0*)?{leading})$")
        return pl.select(pl.when(exact).then(text.str.strip_prefix("+")))[text.name].cast(dtype, strict=False)
    numbers = text.cast(dtype, strict=False)
    if dtype.is_float():  # "inf" and "nan" are texts that a cast would take for numbers
        numbers = numbers.set(~numbers.is_finite().fill_null(value=True), None)
    return numbers


def describe(dtype: pl.DataType) -> str:
    """What a value that could not be cast is not, in words."""
    if isinstance(dtype, pl.Decimal):
        return f"not a number with at most {dtype.scale} decimals"
    if isinstance(dtype, pl.Datetime):
        return "not a date and time"
    if dtype == pl.Date:
        return "not a date"
    if dtype.is_integer():
        return "not a whole number"
    if dtype.is_float():
        return "not a number"
    if dtype == pl.Boolean:
        return "not true or false"
    return f"not a {dtype}"
