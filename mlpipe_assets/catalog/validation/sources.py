"""What a source declares that its contract, or its feed, does not bear out."""

from collections.abc import Collection, Iterator

import polars as pl

from mlpipe_assets.catalog.columns import columns_of
from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.catalog.feeds import DatabaseTable, Files, HttpApi, KafkaTopic, NatsStream
from mlpipe_assets.catalog.nearest import absent
from mlpipe_assets.catalog.validation.promised_columns import unkept_by_source
from mlpipe_assets.contracts.serving_log import ServingLog

_PROVENANCE = ("known_at", "delivery", "record_number")


def _table_feed(feed: DatabaseTable | HttpApi, *, snapshot: bool) -> Iterator[str]:
    if snapshot and feed.newer_by is not None:
        yield "feed.newer_by takes only rows that changed, and a source without event_time is the whole table each time: leave it away"
    if not snapshot and feed.newer_by is None:
        yield (
            "feed has no newer_by, so it takes the whole table each day, as a snapshot: name the column that grows with every change "
            "of a row, or leave event_time away"
        )


def _broken_feed(source: Source, bad: Collection[str]) -> Iterator[str]:
    feed = source.feed
    if "event_time" not in bad and isinstance(feed, DatabaseTable | HttpApi):
        yield from _table_feed(feed, snapshot=source.event_time is None)
    if isinstance(feed, KafkaTopic | NatsStream) and feed.schema_registry and feed.avro_schema:
        yield "feed names schema_registry and avro_schema: where each message names its schema, leave avro_schema away"
    if issubclass(source.contract, ServingLog) and feed != Files():
        yield "feed is another one than Files(): servers put what they answered into the folder of this source"


def broken_source(source: Source, bad: Collection[str]) -> Iterator[str]:
    """What the good fields of a source point at and is not there; `bad` names the fields that cannot be followed."""
    if "contract" in bad:
        return
    dtypes, wrong = columns_of(source.contract)
    if wrong:
        yield wrong
        return
    yield from absent("contract", _PROVENANCE, dtypes, f" of {source.contract.__name__}; let it inherit Sourced")
    if "key" not in bad:
        yield from absent("key", source.key, dtypes, f" of {source.contract.__name__}")
        if len({*source.key}) < len(source.key):
            yield f"key names a column twice: {', '.join(source.key)}"
    if "feed" not in bad:
        yield from _broken_feed(source, bad)
    if "event_time" not in bad and source.event_time is not None:
        yield from absent("event_time", (source.event_time,), dtypes, f" of {source.contract.__name__}")
        dtype = dtypes.get(source.event_time)
        if dtype is not None and dtype not in (pl.Date, pl.Datetime):
            yield f"event_time {source.event_time!r} is {dtype} in {source.contract.__name__}, not a time or a date"
    if not {"key", "event_time"} & {*bad}:
        yield from unkept_by_source(source.contract, source.key, source.event_time)
