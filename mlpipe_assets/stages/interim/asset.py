"""interim: events cast, judged and deduplicated into one clean row per key; the refused in quarantine, with reasons."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date

import dagster as dg
import numpy as np
import polars as pl

from mlpipe_assets.catalog.declarations import Source, is_snapshot
from mlpipe_assets.catalog.versions import source_version
from mlpipe_assets.engines.engine import Engine
from mlpipe_assets.errors import DamagedError
from mlpipe_assets.executors.executor import THREADS, Executor
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.intake.schemas import write_schema
from mlpipe_assets.outcome import Outcome
from mlpipe_assets.partitions import START_DATE
from mlpipe_assets.rules import first_sentence
from mlpipe_assets.stages.daily import at_work, check, daily
from mlpipe_assets.stages.interim.day import Day
from mlpipe_assets.stages.interim.duplicates import find_lost_rows, neighbours
from mlpipe_assets.stages.interim.judging import DaysToJudge, JudgedDays, judge_days
from mlpipe_assets.stages.interim.replaced import find_days_freed, find_days_touched, find_replaced
from mlpipe_assets.stages.interim.ties import spell_gone, spell_ties_across
from mlpipe_assets.stages.interim.writing import (
    find_left_behind,
    leave_blocked,
    settle,
    settle_quarantine,
    withdraw,
)
from mlpipe_assets.stages.raw.healing import sound
from mlpipe_assets.stages.telling import tell
from mlpipe_assets.store.acceptances import acceptances
from mlpipe_assets.store.lake import Lake

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
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        engine: dg.ResourceParam[Engine],
        executor: dg.ResourceParam[Executor],
    ) -> Iterator[dg.AssetCheckResult | dg.Output[None]]:
        with at_work(context, lake, key) as days:
            outcomes = build_interim(lake, engine, source, days, executor)
            write_schema(lake, source)
        yield from tell(context, lake, key, outcomes, metadata={"executor": executor.name})

    return build


def build_interim(
    lake: Lake, engine: Engine, source: Source, days: Sequence[date], executor: Executor = THREADS
) -> list[Outcome]:
    """Build the given days in one pass; a day that breaks its tolerance stays as it was, and is named.

    A day is a function of the events within `dedupe_within` of it, of later versions of its files, and of nothing else, so
    neither the order of files nor the order of runs shows. Rows of days not asked for that lose to a row built here leave
    their partition too.

    Days that need events which are damaged, and cannot be made again, are left as they were; the others are built.
    """
    try:
        return _build_together(lake, engine, source, days, executor)
    except DamagedError as error:
        lake.sweep("interim", source.name)
        if len(days) <= 1:
            return [leave_blocked(lake, source, day, error) for day in days]
    # Which days need the damaged files shows when they are built apart: a day may read its neighbours and later versions.
    middle = len(days) // 2
    halves = [o for half in (days[:middle], days[middle:]) for o in build_interim(lake, engine, source, half, executor)]
    newest = {outcome.day: outcome for outcome in halves}
    return [replace(outcome, beyond_the_run=day not in days) for day, outcome in sorted(newest.items())]


def _build_together(
    lake: Lake, engine: Engine, source: Source, days: Sequence[date], executor: Executor
) -> list[Outcome]:
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
    items = [_item(lake, engine, source, ledger, chunk, replaced) for chunk in chunks]
    for item, found in zip(items, executor.map(judge_days, items), strict=True):
        _log.info("interim/%s: %s to %s", source.name, item.days[0], item.days[-1])
        judged = _judge_healed(source, ledger, item) if isinstance(found, DamagedError) else found
        for entry, day_hashes, snapshot in zip(judged.days, judged.hashes, judged.snapshots, strict=True):
            built[entry.day] = entry
            if snapshot is not None:
                before = standing if entry.before is None else entry.before
                entry.remarks += spell_gone(before, snapshot, source.key, ledger) if before is not None else []
                standing = snapshot
            hashes.append(day_hashes)
            where.append(np.full(day_hashes.size, entry.day.toordinal(), dtype=np.int32))
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


def _item(
    lake: Lake, engine: Engine, source: Source, ledger: Ledger, chunk: list[Day], replaced: pl.DataFrame
) -> DaysToJudge:
    """All that the days of a chunk are judged by, and nothing of other days: it may be sent to another machine."""
    days = tuple(entry.day for entry in chunk)
    return DaysToJudge(
        lake=lake,
        engine=engine,
        source=source,
        version=source_version(source),
        ledger=ledger.part(days),
        corrected=frozenset(ledger.corrected),
        days=days,
        replaced=replaced.filter(pl.col("event_date").is_in(days)),
    )


def _judge_healed(source: Source, ledger: Ledger, item: DaysToJudge) -> JudgedDays:
    """The same days once their damaged events are made again.

    Raises: DamagedError when they cannot be.
    """
    deliveries = item.ledger.deliveries.values()
    sound(source, ledger, [ledger.event_path(d, day) for d in deliveries for day in item.days if d.events.get(day)])
    with suppress(DamagedError):  # only the words of why a row was refused are lost with them
        sound(source, ledger, [ledger.refused_path(d) for d in deliveries if d.quarantined])
    found = judge_days(replace(item, again=True))
    if isinstance(found, DamagedError):
        raise found
    return found
