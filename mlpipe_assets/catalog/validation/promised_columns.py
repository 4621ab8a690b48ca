"""What of a contract cannot be kept, whatever rows come: its types, its names and what it says about columns."""

from collections.abc import Iterator
from datetime import date
from functools import cache
from typing import Any

import polars as pl

from mlpipe_assets.rules import Column, Contract, columns

_EVENTS_OWN = ("event_date", "source_file", "payload", "lacking")
_TEXT_READS_AS = (pl.String, pl.Categorical, pl.Enum, pl.Boolean, pl.Date, pl.Datetime, pl.Decimal)
_TOO_WIDE = (pl.Int128, pl.UInt128)


def unkept_by_source(contract: Contract, key: tuple[str, ...], event_time: str | None) -> Iterator[str]:
    """What no clean table of a source can keep of its contract."""
    name = contract.__name__
    for column in columns(contract):
        dtype = column.dtype
        if dtype not in _TEXT_READS_AS and (not dtype.is_numeric() or dtype in _TOO_WIDE):
            yield f"column {column.name!r} of {name} is {dtype}, which no text of a file is read as; declare str, and take it apart in SQL"
        if column.name in _EVENTS_OWN:
            yield f"column {column.name!r} of {name} has the name of a column of every event; call it otherwise, by prepare"
        if column.name == "date" != event_time:
            yield f"column 'date' of {name} would be hidden by the day of the partition; call it otherwise, by prepare"
        if column.name in key and column.nullable:
            yield f"key column {column.name!r} of {name} is nullable, and a row without a key cannot be told from others"
    yield from unkept(contract)


@cache
def unkept(contract: Contract) -> tuple[str, ...]:
    """What no table can keep of its contract: names alike to SQL, sets of columns it does not have, metadata of no meaning."""
    declared = columns(contract)
    seen: dict[str, str] = {}
    found: list[str] = []
    for column in declared:
        other = seen.setdefault(column.name.casefold(), column.name)
        if other != column.name:
            found.append(
                f"columns {other!r} and {column.name!r} of {contract.__name__} are one to SQL, which takes no notice of case"
            )
        found += [f"column {column.name!r} of {contract.__name__}: {line}" for line in _metadata(column)]
    return (*found, *_unique(contract))


def _unique(contract: Contract) -> Iterator[str]:
    names = {column.name for column in columns(contract)}
    together = contract.to_schema().unique or ()
    together = [together] if isinstance(together, str) else together
    yield from (f"unique={name!r} is no column of {contract.__name__}" for name in together if name not in names)


def _metadata(column: Column) -> Iterator[str]:
    told: dict[str, Any] = column.metadata
    since = told.get("since")
    if since is not None and not (isinstance(since, date) or _is_day(since)):
        yield f"since={since!r} is no date: write 2026-01-31"
    if "default" in told and not _fits(told["default"], column.dtype):
        yield f"default={told['default']!r} is no {column.dtype}"
    drift = told.get("drift")
    if drift is not None and (isinstance(drift, bool) or not isinstance(drift, int | float) or not drift >= 0):
        yield f"drift={drift!r} is not a number of 0 or more"
    places = told.get("environments", ())
    if isinstance(places, str) or not {"training", "serving"} >= {*places}:
        yield f'environments={places!r} must be of training and serving: write ["training"]'


def _is_day(text: object) -> bool:
    try:
        return isinstance(text, str) and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _fits(value: object, dtype: pl.DataType) -> bool:
    """Whether a declared value reads as a number where one belongs; other types are judged with the rows."""
    if value is None:
        return False
    return not dtype.is_numeric() or pl.Series([str(value)]).cast(pl.Float64, strict=False)[0] is not None
