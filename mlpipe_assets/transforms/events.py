"""Received records to immutable events, and back to text columns."""

import json
from collections.abc import Sequence
from datetime import date

import polars as pl

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.contracts.sourced import Sourced
from mlpipe_assets.rules import columns
from mlpipe_assets.transforms.casts import cast_column, trim

EVENT_SCHEMA = {
    "source": pl.String(),
    "delivery": pl.String(),
    "source_file": pl.String(),
    "record_number": pl.Int64(),
    "event_date": pl.Date(),
    "known_at": pl.Datetime("us", "UTC"),
    "payload": pl.String(),
}
QUARANTINE_SCHEMA = {**EVENT_SCHEMA, "reasons": pl.String()}
PROVENANCE = tuple(Sourced.to_schema().columns)
_OLDEST, _NEWEST = date(1900, 1, 1), date(2261, 12, 31)


def own_columns(source: Source) -> list[str]:
    """Columns of a source's contract that come from its files."""
    return [column.name for column in columns(source.contract) if column.name not in PROVENANCE]


def decode(payload: pl.Series, names: Sequence[str] | None = None) -> pl.DataFrame:
    """JSON objects as text columns; numbers keep the digits they were written with.

    Slower than an engine's JSON reader, and exact: 12345678901234567.89 and 1.10 stay what they are.
    """
    rows = [json.loads(text, parse_float=str, parse_int=str) for text in payload]
    wanted = list(names) if names is not None else list(dict.fromkeys(name for row in rows for name in row))
    return pl.DataFrame(
        {name: pl.Series(name, [_text(row.get(name)) for row in rows], dtype=pl.String) for name in wanted}
    )


def clean_text(text: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Text as received, trimmed and prepared: the text columns of the contract, null where a row has none.

    Raises: polars' ColumnNotFoundError when `prepare` needs a column that did not come.
    """
    clean = trim(text, source.nulls) if text.width else text
    if source.prepare is not None:
        clean = source.prepare(clean)
    return clean.select(
        pl.col(name) if name in clean.columns else pl.lit(None, dtype=pl.String).alias(name)
        for name in own_columns(source)
    )


def event_dates(clean: pl.DataFrame, source: Source) -> pl.Series:
    """UTC calendar day of each row's event time; null where it cannot be read."""
    if source.event_time is None:
        raise ValueError(source.name)
    dtype = clean_dtype(source, source.event_time)
    times = cast_column(clean[source.event_time], dtype, formats=source.time_formats, time_zone=source.time_zone)
    days = times.cast(pl.Date)
    return days.set(~days.is_between(_OLDEST, _NEWEST).fill_null(value=True), None).alias("event_date")


def clean_dtype(source: Source, name: str) -> pl.DataType:
    """The contract's type of a column."""
    return next(column.dtype for column in columns(source.contract) if column.name == name)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
