"""Which events hold: their columns as clean text, cast, and judged by their contract; the same of a file and of a request."""

from collections.abc import Sequence

import polars as pl

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.errors import LakeError
from mlpipe_assets.gate import judge
from mlpipe_assets.rules import columns as contract_columns
from mlpipe_assets.transforms.absent import fill_absent, fill_objects
from mlpipe_assets.transforms.events import QUARANTINE_SCHEMA, clean_and_named, own_columns
from mlpipe_assets.transforms.staging import MISSING, ORIGIN, cast_rows


def name_columns(
    events: pl.DataFrame, text: pl.DataFrame, source: Source, wanted: Sequence[str], columns: Sequence[str]
) -> pl.DataFrame:
    """Events with their wanted columns as clean text; those that they lack and may not lack are named in `lacking`.

    Args:
        events: One row an event, with `event_date` and `payload`.
        text: Their fields as received.
        source: Whose events.
        wanted: Columns of its contract.
        columns: The columns of their file; none where each row names its own (JSON).
    """
    clean, named = clean_and_named(text, source, wanted)
    # What a row of JSON lacks is null; a table names its columns, or what `prepare` makes of it does.
    unnamed = [name for name in wanted if name not in named] if columns else []
    absent = [column for column in contract_columns(source.contract) if column.name in unnamed]
    if not columns and not source.prepare:
        clean = fill_objects(clean, events, source)
    filled, lacking = fill_absent(clean.select(wanted), events["event_date"], absent)
    return pl.concat([events, filled], how="horizontal").with_columns(lacking)


def judge_events(frame: pl.DataFrame, source: Source) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows that hold (with event_date), and the rows refused as quarantine keeps them."""
    typed = cast_rows(frame.select(own_columns(source)), frame.select(ORIGIN), source)
    uncast = typed.uncast
    for name in frame["lacking"].explode().drop_nulls().unique():
        missing = pl.when(pl.lit(frame["lacking"].list.contains(name))).then(pl.lit(MISSING))
        known = uncast[name] if name in uncast.columns else None
        uncast = uncast.with_columns(missing.otherwise(known).alias(name))
    _hold_in_place(typed.rows.with_columns(frame["event_date"]), frame["source_file"], source)
    judgement = judge(typed.rows, source.contract, uniqueness=False, uncast=uncast)
    rows = typed.rows.with_columns(frame["event_date"])
    if judgement.refused is None:
        return rows, pl.DataFrame(schema=QUARANTINE_SCHEMA)
    away = frame.filter(judgement.refused).with_columns(judgement.reasons, source=pl.lit(source.name))
    return rows.filter(~judgement.refused), away.select(list(QUARANTINE_SCHEMA))


def _hold_in_place(rows: pl.DataFrame, files: pl.Series, source: Source) -> None:
    """Every row lies in the partition of its own event time.

    Raises: LakeError naming the file, the rows and what to do: no row may enter features under another day.
    """
    if source.event_time is None:
        return
    astray = rows.with_columns(files).filter(pl.col(source.event_time).cast(pl.Date) != pl.col("event_date"))
    if not astray.height:
        return
    row = astray.row(0, named=True)
    they_are, them = ("1 row is", "it") if astray.height == 1 else (f"{astray.height:,} rows are", "them")
    raise LakeError(
        f"interim/{source.name} [{row['event_date']}]: {they_are} not of the day that holds {them}, e.g. line "
        f"{row['record_number']:,} of {row['source_file']}, whose {source.event_time} is of "
        f"{row[source.event_time]:%Y-%m-%d}. Another declaration of {source.name} placed {them}. Nothing was written. "
        f"`mlpipe run` places {them} again; if it does not, delete meta/deliveries/{source.name}/{row['delivery']}.json "
        "and run again: the file is read again."
    )
