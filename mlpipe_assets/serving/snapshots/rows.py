"""How a row of a view is kept online: its key as one text, its values as one JSON array that begins with its as_of.

JSON gives every number back as it was, and any tool reads it. Two keys never share a text: a key of one column is its
value, one of several has the length of each value before it, so that ('a|b', 'c') and ('a', 'b|c') differ.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime

import orjson
import polars as pl

from mlpipe_assets.errors import MlpipeError

KeyValue = str | int
KEY_TYPES = ("text", "integer", "date")


class KeyTypeError(MlpipeError):
    """A join key is of a type that nothing can be looked up by."""


def key_type(dtype: pl.DataType) -> str:
    """What a join key is given as in a request: `text`, `integer` or `date` (2026-01-31).

    Raises: KeyTypeError for floats, times and anything else that two clients may spell differently.
    """
    kind = dtype.base_type()
    if kind in (pl.String, pl.Categorical, pl.Enum):
        return "text"
    if kind.is_integer():
        return "integer"
    if kind == pl.Date:
        return "date"
    raise KeyTypeError(f"a join key of type {dtype} cannot be looked up online. Make it text, a whole number or a date")


def spell_key(values: Sequence[KeyValue | date]) -> str:
    """The text of one key, of the values of its columns in order."""
    if len(values) == 1:
        return f"{values[0]}"
    return "".join(f"{len(text)}:{text}" for text in map(str, values))


def spell_keys(frame: pl.DataFrame, join_keys: Sequence[str]) -> pl.Series:
    """The text of the key of each row; null where a part of it is null."""
    texts = [pl.col(name).cast(pl.String) for name in join_keys]
    if len(texts) == 1:
        return frame.select(texts[0].alias("key")).to_series()
    parts = [pl.concat_str(text.str.len_chars().cast(pl.String), pl.lit(":"), text) for text in texts]
    return frame.select(pl.concat_str(*parts).alias("key")).to_series()


def spell_rows(frame: pl.DataFrame, features: Sequence[str]) -> Iterator[bytes]:
    """The text of each row: `[seconds of as_of since 1970, value, value, ...]`. NaN and infinities become null."""
    values = [_plain(pl.col(name), frame.schema[name]) for name in features]
    chosen = frame.select(pl.col("as_of").dt.epoch("s").alias("as_of"), *values)
    return map(_dump, chosen.iter_rows())


def parse_rows(rows: Sequence[bytes | None]) -> list[list[object] | None]:
    """The values of rows as they are kept, all read in one pass; None where there is no row."""
    found: list[list[object] | None] = orjson.loads(b"[" + b",".join([row or b"null" for row in rows]) + b"]")
    return found


def spell_time(seconds: int) -> str:
    """An as_of as answers show it: `2026-01-31T00:00:00Z`."""
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_column(values: Sequence[object], dtype: pl.DataType, name: str) -> pl.Series:
    """A column of answers with the type it had in its table."""
    if isinstance(dtype, pl.Date | pl.Datetime | pl.Time):
        texts = pl.Series(name, values, dtype=pl.String)
        if isinstance(dtype, pl.Datetime):
            parsed = texts.str.to_datetime(time_zone="UTC", time_unit=dtype.time_unit, strict=True)
            return parsed if dtype.time_zone else parsed.dt.replace_time_zone(None)
        return texts.str.to_date() if isinstance(dtype, pl.Date) else texts.str.to_time()
    if isinstance(dtype, pl.Decimal):
        return pl.Series(name, values, dtype=pl.Float64).cast(dtype)
    if isinstance(dtype, pl.Duration):
        return (
            (pl.Series(name, values, dtype=pl.Float64) * 1e6).round().cast(pl.Int64).cast(pl.Duration("us")).cast(dtype)
        )
    return pl.Series(name, values, dtype=dtype, strict=True)


def _plain(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """A column as JSON has it."""
    if isinstance(dtype, pl.Decimal):
        return value.cast(pl.Float64)
    if isinstance(dtype, pl.Duration):
        return value.dt.total_microseconds() / 1e6
    if isinstance(dtype, pl.Binary):
        return value.bin.encode("hex")
    return value


def _dump(row: tuple[object, ...]) -> bytes:
    return orjson.dumps(row, default=float, option=orjson.OPT_NAIVE_UTC)
