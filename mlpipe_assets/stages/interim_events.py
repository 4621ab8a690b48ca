"""Events of a source as interim reads them: the fields of their payload as clean text, and which rows hold."""

from collections.abc import Collection, Sequence
from datetime import date
from pathlib import Path

import polars as pl

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.engines.engine import Engine
from mlpipe_assets.errors import LakeError
from mlpipe_assets.gate import judge
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.rules import columns as contract_columns
from mlpipe_assets.stages.raw_healing import sound
from mlpipe_assets.transforms.absent import fill_absent, fill_objects
from mlpipe_assets.transforms.events import QUARANTINE_SCHEMA, clean_and_named, decode, decode_flat, own_columns
from mlpipe_assets.transforms.staging import MISSING, ORIGIN, cast_rows

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
        clean, named = clean_and_named(text, source, wanted)
        # What a row of JSON lacks is null; a table names its columns, or what `prepare` makes of it does.
        unnamed = [name for name in wanted if name not in named] if columns else []
        absent = [column for column in contract_columns(source.contract) if column.name in unnamed]
        if not columns and not source.prepare:
            clean = fill_objects(clean, events, source)
        filled, lacking = fill_absent(clean.select(wanted), events["event_date"], absent)
        parts.append(pl.concat([events, filled], how="horizontal").with_columns(lacking))
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
