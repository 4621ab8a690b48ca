"""Text as received to the types of a contract, visibly: a value that cannot be cast is marked, never guessed."""

from collections.abc import Sequence

import polars as pl

from mlpipe_assets.catalog.time_formats import pattern_of, spell_out
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
        exact = text.str.contains(_exact_decimal(dtype.scale))
        return pl.select(pl.when(exact).then(text.str.strip_prefix("+")))[text.name].cast(dtype, strict=False)
    numbers = text.cast(dtype, strict=False)
    if dtype.is_float():  # "inf" and "nan" are texts that a cast would take for numbers
        numbers = numbers.set(~numbers.is_finite().fill_null(value=True), None)
    return numbers


def _exact_decimal(scale: int) -> str:
    """A regular expression of numbers with at most so many decimals."""
    leading = rf"|\.\d{{1,{scale}}}0*" if scale else ""
    return rf"^[+-]?(\d+(\.\d{{0,{scale}}}0*)?{leading})$"


def explain_uncast(
    text: pl.Series, dtype: pl.DataType, *, formats: Sequence[str] | None = None, time_zone: str = "UTC"
) -> pl.Series:
    """What each of some texts that could not be cast is not, in words without the value."""
    words, nearer = _words(text, dtype, formats, time_zone)
    reasons = pl.Series([words], dtype=pl.String).new_from_index(0, text.len())
    for which, closer in nearer:
        reasons = reasons.set(which.fill_null(value=False), closer)
    return reasons.alias(text.name)


def _words(
    text: pl.Series, dtype: pl.DataType, formats: Sequence[str] | None, time_zone: str
) -> tuple[str, list[tuple[pl.Series, str]]]:
    """What a text of a type is not, and closer words for some of the texts."""
    if isinstance(dtype, pl.Decimal):
        large = text.str.contains(_exact_decimal(dtype.scale))
        return f"not a number with at most {dtype.scale} decimals", [
            (large, f"more than {dtype.precision - dtype.scale} digits before the point")
        ]
    if dtype.is_integer():
        kind = pl.Series(dtype=dtype)
        low, high = kind.lower_bound()[0], kind.upper_bound()[0]
        return "not a whole number", [(text.str.contains(r"^[+-]?\d+$"), f"not between {low} and {high}")]
    if dtype.is_float():
        return "not a number", [(text.cast(dtype, strict=False).is_not_null(), "NaN, or too large for a float")]
    if dtype == pl.Boolean:
        return f"not true or false: none of {', '.join((*_TRUE, *_FALSE))}", []
    if dtype == pl.Date or isinstance(dtype, pl.Datetime):
        return _words_of_a_time(text, dtype, formats, time_zone)
    return f"not a {dtype}", []


def _words_of_a_time(
    text: pl.Series, dtype: pl.DataType, formats: Sequence[str] | None, time_zone: str
) -> tuple[str, list[tuple[pl.Series, str]]]:
    what = "a date" if dtype == pl.Date else "a date and time"
    plain = f"not {what}" if formats is None else f"not {what} as declared: {' or '.join(formats)}"
    clock = "" if dtype == pl.Date else r"([Tt ][\d:.,]+( ?Z| UTC|[+-][\d:]+)?)?"
    patterns = (
        [rf"^\d{{4}}-\d{{2}}-\d{{2}}{clock}$"] if formats is None else [pattern_of(spell_out(f)) for f in formats]
    )
    shaped = text.str.contains("|".join(patterns))
    if dtype == pl.Date:
        return plain, [(shaped, "no day of the calendar")]
    found = read_times(text, formats, "UTC")
    return plain, [
        (shaped & found.is_null(), "no day of the calendar, or no time of the day"),
        (found.is_not_null(), f"a time that does not exist in {time_zone}, whose clocks skip it"),
        (found.is_not_null() & in_bounds(found).is_null(), "outside the years 1 to 9999"),
    ]
