"""Parquet files: every value as text, nulls kept."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from mlpipe_assets.readers.blocks import Block, UnreadableFileError, malformed_frame, records_frame
from mlpipe_assets.readers.delimited_header import column_names
from mlpipe_assets.readers.delimited_slow import is_utf8
from mlpipe_assets.readers.options import Budget, ReadOptions
from mlpipe_assets.readers.parquet_sizes import unpacked_bytes
from mlpipe_assets.readers.payload import payloads

_FIRST_ROWS = 1_000
_MOST_ROWS = 1 << 18
_EXACT_BELOW: dict[pl.DataType, int] = {pl.Float64(): 2**53, pl.Float32(): 2**24}
_WHOLE = r"^([+-]?\d+)\.0+$"
_NO_FRACTION = r"\.0+(\+00:00)?$"
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31, in days since 1970
_PER_SECOND = {"ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_BROKEN = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)


def read_parquet(path: Path, options: ReadOptions, budget: Budget, *, block_bytes: int) -> Iterator[Block]:
    """Blocks of a Parquet file, about `block_bytes` of text each; record numbers are positions from 1.

    Times are ISO (with time zone: in UTC, +00:00), whole numbers have no fraction whatever their type, nested values are JSON. A row is
    refused where a column that the table knows holds bytes that are no UTF-8 text, or where one whose digits count holds a float too
    large to be exact. Raises: UnreadableFileError if the file is damaged, is no Parquet file or passes a limit.
    """
    try:
        # No glob and no hive: a name such as date=2026-01-05/[a].parquet is a name, not a pattern and not a column.
        scan = pl.scan_parquet(path, glob=False, hive_partitioning=False)
        names = column_names(scan.collect_schema().names(), path, options)
        total = int(scan.select(pl.len()).collect().item())
    except _BROKEN as error:
        raise _unreadable(path, error) from error
    budget.check_columns(len(names))
    _weigh(path, budget)
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
        cells = [read_column(column, name, options) for name, column in zip(names, frame.get_columns(), strict=True)]
        numbers = pl.int_range(start + 1, start + 1 + frame.height, dtype=pl.Int64, eager=True)
        size = sum(_size_of(column, budget) for column, _, _ in cells)
        budget.unpack(size)
        yield _block(
            pl.DataFrame([column for column, _, _ in cells]), numbers, [(bad, why) for _, bad, why in cells], budget
        )
        start += max(frame.height, 1)
        rows = max(1, min(_MOST_ROWS, int(frame.height * block_bytes / max(1, size))))


def _weigh(path: Path, budget: Budget) -> None:
    """Check what the pages of the file unpack to by its own word, before one of them fills the memory."""
    size = unpacked_bytes(path)
    if size is not None:  # what does not tell its size is weighed as it is read
        replace(budget).unpack(size)


def read_column(column: pl.Series, name: str, options: ReadOptions) -> tuple[pl.Series, pl.Series | None, str]:
    """A column as text, called `name`; which of its values refuse their row, if any, and why."""
    kind, bad, why = column.dtype, None, ""
    if kind == pl.Binary:
        text = _binary_text(column)
        lost = text.is_null() & column.is_not_null()
        if lost.any():
            if options.columns is None or name in options.columns:
                bad, why = lost, f"{name}: not UTF-8 text"
            text = text.zip_with(~lost, column.bin.encode("hex"))
        return text.alias(name), bad, why
    if kind.is_float() and options.is_exact(name):
        endless = ~column.is_finite().fill_null(value=True)
        if endless.any():  # no text and no whole number: what writers of floats mean by it is that there is none
            column = column.set(endless, None)
        inexact = (column.abs() >= _EXACT_BELOW.get(kind, 2**11)).fill_null(value=False)
        if inexact.any():
            bad, why = (
                inexact,
                f"{name}: a float too large to keep every digit; write the column as whole numbers or text",
            )
    return column_text(column).alias(name), bad, why


def _binary_text(column: pl.Series) -> pl.Series:
    """Bytes as the text they are in UTF-8; null where they are none."""
    try:
        return column.cast(pl.String)
    except pl.exceptions.ComputeError:
        texts = [None if value is None or not is_utf8(value) else value.decode() for value in column.to_list()]
        return pl.Series(column.name, texts, dtype=pl.String)


def column_text(column: pl.Series) -> pl.Series:
    """A column as text; null stays null."""
    kind = column.dtype
    if kind == pl.String:
        return column
    if kind.is_float() or isinstance(kind, pl.Decimal):
        return _number_text(column)
    if isinstance(kind, pl.Datetime) or kind == pl.Date:
        return _calendar_text(column)
    if isinstance(kind, pl.Duration | pl.Time):
        return column.dt.to_string("iso").str.replace(_NO_FRACTION, "$1")
    if kind.is_nested() or kind in (pl.Object, pl.Binary):
        texts = [None if value is None else nested_text(value) for value in column.to_list()]
        return pl.Series(column.name, texts, dtype=pl.String)
    return column.cast(pl.String)


def _number_text(column: pl.Series) -> pl.Series:
    """Numbers with a fraction as written, whole ones without: 12.0 in one file and 12 in another are one value."""
    text = column.cast(pl.String).str.replace(_WHOLE, "$1").str.replace("^-0$", "0")
    far = text.str.contains("e", literal=True)
    if not far.any():
        return text
    exact = [f"{Decimal(value):f}" if value is not None and "e" in value else value for value in text.to_list()]
    return pl.Series(column.name, exact, dtype=pl.String).str.replace(_WHOLE, "$1")


def _block(text: pl.DataFrame, numbers: pl.Series, judged: list[tuple[pl.Series | None, str]], budget: Budget) -> Block:
    """The rows of a block, those refused apart: each by the first of its columns that refuses it."""
    rows = payloads(text)
    found = [(bad, why) for bad, why in judged if bad is not None]
    if not found:
        return Block(records=records_frame(numbers, rows), text=text, malformed=malformed_frame([]))
    reason = pl.Series([None], dtype=pl.String).new_from_index(0, text.height)
    for bad, why in reversed(found):
        reason = reason.set(bad, why)
    refused = reason.is_not_null()
    budget.refuse(int(refused.sum()), found[0][1])
    malformed = pl.DataFrame([numbers.alias("record_number"), rows.alias("payload"), reason.alias("reason")])
    return Block(
        records=records_frame(numbers.filter(~refused), rows.filter(~refused)),
        text=text.filter(~refused),
        malformed=malformed.filter(refused),
    )


def _size_of(column: pl.Series, budget: Budget) -> int:
    """Bytes of the text of a column, its quotes and comma."""
    sizes = column.str.len_bytes()
    largest = sizes.max()
    budget.check_cell(largest if isinstance(largest, int) else 0)
    return int(sizes.sum()) + 3 * column.len()


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


def nested_text(value: Any) -> str:
    """A nested value as JSON: numbers stay numbers with all their digits, times are ISO text, what is not finite is null."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "null"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(str(key))}: {nested_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple | pl.Series):
        return "[" + ", ".join(nested_text(item) for item in value) + "]"
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, bytes):
        try:
            return _quoted(value.decode())
        except UnicodeDecodeError:
            return _quoted(value.hex())
    return _quoted(value.isoformat() if isinstance(value, date | time) else str(value))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _unreadable(path: Path, error: BaseException) -> UnreadableFileError:
    return UnreadableFileError(f"{path.name}: not a readable Parquet file ({type(error).__name__}). Deliver it again.")
