"""What a file's blocks become on arrival: events under their event date, and rows refused at the door."""

from datetime import date, datetime

import polars as pl

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.readers.blocks import Block
from mlpipe_assets.transforms.events import EVENT_SCHEMA, QUARANTINE_SCHEMA, clean_text, decode, event_dates

NO_COLUMN, NO_TIME, UNREAD_TIME = "the file has no such column", "is null", "cannot be read as a time"


def arrive(
    block: Block,
    source: Source,
    *,
    delivery: str,
    source_file: str,
    known_at: datetime,
    snapshot_day: date,
    arrived: date,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One block as (events, refused): events carry their event date; refused rows a reason and the day of arrival."""
    stamp = {
        "source": pl.lit(source.name),
        "delivery": pl.lit(delivery),
        "source_file": pl.lit(source_file),
        "known_at": pl.lit(known_at).cast(pl.Datetime("us", "UTC")),
    }
    refused = [block.malformed.with_columns(event_date=pl.lit(arrived), **stamp)]
    records = block.records
    if source.event_time is None:
        records = records.with_columns(event_date=pl.lit(snapshot_day))
    else:
        text = (
            block.text
            if block.text is not None
            else decode(records["payload"], None if source.prepare else [source.event_time])
        )
        no_text = pl.Series([None], dtype=pl.String).new_from_index(0, records.height).to_frame(source.event_time)
        clean = clean_text(text, source, [source.event_time]) if text.width and records.height else no_text
        records = records.with_columns(event_dates(clean, source))
        missing = block.text is not None and source.prepare is None and source.event_time not in text.columns
        why = pl.lit(NO_COLUMN if missing else NO_TIME)
        reasons = pl.when(clean[source.event_time].is_null()).then(why).otherwise(pl.lit(UNREAD_TIME))
        unread = records.with_columns(reason=pl.format("{}: {}", pl.lit(source.event_time), reasons))
        refused.append(unread.filter(pl.col("event_date").is_null()).with_columns(event_date=pl.lit(arrived), **stamp))
        records = records.filter(pl.col("event_date").is_not_null())
    events = records.with_columns(**stamp).select(pl.col(name).cast(dtype) for name, dtype in EVENT_SCHEMA.items())
    named = [frame.rename({"reason": "reasons"}) for frame in refused]
    turned_away = pl.concat(
        [f.select(pl.col(name).cast(dtype) for name, dtype in QUARANTINE_SCHEMA.items()) for f in named]
    )
    return events, turned_away
