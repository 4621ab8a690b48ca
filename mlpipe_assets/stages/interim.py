"""interim: events cast, judged and deduplicated into one clean row per key; the refused in quarantine, with reasons."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from hashlib import sha256

import dagster as dg
import numpy as np
import polars as pl

from mlpipe_assets.catalog.declarations import Source, is_snapshot
from mlpipe_assets.catalog.versions import source_version
from mlpipe_assets.concurrency import in_order
from mlpipe_assets.engines.engine import Engine
from mlpipe_assets.errors import DamagedError
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.intake.schemas import write_schema
from mlpipe_assets.outcome import Outcome
from mlpipe_assets.partitions import START_DATE
from mlpipe_assets.rules import first_sentence
from mlpipe_assets.stages.daily import at_work, check, daily
from mlpipe_assets.stages.interim_day import Day, facts_of, spell_refused_files, without_time
from mlpipe_assets.stages.interim_dead import find_dead
from mlpipe_assets.stages.interim_duplicates import find_lost_rows, neighbours
from mlpipe_assets.stages.interim_events import read_events
from mlpipe_assets.stages.interim_replaced import find_days_freed, find_days_touched, find_replaced
from mlpipe_assets.stages.interim_ties import spell_gone, spell_ties, spell_ties_across, table_of_each_day
from mlpipe_assets.stages.interim_writing import (
    find_left_behind,
    leave_blocked,
    settle,
    settle_quarantine,
    withdraw,
)
from mlpipe_assets.stages.raw_healing import sound
from mlpipe_assets.stages.telling import tell
from mlpipe_assets.store import keys
from mlpipe_assets.store.acceptances import acceptances
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.transforms.absent import missing_column
from mlpipe_assets.transforms.events import own_columns
from mlpipe_assets.transforms.judging import judge_events
from mlpipe_assets.transforms.staging import column_digests, key_hash, latest_of_each_day, reasons_in_words

_log = logging.getLogger("mlpipe")
_ROWS_AT_ONCE = 300_000


def interim_asset(source: Source) -> dg.AssetsDefinition:
    """The asset that makes a source's clean table of each day out of its events."""
    key = dg.AssetKey(["interim", source.name])
    checks = (
        check(
            key,
            "contract_holds",
            f"Every row of {source.contract.__name__} holds; the rest is quarantined.",
            blocking=True,
        ),
        check(key, "rows_are_accounted_for", "Rows received = accepted + duplicates + quarantined, each day."),
    )

    @dg.asset(
        **daily(
            key,
            description=first_sentence(source.contract),
            owners=source.owners,
            kinds={"polars", "parquet"},
            code_version=source_version(source),
            contract=source.contract,
            checks=checks,
            deps=[dg.AssetDep(dg.AssetKey(["raw", source.name]))],
        )
    )
    def build(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], engine: dg.ResourceParam[Engine]
    ) -> Iterator[dg.AssetCheckResult | dg.Output[None]]:
        with at_work(context, lake, key) as days:
            outcomes = build_interim(lake, engine, source, days)
            write_schema(lake, source)
        yield from tell(context, lake, key, outcomes)

    return build


def build_interim(lake: Lake, engine: Engine, source: Source, days: Sequence[date]) -> list[Outcome]:
    """Build the given days in one pass; a day that breaks its tolerance stays as it was, and is named.

    A day is a function of the events within `dedupe_within` of it, of later versions of its files, and of nothing else, so
    neither the order of files nor the order of runs shows. Rows of days not asked for that lose to a row built here leave
    their partition too.

    Days that need events which are damaged, and cannot be made again, are left as they were; the others are built.
    """
    try:
        return _build_together(lake, engine, source, days)
    except DamagedError as error:
        lake.sweep("interim", source.name)
        if len(days) <= 1:
            return [leave_blocked(lake, source, day, error) for day in days]
    # Which days need the damaged files shows when they are built apart: a day may read its neighbours and later versions.
    middle = len(days) // 2
    halves = [*build_interim(lake, engine, source, days[:middle]), *build_interim(lake, engine, source, days[middle:])]
    newest = {outcome.day: outcome for outcome in halves}
    return [replace(outcome, beyond_the_run=day not in days) for day, outcome in sorted(newest.items())]


