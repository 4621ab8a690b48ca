"""Received records to immutable events, and back to text columns."""

import json
import re
from collections.abc import Callable, Sequence

import polars as pl

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.contracts.events import Events
from mlpipe_assets.contracts.sourced import Sourced
from mlpipe_assets.errors import PrepareError, shorten
from mlpipe_assets.quoting import sought_column, without_values
from mlpipe_assets.readers.blocks import UnreadableFileError
from mlpipe_assets.readers.json_check import DECODER
from mlpipe_assets.readers.options import Limits
from mlpipe_assets.rules import columns
from mlpipe_assets.transforms.casts import trim
from mlpipe_assets.transforms.times import days_of, read_dates, read_times

EVENT_SCHEMA = {column.name: column.dtype for column in columns(Events)}
QUARANTINE_SCHEMA = {**EVENT_SCHEMA, "reasons": pl.String()}
PROVENANCE = tuple(Sourced.to_schema().columns)
_SHOWN = 5
_GAP = re.compile(r"[ \t\r\n,:]*")


def own_columns(source: Source) -> list[str]:
    """Columns of a source's contract that come from its files."""
    return [column.name for column in columns(source.contract) if column.name not in PROVENANCE]


def decode(payload: pl.Series, names: Sequence[str] | None = None) -> pl.DataFrame:
    """JSON objects as text columns; numbers keep the digits they were written with, nested values are their JSON verbatim.

    Slower than an engine's JSON reader, and exact: 12345678901234567.89 and 1.10 stay what they are.
    """
    rows = [_members(text) for text in payload]
    wanted = list(names) if names is not None else list(dict.fromkeys(name for row in rows for name in row))
    if names is None and len(wanted) > Limits.columns:
        raise UnreadableFileError(f"its objects have {len(wanted):,} different names. Is this a file of the table?")
    if not wanted:
        return pl.DataFrame(height=len(rows))
    return pl.DataFrame(
        {name: pl.Series(name, [_text(row.get(name)) for row in rows], dtype=pl.String) for name in wanted}
    )


def decode_flat(payload: pl.Series, names: Sequence[str], wanted: Sequence[str]) -> pl.DataFrame | None:
    """Objects of nothing but texts, in the order of `names` and without an escape, as the wanted text columns.

    This is how delimited files and sheets arrive: cutting the text at `","` is then exact, and twice as fast as parsing
    it. None when any payload is of another kind.
    """
    keys = [json.dumps(name, ensure_ascii=False)[1:-1] for name in names]
    count = len(names)
    pieces = payload.to_frame("payload").select(
        escaped=pl.col("payload").str.contains("\\", literal=True),
        cuts=pl.col("payload").str.count_matches('","', literal=True),
        piece=pl.col("payload").str.split_exact('","', count - 1),
    )
    if not payload.len():
        return pl.DataFrame(schema=dict.fromkeys(wanted, pl.String))
    fields = pieces["piece"].struct.unnest()
    starts = [('{"' if i == 0 else "") + f'{key}":"' for i, key in enumerate(keys)]
    fits = fields.select(
        pl.all_horizontal(pl.col(f"field_{i}").str.starts_with(start).all() for i, start in enumerate(starts)),
        end=pl.col(f"field_{count - 1}").str.ends_with('"}').all(),
    )
    if pieces["escaped"].any() or (pieces["cuts"] != count - 1).any() or not all(fits.row(0)):
        return None
    places = {name: i for i, name in enumerate(names)}
    values = [pl.col(f"field_{i}").str.strip_prefix(start) for i, start in enumerate(starts)]
    values[-1] = values[-1].str.strip_suffix('"}')
    return fields.select(values[places[name]].alias(name) for name in wanted)


def clean_text(text: pl.DataFrame, source: Source, names: Sequence[str] | None = None) -> pl.DataFrame:
    """Text as received, trimmed and prepared: the contract's text columns, or some of them, null where a row has none.

    Raises: PrepareError when `prepare` fails, as where it needs a column that did not come.
    """
    return clean_and_named(text, source, names)[0]


