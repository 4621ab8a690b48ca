"""Rows that a later version of their own file takes the place of: those with the same key, on whatever day."""

from collections.abc import Collection, Sequence
from datetime import date, datetime

import polars as pl

from mlpipe_assets.catalog.declarations import Source, is_snapshot
from mlpipe_assets.engines.engine import Engine
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.intake.states import find_later_versions
from mlpipe_assets.partitions import START_DATE, last_partition
from mlpipe_assets.stages.interim.events import read_events, typed_keys
from mlpipe_assets.transforms.judging import judge_events
from mlpipe_assets.transforms.staging import RECORD

_Later = dict[str, dict[str, datetime]]


def find_replaced(engine: Engine, source: Source, ledger: Ledger, days: Collection[date]) -> pl.DataFrame:
    """Rows of some days whose file was delivered again, under its name, with a valid row of their key.

    Returns: their delivery, record_number and event_date, and `replaced_at`, when the first such row was known. Rows that only
        the replaced file had are not among them.
    """
    later = _later_versions(source, ledger)
    former = {name for name in later if any(day in ledger.deliveries[name].events for day in days)}
    if not former:
        return _none()
    since = {newer for name in former for newer in later[name]}
    old = typed_keys(engine, source, ledger, sorted(days), former)
    new = typed_keys(engine, source, ledger, _days_of(ledger, since), since)
    pairs = _pairs(old, new, source.key, later)
    if not pairs.height:
        return _none()
    asked = pairs.select(pl.col(f"{name}_new").alias(name) for name in RECORD).unique()
    frame = read_events(engine, source, ledger, sorted(set(pairs["event_date_new"])), only=asked)
    valid = judge_events(frame, source)[0].select(pl.col(name).alias(f"{name}_new") for name in RECORD)
    found = pairs.join(valid, on=valid.columns, how="semi")
    return found.group_by(*RECORD, "event_date").agg(pl.col("replaced_at").min()).sort(*RECORD)


def find_days_touched(engine: Engine, source: Source, ledger: Ledger, days: Collection[date]) -> set[date]:
    """Other days that hold a row of an older version of a file, whose key a newer version has on one of these days."""
    later = _later_versions(source, ledger)
    since = {
        name
        for name in {newer for versions in later.values() for newer in versions}
        if any(day in ledger.deliveries[name].events for day in days)
    }
    former = {name for name in later if later[name].keys() & since}
    others = [day for day in _days_of(ledger, former) if day not in days]
    if not others:
        return set()
    new = typed_keys(engine, source, ledger, sorted(days), since)
    touched: set[date] = set()
    for day in others:
        facts = ledger.lake.facts("interim", source.name, day)
        if facts and former & {name for name, _ in facts["superseded"]}:
            touched.add(day)  # a row that lost to another day's is not in the partition
        elif facts:
            rows = ledger.lake.read("interim", source.name, day, [*source.key, *RECORD])
            old = rows.filter(pl.col("delivery").is_in(list(former))).with_columns(event_date=pl.lit(day))
            if _pairs(old, new, source.key, later).height:
                touched.add(day)
    return touched


def find_days_freed(source: Source, ledger: Ledger, replaced: pl.DataFrame, days: Collection[date]) -> set[date]:
    """Days near replaced rows that lack rows which lost to another day: they may have lost to one that is replaced now."""
    near: set[date] = set()
    for day in set(replaced["event_date"]) if source.dedupe_within else ():
        for other in ledger.days():
            if other not in days and abs(other - day) <= source.dedupe_within:
                facts = ledger.lake.facts("interim", source.name, other)
                if facts and facts["superseded"]:
                    near.add(other)
    return near


def _later_versions(source: Source, ledger: Ledger) -> _Later:
    if is_snapshot(source):  # the whole table is replaced
        return {}
    return find_later_versions(ledger.replacements(), ledger.order)


def _days_of(ledger: Ledger, deliveries: Collection[str]) -> list[date]:
    """Days of the partitions that deliveries have rows of."""
    last = last_partition()
    return sorted({day for name in deliveries for day in ledger.deliveries[name].events if START_DATE <= day <= last})


def _pairs(old: pl.DataFrame, new: pl.DataFrame, key: Sequence[str], later: _Later) -> pl.DataFrame:
    """Rows of one key in an older and a newer version of a file, on different days; on one day the later wins anyway."""
    versions = [(former, newer, since) for former, names in later.items() for newer, since in names.items()]
    known = pl.DataFrame(
        versions,
        schema=[("delivery", pl.String), ("delivery_new", pl.String), ("replaced_at", pl.Datetime("us", "UTC"))],
        orient="row",
    )
    pairs = old.join(new, on=list(key), suffix="_new").filter(pl.col("event_date") != pl.col("event_date_new"))
    return pairs.join(known, on=["delivery", "delivery_new"])


def _none() -> pl.DataFrame:
    time = pl.Datetime("us", "UTC")
    return pl.DataFrame(
        {
            "delivery": pl.Series([], dtype=pl.String),
            "record_number": pl.Series([], dtype=pl.Int64),
            "event_date": pl.Series([], dtype=pl.Date),
            "replaced_at": pl.Series([], dtype=time),
        }
    )