def _build_together(lake: Lake, engine: Engine, source: Source, days: Sequence[date]) -> list[Outcome]:
    ledger = Ledger.load(lake, source.name)
    asked = set(days)
    wider = asked | find_days_touched(engine, source, ledger, asked)
    replaced = find_replaced(engine, source, ledger, {*wider, *neighbours(ledger, source, wider)})
    if freed := find_days_freed(source, ledger, replaced, wider):
        wider |= freed
        replaced = find_replaced(engine, source, ledger, {*wider, *neighbours(ledger, source, wider)})
    built = {day: Day(day=day, deliveries=ledger.of_day(day)) for day in (*sorted(wider - asked), *sorted(asked))}
    standing = _snapshot_before(lake, source, min(built, default=START_DATE))
    hashes: list[np.ndarray] = []
    where: list[np.ndarray] = []
    accepted = acceptances(lake, source.name)
    chunks = list(_chunks(built))
    judged = in_order(lambda chunk: _judge_chunk(lake, engine, source, ledger, chunk, replaced), chunks)
    for chunk, winners in zip(chunks, judged, strict=True):
        _log.info("interim/%s: %s to %s", source.name, chunk[0].day, chunk[-1].day)
        parts = dict(zip(*_by_day(winners), strict=True)) if winners.height else {}
        for entry in chunk:
            rows = parts.get(entry.day, winners[:0]).sort(*source.key)
            entry.accepted = rows.height
            entry.columns = column_digests(rows.select(own_columns(source)))
            if is_snapshot(source) and rows.height:
                before = standing if entry.before is None else entry.before
                entry.remarks += spell_gone(before, rows, source.key, ledger) if before is not None else []
                standing = rows.select(*source.key, "delivery")
            hashes.append(key_hash(rows, source.key).to_numpy())
            where.append(np.full(rows.height, entry.day.toordinal(), dtype=np.int32))
            entry.staged = lake.table("interim", source.name).stage(
                entry.day,
                rows.drop("event_date"),
                facts_of(source, entry, None),
            )
    lost, candidates = find_lost_rows(
        engine,
        source,
        ledger,
        {entry.day: entry.staged.temporary for entry in built.values() if entry.staged},
        np.concatenate(hashes or [np.empty(0)]),
        np.concatenate(where or [np.empty(0)]),
        replaced,
    )
    ties = spell_ties_across(lost, candidates, source, ledger, built)
    for entry in built.values():
        entry.remarks += ties.get(entry.day, [])
        entry.superseded = sorted(
            (row["delivery"], row["record_number"]) for row in lost.filter(pl.col("event_date") == entry.day).to_dicts()
        )
    # At once, so that a run killed in between leaves no key that stands twice.
    change = lake.change("interim", source.name)
    withdrawn = withdraw(lake, change, source, lost.filter(~pl.col("event_date").is_in(list(built))))
    left = find_left_behind(lake, source, ledger)
    settled = [
        settle(lake, change, source, entry, accepted.get(entry.day), ledger=ledger, left_behind=left)
        for entry in built.values()
    ]
    settle_quarantine(lake, source, built.values())
    change.publish()
    return [replace(o, beyond_the_run=o.day not in asked) for o in settled] + withdrawn


def _snapshot_before(lake: Lake, source: Source, day: date) -> pl.DataFrame | None:
    """Keys and delivery of the snapshot in force before a day; None where there is none, or the source is no snapshot."""
    days = [d for d in lake.days("interim", source.name) if d < day] if is_snapshot(source) else []
    return lake.read("interim", source.name, days[-1], [*source.key, "delivery"]) if days else None


def _by_day(frame: pl.DataFrame) -> tuple[list[date], list[pl.DataFrame]]:
    """The event dates of a frame, and its rows of each."""
    parts = frame.partition_by("event_date", maintain_order=True)
    return [part["event_date"][0] for part in parts], parts


def _chunks(built: dict[date, Day]) -> Iterator[list[Day]]:
    """Days in order, as many together as hold a bounded number of rows."""
    chunk: list[Day] = []
    for entry in (built[day] for day in sorted(built)):
        if chunk and sum(e.events for e in chunk) + entry.events > _ROWS_AT_ONCE:
            yield chunk
            chunk = []
        chunk.append(entry)
    if chunk:
        yield chunk


