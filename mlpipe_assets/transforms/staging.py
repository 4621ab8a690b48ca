"""Text rows to clean typed rows, and rows that share a key to the one known last."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import polars as pl

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.quoting import may_quote, quote_received
from mlpipe_assets.rules import Column, columns, repeated
from mlpipe_assets.transforms.casts import cast_column, explain_uncast
from mlpipe_assets.transforms.events import PROVENANCE, clean_dtype, decode, own_columns

RECORD = ("delivery", "record_number")
ORIGIN = ("known_at", *RECORD)
_LOOKED_AT = 20  # refused rows of a reason whose values are decoded for examples
MISSING = "column missing from the file"


@dataclass(frozen=True, kw_only=True)
class Typed:
    """Rows in the contract's types. `uncast` says of values that could not be cast, and are null in `rows`, what they are not."""

    rows: pl.DataFrame
    uncast: pl.DataFrame


def cast_rows(clean: pl.DataFrame, provenance: pl.DataFrame, source: Source) -> Typed:
    """Clean text with its provenance as the contract's columns, in the contract's order."""
    typed: dict[str, pl.Series] = {}
    uncast: dict[str, pl.Series] = {}
    reading: dict[str, Any] = {"formats": source.time_formats, "time_zone": source.time_zone}
    for name in own_columns(source):
        dtype = clean_dtype(source, name)
        typed[name] = cast_column(clean[name], dtype, **reading)
        failed = (clean[name].is_not_null() & typed[name].is_null()).arg_true()
        if failed.len():
            none = pl.Series(name, [None], dtype=pl.String).new_from_index(0, clean.height)
            uncast[name] = none.scatter(failed, explain_uncast(clean[name].gather(failed), dtype, **reading))
    columns = source.contract.to_schema().columns
    rows = pl.DataFrame({name: provenance[name] if name in PROVENANCE else typed[name] for name in columns})
    return Typed(rows=rows, uncast=pl.DataFrame(uncast or None, height=rows.height))


def key_hash(frame: pl.DataFrame, key: Sequence[str]) -> pl.Series:
    """64-bit hash of each row's key, comparable within this process."""
    return frame.select(pl.struct(key) if len(key) > 1 else pl.col(key[0])).to_series().hash()


def column_digests(rows: pl.DataFrame) -> dict[str, str]:
    """A digest of each column's values in the order of the rows: what changed in a table tells who has to look again."""
    return {
        name: hashlib.sha256(rows[name].hash(seed=7).to_numpy().tobytes()).hexdigest()[:16] for name in rows.columns
    }


def latest_of_each_day(frame: pl.DataFrame, key: Sequence[str], order: Mapping[str, int]) -> pl.DataFrame:
    """One row per key and event_date: the one of the last delivery in `order`, and of its rows the last."""
    within = (*key, "event_date")
    twice = repeated(frame, within)
    if not twice.any():
        return frame
    ranked = frame.filter(twice).sort(_place(order), "record_number")
    winners = ranked.unique(subset=within, keep="last", maintain_order=True)
    return pl.concat([frame.filter(~twice), winners])


def superseded(
    candidates: pl.DataFrame, key: Sequence[str], within: timedelta, order: Mapping[str, int]
) -> pl.DataFrame:
    """Candidates that another row with the same key, of another day at most `within` away, was known after.

    Shape in and out: the key columns, event_date and the provenance columns, one row per key and event_date.
    """
    ranked = candidates.sort(_place(order), "record_number").with_row_index("rank")
    pairs = ranked.join(ranked.select(*key, "event_date", "rank"), on=list(key), suffix="_other")
    distance = (pl.col("event_date_other") - pl.col("event_date")).abs()
    lost = pairs.filter(
        (pl.col("event_date") != pl.col("event_date_other"))
        & (distance <= within)
        & (pl.col("rank_other") > pl.col("rank"))
    )
    return lost.select(candidates.columns).unique().sort("event_date", *ORIGIN)


def _place(order: Mapping[str, int]) -> pl.Expr:
    """Where each row's delivery stands in the order in which they became known."""
    return pl.col("delivery").replace_strict(order, return_dtype=pl.Int64)


def reasons_in_words(refused: pl.DataFrame, received: int, source: Source) -> list[str]:
    """Why rows were refused: one line per reason with its count and up to three values as received, where they may be quoted."""
    if not refused.height:
        return []
    declared = {column.name: column for column in columns(source.contract)}
    each = refused.select(pl.col("reasons").str.split("; "), "payload").explode("reasons")
    lines: list[str] = []
    for (reason,), rows in each.group_by("reasons", maintain_order=True):
        column = declared.get(str(reason).partition(":")[0])
        quoted = column is not None and may_quote(column) and "null" not in str(reason)
        shown = _received_values(rows["payload"].head(_LOOKED_AT), column) if quoted and column else ""
        lines.append(f"{reason} fails on {rows.height:,} of {received:,} rows{shown}")
    return lines


def _received_values(payload: pl.Series, column: Column) -> str:
    values = decode(payload, [column.name])[column.name].drop_nulls().unique(maintain_order=True)
    shown = quote_received(values, column)[:3]
    return f" (e.g. {', '.join(shown)})" if shown else ""
