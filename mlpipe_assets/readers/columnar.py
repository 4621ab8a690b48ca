"""Parquet files: every value as text, nulls kept."""

import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from mlpipe_assets.readers.blocks import Block, UnreadableFileError, malformed_frame, records_frame
from mlpipe_assets.readers.delimited_header import column_names
from mlpipe_assets.readers.payload import payloads

_FIRST_ROWS = 1_000
_MOST_ROWS = 1 << 18
_NO_FRACTION = r"\.0+(\+00:00)?$"
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31, in days since 1970
_PER_SECOND = {"ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_BROKEN = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)


def read_parquet(path: Path, *, block_bytes: int) -> Iterator[Block]:
    """Blocks of a Parquet file, about `block_bytes` of text each; record numbers are positions from 1.

    Times are ISO (with time zone: in UTC, +00:00), nested values JSON, binary ones hexadecimal.
    Raises: UnreadableFileError if the file is damaged or is no Parquet file.
    """
    try:
        # No glob and no hive: a name such as date=2026-01-05/[a].parquet is a name, not a pattern and not a column.
        scan = pl.scan_parquet(path, glob=False, hive_partitioning=False)
        names = column_names(scan.collect_schema().names(), path)
        total = int(scan.select(pl.len()).collect().item())
    except _BROKEN as error:
        raise _unreadable(path, error) from error
    start, rows = 0, min(_FIRST_ROWS, block_bytes)
    while start < total or start == 0:
        try:
            frame = scan.slice(start, rows).collect()
        except _BROKEN as error:
            raise _unreadable(path, error) from error
        if start < total and not frame.height:
            raise UnreadableFileError(
                f"{path.name}: damaged Parquet file, it ends at row {start:,} of {total:,}. Deliver it again."
            )
        text = pl.DataFrame(
            [column_text(column).alias(name) for name, column in zip(names, frame.get_columns(), strict=True)]
        )
        numbers = pl.int_range(start + 1, start + 1 + frame.height, dtype=pl.Int64, eager=True)
        yield Block(records=records_frame(numbers, payloads(text)), text=text, malformed=malformed_frame([]))
        start += max(frame.height, 1)
        rows = max(1, min(_MOST_ROWS, int(frame.height * block_bytes / max(1, text.estimated_size()))))


def column_text(column: pl.Series) -> pl.Series:
    """A column as text; null stays null."""
    kind = column.dtype
    if kind == pl.String:
        return column
    if kind == pl.Binary:
        return column.bin.encode("hex")
    if isinstance(kind, pl.Datetime) or kind == pl.Date:
        return _calendar_text(column)
    if isinstance(kind, pl.Duration | pl.Time):
        return column.dt.to_string("iso").str.replace(_NO_FRACTION, "$1")
    if kind.is_nested() or kind == pl.Object:
        texts = [None if value is None else json.dumps(_plain(value), ensure_ascii=False) for value in column.to_list()]
        return pl.Series(column.name, texts, dtype=pl.String)
    return column.cast(pl.String)


def _calendar_text(column: pl.Series) -> pl.Series:
    """Dates and times in ISO form; one outside the years 1 to 9999, as some tools write for endless, is its stored number."""
    number = column.to_physical()
    kind = column.dtype
    a_day = 86_400 * _PER_SECOND[kind.time_unit] if isinstance(kind, pl.Datetime) else 1
    known = (number // a_day).is_between(_FIRST_DAY, _LAST_DAY)
    dated = column if known.all() else column.set(~known.fill_null(value=True), None)
    if isinstance(kind, pl.Datetime):
        moments = dated if kind.time_zone is None else dated.dt.convert_time_zone("UTC")
        text = moments.dt.to_string("iso:strict").str.replace(_NO_FRACTION, "$1")
    else:
        text = dated.cast(pl.String)
    return text if known.all() else text.zip_with(known, number.cast(pl.String))


def _plain(value: object) -> object:
    """A nested value as JSON knows it."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _unreadable(path: Path, error: BaseException) -> UnreadableFileError:
    return UnreadableFileError(f"{path.name}: not a readable Parquet file ({type(error).__name__}). Deliver it again.")
