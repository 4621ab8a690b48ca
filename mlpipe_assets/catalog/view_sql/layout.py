"""How written SQL is laid out, so that people can read it."""

from collections.abc import Sequence

import polars as pl

from mlpipe_assets.catalog.aggregates import From
from mlpipe_assets.catalog.sql_words import spell_name

_WIDTH = 112


def spell_select(chosen: Sequence[str], rest: str) -> str:
    """A select with a line for each column; `rest` begins with `from`."""
    listed = ",\n".join(f"    {one}" for one in chosen)
    return f"select\n{listed}\n{rest}"


def wrap(values: Sequence[str]) -> str:
    """Values on one line, or on several where that would be long."""
    lines = [""]
    for value in values:
        separated = f"{lines[-1]}, {value}" if lines[-1] else value
        if len(separated) > _WIDTH and lines[-1]:
            lines[-1] += ","
            lines.append(value)
        else:
            lines[-1] = separated
    return lines[0] if len(lines) == 1 else "\n    " + "\n    ".join(lines)


def indent(text: str) -> str:
    """Lines moved to the right."""
    return "\n".join(f"    {line}" if line else "" for line in text.split("\n"))


def spell_attributes(one: From, alias: str) -> list[str]:
    """The columns of a select that attributes come to."""
    since = dict(one.days_since)
    return [
        f"cast(d.day - cast({alias}.{spell_name(column)} as date) as bigint) as {spell_name(feature)}"
        if feature in since
        else f"{alias}.{spell_name(column)} as {spell_name(feature)}"
        if feature != column
        else f"{alias}.{spell_name(column)}"
        for feature, column in one.features.items()
    ]


def both(*conditions: str | None) -> str:
    """Conditions that hold together."""
    given = [one for one in conditions if one]
    return " and ".join(f"({one})" for one in given) if len(given) > 1 else given[0]


def divided(scale: int) -> str:
    """What takes units back to the number they stand for."""
    return f" / {10**scale}" if scale else ""


def decimal_type(dtype: pl.DataType) -> str:
    """SQL's name of a decimal, or of a whole number."""
    return f"decimal({dtype.precision}, {dtype.scale})" if isinstance(dtype, pl.Decimal) else "bigint"