def clean_and_named(
    text: pl.DataFrame, source: Source, names: Sequence[str] | None = None
) -> tuple[pl.DataFrame, frozenset[str]]:
    """The same, and the columns that are there in the text once it is prepared: the others are null for want of any.

    Raises: PrepareError as `clean_text`.
    """
    wanted = list(names) if names is not None else own_columns(source)
    needed = text if source.prepare is not None else text.select(name for name in text.columns if name in wanted)
    clean = prepared(needed, source)
    height = clean.height if clean.width else text.height
    empty = pl.Series([None], dtype=pl.String).new_from_index(0, height)
    filled = pl.DataFrame([clean[name] if name in clean.columns else empty.alias(name) for name in wanted])
    return filled, frozenset(clean.columns)


def prepared(text: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Text as received, trimmed, with nulls, and through the source's `prepare`."""
    clean = trim(text, source.nulls) if text.width else text
    return clean if source.prepare is None else _prepare(clean, source, source.prepare)


def _prepare(text: pl.DataFrame, source: Source, prepare: Callable[[pl.DataFrame], pl.DataFrame]) -> pl.DataFrame:
    """What a source's own function makes of its text: as many rows, of text.

    Raises: PrepareError without the value that the function failed on, and without names that may be a row of data.
    """
    try:
        made = prepare(text)
    except pl.exceptions.ColumnNotFoundError as error:
        raise PrepareError(_lacking(text, source, error)) from None
    except Exception as error:  # noqa: BLE001 (a user's function raises anything, and quotes the value it failed on)
        words = without_values((str(error).strip().splitlines() or ["no message"])[0])[:300]
        raise PrepareError(
            f"the prepare function of {source.name} failed: {type(error).__name__}: {words}. Let it return what it cannot "
            "read as it came: such rows are refused one by one."
        ) from None
    given: object = made
    if not isinstance(given, pl.DataFrame):
        raise PrepareError(f"the prepare function of {source.name} returned a {type(given).__name__}, not a DataFrame.")
    if made.width and made.height != text.height:
        raise PrepareError(
            f"the prepare function of {source.name} returned {made.height:,} rows for {text.height:,}: it may neither add rows "
            "nor leave any out, so that each is accounted for."
        )
    others = [
        f"{name} as {made[name].dtype}" for name in own_columns(source) if made.schema.get(name, pl.String) != pl.String
    ]
    if others:
        raise PrepareError(
            f"the prepare function of {source.name} returned {shorten(others)}, not as text; leave the cast to us."
        )
    return made


def _lacking(text: pl.DataFrame, source: Source, error: pl.exceptions.ColumnNotFoundError) -> str:
    known = [name for name in text.columns if name in own_columns(source)]
    others = text.width - len(known)
    has = [*known[:_SHOWN], *([f"{len(known) - _SHOWN:,} more of the contract"] if len(known) > _SHOWN else [])]
    has += [f"{others:,} {'other' if known else 'columns, none of them of the contract'}"] if others else []
    return f"lacks a column that the prepare function of {source.name} needs: {sought_column(error)}; it has {', '.join(has) or 'none'}"


def event_dates(clean: pl.DataFrame, source: Source) -> pl.Series:
    """UTC calendar day of each row's event time; null where it cannot be read."""
    if source.event_time is None:
        raise ValueError(source.name)
    text = clean[source.event_time]
    if clean_dtype(source, source.event_time) == pl.Date:
        return read_dates(text, source.time_formats).alias("event_date")
    return days_of(read_times(text, source.time_formats, source.time_zone)).alias("event_date")


def clean_dtype(source: Source, name: str) -> pl.DataType:
    """The contract's type of a column."""
    return next(column.dtype for column in columns(source.contract) if column.name == name)


def _members(text: str) -> dict[str, object]:
    """The members of a JSON object: nested ones as the very text they were received in."""
    row: dict[str, object] = json.loads(text, parse_float=str, parse_int=str)
    if "[" not in text and text.count("{") == 1:
        return row
    if not any(isinstance(value, dict | list) for value in row.values()):
        return row
    at = text.index("{") + 1
    while True:
        at = _GAP.match(text, at).end()  # type: ignore[union-attr]  # it matches the empty text too
        if text[at] == "}":
            return row
        name, at = DECODER.raw_decode(text, at)
        start = _GAP.match(text, at).end()  # type: ignore[union-attr]
        value, at = DECODER.raw_decode(text, start)
        row[name] = text[start:at] if isinstance(value, dict | list) else value


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)
