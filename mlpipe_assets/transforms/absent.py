"""Columns that came into a contract later: what rows of files without them hold."""

import json
from collections.abc import Sequence
from datetime import date, datetime

import polars as pl

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.errors import shorten
from mlpipe_assets.rules import Column, columns
from mlpipe_assets.transforms.staging import MISSING

SINCE, DEFAULT = "since", "default"


def may_be_absent(column: Column) -> bool:
    """Whether files without the column are legal, for some days at least: `since` with a null or a default, or a default alone."""
    return DEFAULT in column.metadata or (SINCE in column.metadata and column.nullable)


def excused(column: Column, event_date: pl.Series) -> pl.Series:
    """Which rows may lack a column: those of days before `since`; all of them when only a default is declared."""
    if not may_be_absent(column):
        return pl.Series([False], dtype=pl.Boolean).new_from_index(0, event_date.len())
    since = column.metadata.get(SINCE)
    if since is None:
        return pl.Series([True], dtype=pl.Boolean).new_from_index(0, event_date.len())
    first = (
        since.date() if isinstance(since, datetime) else since if isinstance(since, date) else date.fromisoformat(since)
    )
    return event_date < first


def fill_absent(clean: pl.DataFrame, event_date: pl.Series, absent: Sequence[Column]) -> tuple[pl.DataFrame, pl.Series]:
    """Text columns with the declared defaults of columns that the file lacks, and for each row the names it may not lack."""
    lists = [pl.lit([], dtype=pl.List(pl.String))]
    flags: dict[str, pl.Series] = {}
    for column in absent:
        flags[column.name] = allowed = excused(column, event_date)
        if DEFAULT in column.metadata:
            text = pl.Series(column.name, [str(column.metadata[DEFAULT])], dtype=pl.String).new_from_index(
                0, clean.height
            )
            clean = clean.with_columns(text.zip_with(allowed, clean[column.name]).alias(column.name))
    names = list(flags)
    lists += [
        pl.when(pl.nth(position))
        .then(pl.lit([], dtype=pl.List(pl.String)))
        .otherwise(pl.lit([name], dtype=pl.List(pl.String)))
        for position, name in enumerate(names)
    ]
    if not names:
        return clean, pl.Series("lacking", [[]], dtype=pl.List(pl.String)).new_from_index(0, clean.height)
    frame = pl.DataFrame([flags[name].alias(f"f{i}") for i, name in enumerate(names)])
    return clean, frame.select(pl.concat_list(lists).alias("lacking"))["lacking"]


def fill_objects(clean: pl.DataFrame, events: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Text columns with the declared defaults of names that a JSON object lacks; one that it gives as null stays null."""
    for column in columns(source.contract):
        if DEFAULT not in column.metadata or column.name not in clean.columns:
            continue
        open_rows = (clean[column.name].is_null() & excused(column, events["event_date"])).arg_true()
        lacking = [row for row in open_rows if column.name not in json.loads(events["payload"][row])]
        if lacking:
            texts = clean[column.name].scatter(lacking, str(column.metadata[DEFAULT]))
            clean = clean.with_columns(texts.alias(column.name))
    return clean


def missing_column(source: Source, name: str, files: list[str]) -> str:
    """That files lack a column of the contract, and what to declare when the files of old days never had it."""
    column = next(column for column in columns(source.contract) if column.name == name)
    cure = (
        '; if older files never had it, declare metadata={"since": "2026-02-01"} on its Field'
        if column.nullable
        else ""
    )
    return f"{name}: {MISSING} ({shorten(files, 3)}){cure}"
