"""Events of a source as interim reads them: the fields of their payload as clean text."""

from collections.abc import Collection, Sequence
from datetime import date
from pathlib import Path

import polars as pl

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.engines.engine import Engine
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.stages.raw.healing import sound
from mlpipe_assets.transforms.events import QUARANTINE_SCHEMA, decode, decode_flat, own_columns
from mlpipe_assets.transforms.judging import name_columns
from mlpipe_assets.transforms.staging import ORIGIN, cast_rows

_EVENT = ("event_date", *ORIGIN, "source_file", "payload")


def read_events(
    engine: Engine,
    source: Source,
    ledger: Ledger,
    days: Sequence[date],
    names: list[str] | None = None,
    only: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Events of days with their clean text columns; columns a file never had are marked in `lacking`.

    Args:
        engine: Decodes what cannot be cut.
        source: Whose events.
        ledger: Its deliveries.
        days: Event dates.
        names: Columns wanted; None takes all of the contract.
        only: Deliveries, or records of them, wanted; None takes all.
    """
    parts: list[pl.DataFrame] = []
    wanted = names or own_columns(source)
    groups: dict[tuple[str, ...], list[Path]] = {}
    wanted_deliveries = None if only is None else set(only["delivery"])
    for delivery in ledger.deliveries.values():
        if wanted_deliveries is not None and delivery.delivery not in wanted_deliveries:
            continue
        paths = [ledger.event_path(delivery, day) for day in days if delivery.events.get(day)]
        if paths:
            groups.setdefault(delivery.columns, []).extend(paths)
    for columns, paths in sorted(groups.items()):
        needed = columns if source.prepare else tuple(name for name in wanted if name in columns or not columns)
        events, text = _decoded(engine, sound(source, ledger, sorted(paths)), columns, needed, only)
        parts.append(name_columns(events, text, source, wanted, columns))
    empty = {
        **{n: QUARANTINE_SCHEMA[n] for n in _EVENT},
        **dict.fromkeys(wanted, pl.String()),
        "lacking": pl.List(pl.String),
    }
    return pl.concat(parts) if parts else pl.DataFrame(schema=empty)


def typed_keys(
    engine: Engine, source: Source, ledger: Ledger, days: Sequence[date], deliveries: Collection[str]
) -> pl.DataFrame:
    """The key of each row of deliveries on some days, in the contract's types, with the row's event_date and record."""
    only = pl.DataFrame({"delivery": sorted(deliveries)}, schema={"delivery": pl.String})
    keys = read_events(engine, source, ledger, days, list(source.key), only=only)
    rows = cast_rows(*padded(keys, source), source).rows
    return rows.select(*source.key, "delivery", "record_number").with_columns(keys["event_date"]).drop_nulls()


def padded(keys: pl.DataFrame, source: Source) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Key columns beside empty ones, as cast_rows wants them, and their provenance."""
    absent = [pl.lit(None, dtype=pl.String).alias(n) for n in own_columns(source) if n not in keys.columns]
    return keys.with_columns(absent).select(own_columns(source)), keys.select(ORIGIN)


def _decoded(
    engine: Engine, paths: Sequence[Path], columns: tuple[str, ...], needed: tuple[str, ...], only: pl.DataFrame | None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Events and the needed fields of their payload as text: the fastest way that is exact for them."""
    frame = pl.read_parquet(list(paths), columns=list(_EVENT), hive_partitioning=False, glob=False)
    if only is not None:
        frame = frame.join(only, on=only.columns, how="semi", maintain_order="left")
    if not columns:  # JSON as its sender wrote it: numbers must keep their digits
        return frame, decode(frame["payload"], needed or None)
    if not needed:
        return frame, pl.DataFrame(height=frame.height)
    flat = decode_flat(frame["payload"], columns, needed)
    if flat is not None:
        return frame, flat
    parsed = engine.decode(paths, needed)
    if parsed is None:
        return frame, decode(frame["payload"], needed)
    if only is not None:
        parsed = parsed.join(only, on=only.columns, how="semi", maintain_order="left")
    text = parsed.select(pl.col(f"field_{i}").alias(name) for i, name in enumerate(needed))
    return parsed.select(_EVENT), text
