"""Rows of one key on several days: which of them lose, those of days that are not being built included."""

from collections.abc import Callable, Collection, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.catalog.versions import source_version
from mlpipe_assets.concurrency import in_order
from mlpipe_assets.engines.engine import Engine
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.stages.interim.events import padded, read_events
from mlpipe_assets.transforms.events import QUARANTINE_SCHEMA
from mlpipe_assets.transforms.judging import judge_events
from mlpipe_assets.transforms.staging import ORIGIN, cast_rows, key_hash, latest_of_each_day, superseded


def find_lost_rows(
    engine: Engine,
    source: Source,
    ledger: Ledger,
    built: Mapping[date, Path],
    hashes: np.ndarray,
    where: np.ndarray,
    replaced: pl.DataFrame,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows that lose to a row of another day, and all that were held against each other: their key, event_date and rank.

    Args:
        engine: Decodes what cannot be cut.
        source: Whose rows.
        ledger: Its deliveries.
        built: The days being built, and the file that holds the rows of each for now.
        hashes: `key_hash` of each of those rows.
        where: Ordinal of the day of each.
        replaced: Rows of built and neighbouring days that a later version of their file takes the place of.
    """
    columns = [*source.key, "event_date", *ORIGIN]
    empty = pl.DataFrame(
        schema={
            **{k: pl.String() for k in source.key},
            "event_date": pl.Date,
            **{r: QUARANTINE_SCHEMA[r] for r in ORIGIN},
        }
    )
    if not source.dedupe_within or not hashes.size:
        return empty, empty
    near = neighbours(ledger, source, built)
    halo = _same_keys(engine, source, ledger, near, hashes, replaced) if near else None
    ordered = np.sort(hashes)
    suspects = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if halo is not None and halo.height:
        suspects = np.union1d(suspects, key_hash(halo, source.key).to_numpy())
    if not suspects.size:
        return empty, empty
    wanted = pl.Series(suspects)
    parts = [halo.select(columns)] if halo is not None else []
    involved = {int(o) for o in np.unique(where[np.isin(hashes, suspects)])}
    for day, path in built.items():
        if day.toordinal() in involved:
            rows = pl.read_parquet(path, columns=[*source.key, *ORIGIN], hive_partitioning=False, glob=False)
            rows = rows.filter(key_hash(rows, source.key).is_in(wanted.implode()))
            parts.append(rows.with_columns(event_date=pl.lit(day)).select(columns))
    candidates = pl.concat(parts)
    return superseded(candidates, source.key, source.dedupe_within, ledger.order), candidates


def neighbours(ledger: Ledger, source: Source, built: Collection[date]) -> list[date]:
    """Days not being built that hold rows and are near enough to share keys with one that is."""
    if not source.dedupe_within:
        return []
    reach = source.dedupe_within
    return [
        day
        for day in ledger.days_in_partitions()
        if day not in built and any(abs(day - other) <= reach for other in built)
    ]


def _same_keys(
    engine: Engine, source: Source, ledger: Ledger, days: list[date], hashes: np.ndarray, replaced: pl.DataFrame
) -> pl.DataFrame | None:
    """Valid rows of neighbouring days whose key is among those built, one per key and day: key, event_date and rank."""
    known = pl.Series([np.unique(hashes)])

    def among_built(rows: pl.DataFrame) -> pl.Series:
        return key_hash(rows, source.key).is_in(known)

    def of_day(day: date) -> pl.DataFrame | None:
        facts = ledger.lake.facts("interim", source.name, day)
        present = {d.delivery for d in ledger.of_day(day)}
        if facts and facts["code_version"] == source_version(source) and present >= set(facts["deliveries"]):
            return _winners_on_disk(engine, source, ledger, day, facts, among_built, replaced)
        keys = read_events(engine, source, ledger, [day], list(source.key))
        same = among_built(cast_rows(*padded(keys, source), source).rows)
        return _winners(engine, source, ledger, day, keys.filter(same).select("delivery", "record_number"), replaced)

    found = [part for part in in_order(of_day, days) if part is not None and part.height]
    return pl.concat(found) if found else None


def _winners(
    engine: Engine, source: Source, ledger: Ledger, day: date, only: pl.DataFrame, replaced: pl.DataFrame
) -> pl.DataFrame | None:
    """Of some records or deliveries of a day, the valid row of each key that was known last."""
    if not only.height:
        return None
    frame = read_events(engine, source, ledger, [day], only=only)
    rows = _without(judge_events(frame, source)[0], replaced)
    return latest_of_each_day(rows, source.key, ledger.order).select(*source.key, "event_date", *ORIGIN)


def _without(rows: pl.DataFrame, replaced: pl.DataFrame) -> pl.DataFrame:
    return rows.join(replaced, on=["delivery", "record_number"], how="anti", maintain_order="left")


def _winners_on_disk(
    engine: Engine,
    source: Source,
    ledger: Ledger,
    day: date,
    facts: Mapping[str, Any],
    wanted: Callable[[pl.DataFrame], pl.Series],
    replaced: pl.DataFrame,
) -> pl.DataFrame | None:
    """The same of a whole day, of the wanted keys: from its partition, and the few rows that are not in it.

    Not in it are rows that lost to another day, and those of deliveries that came since it was built.
    """
    rows = ledger.lake.read("interim", source.name, day, [*source.key, *ORIGIN])
    rows = (
        _without(rows.filter(wanted(rows)), replaced)
        .with_columns(event_date=pl.lit(day))
        .select(*source.key, "event_date", *ORIGIN)
    )
    schema = {"delivery": pl.String, "record_number": pl.Int64}
    gone = pl.DataFrame(facts["superseded"], schema=schema, orient="row")
    since = sorted({d.delivery for d in ledger.of_day(day)} - set(facts["deliveries"]))
    parts = [rows]
    for only in (gone, pl.DataFrame({"delivery": since}, schema={"delivery": pl.String})):
        more = _winners(engine, source, ledger, day, only, replaced)
        parts += [more.filter(wanted(more))] if more is not None else []
    return latest_of_each_day(pl.concat(parts), source.key, ledger.order)