def _judge_chunk(
    lake: Lake, engine: Engine, source: Source, ledger: Ledger, chunk: list[Day], replaced: pl.DataFrame
) -> pl.DataFrame:
    """Winners of each day of a chunk; refused rows are staged for quarantine and counted."""
    frame = read_events(engine, source, ledger, [entry.day for entry in chunk])
    valid, refused = judge_events(frame, source)
    rows = _standing_rows(source, ledger, valid, replaced)
    _note_replaced(source, ledger, chunk, valid, rows, replaced)
    lacks = frame.select("event_date", "delivery", "source_file", "lacking").explode("lacking").drop_nulls("lacking")
    winners = latest_of_each_day(rows, source.key, ledger.order)
    if not is_snapshot(source):
        for entry, dead in zip(chunk, find_dead(valid, winners, replaced, chunk), strict=True):
            entry.dead = dead
    for entry in chunk:
        lacking = lacks.filter(pl.col("event_date") == entry.day, ~pl.col("delivery").is_in(list(entry.replaced)))
        found = lacking.select("lacking", "source_file").unique().sort("lacking", "source_file")
        files: dict[str, list[str]] = {}
        for name, file in found.rows():
            files.setdefault(name, []).append(file)
        files[source.event_time or ""] = [d.source_file for d in without_time(source, ledger) if d.arrived == entry.day]
        entry.lacking = [missing_column(source, name, names) for name, names in files.items() if names]
        entry.errors += _turned_away(source, ledger, entry)
        away = refused.filter(pl.col("event_date") == entry.day).sort("delivery", "record_number")
        entry.refused = away.height
        entry.standing_refused = away.filter(~pl.col("delivery").is_in(list(entry.replaced))).height
        entry.errors += reasons_in_words(away, entry.events, source)
        entry.refused_files = spell_refused_files(away, entry)
        if away.height:
            target = lake.root / keys.refused_by_contract(source.name, entry.day)
            entry.quarantine = lake.stage(target, away, {})
            entry.refused_rows = sha256(away.select("delivery", "record_number").write_csv().encode()).hexdigest()
    return winners


def _standing_rows(source: Source, ledger: Ledger, valid: pl.DataFrame, replaced: pl.DataFrame) -> pl.DataFrame:
    """Valid rows without those that a later version of their file, or of the whole table, takes the place of."""
    if is_snapshot(source):
        return table_of_each_day(valid, ledger)
    if not replaced.height:
        return valid
    return valid.join(replaced, on=["delivery", "record_number"], how="anti", maintain_order="left")


def _note_replaced(
    source: Source,
    ledger: Ledger,
    chunk: list[Day],
    valid: pl.DataFrame,
    rows: pl.DataFrame,
    replaced: pl.DataFrame,
) -> None:
    """Put down for each day what was replaced of it, and where nothing but a name decided."""
    ties = spell_ties(valid if is_snapshot(source) else rows, source, ledger)
    corrected = ledger.corrected
    won = latest_of_each_day(valid, source.key, ledger.order) if replaced.height else valid[:0]
    left = dict(rows.group_by("event_date").len().rows())
    for day, count in valid.group_by("event_date").len().rows():
        entry = next(entry for entry in chunk if entry.day == day)
        entry.set_aside = count - left.get(day, 0)
    for entry in chunk:
        entry.remarks += ties.get(entry.day, [])
        entry.replaced = corrected
        if replaced.height:
            gone = won.filter(pl.col("event_date") == entry.day).join(
                replaced, on=["delivery", "record_number"], how="semi"
            )
            entry.records_replaced = sorted(gone.select("delivery", "record_number").rows())
        if is_snapshot(source) and len(entry.deliveries) > 1:
            table = rows.filter(pl.col("event_date") == entry.day)["delivery"].unique().to_list()
            names = [d.delivery for d in entry.deliveries]
            entry.replaced = set(names[: names.index(table[0]) if table else -1])
            earlier = valid.filter(pl.col("event_date") == entry.day, ~pl.col("delivery").is_in(table))
            table_before = table_of_each_day(earlier, ledger).unique(subset=source.key)
            entry.before = table_before.select(*source.key, "delivery") if earlier.height else None


def _turned_away(source: Source, ledger: Ledger, entry: Day) -> list[str]:
    """Why rows were refused on arrival, without values: a line that cannot be read may hold anything."""
    paths = [ledger.refused_path(d) for d in entry.deliveries if d.quarantined and d.arrived == entry.day]
    try:
        reasons = [
            pl.read_parquet(path, columns=["reasons"], hive_partitioning=False, glob=False)
            for path in sound(source, ledger, paths)
        ]
    except DamagedError:  # only words: the rows are counted on record, and none of them can get in
        return [f"refused on arrival: {entry.on_arrival:,} of {entry.counts['received']:,} rows; why is damaged"]
    counted = (
        pl.concat(reasons).group_by("reasons").len().sort("len", "reasons", descending=[True, False])
        if reasons
        else pl.DataFrame()
    )
    return [f"{reason}: {count:,} of {entry.counts['received']:,} rows" for reason, count in counted.head(10).rows()]
