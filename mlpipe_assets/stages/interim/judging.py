"""interim: the work on some days, wherever it is done: their events cast and judged, the latest row of each key staged.

Nothing here imports Dagster, takes a lock or makes anything visible.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

import numpy as np
import polars as pl

from mlpipe_assets.catalog.declarations import Source, is_snapshot
from mlpipe_assets.catalog.versions import expect_version
from mlpipe_assets.engines.engine import Engine
from mlpipe_assets.errors import DamagedError
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.stages.interim.day import Day, facts_of, spell_refused_files, without_time
from mlpipe_assets.stages.interim.dead import find_dead
from mlpipe_assets.stages.interim.events import read_events
from mlpipe_assets.stages.interim.ties import spell_ties, table_of_each_day
from mlpipe_assets.stages.raw.healing import sound
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.transforms.absent import missing_column
from mlpipe_assets.transforms.events import own_columns
from mlpipe_assets.transforms.judging import judge_events
from mlpipe_assets.transforms.staging import column_digests, key_hash, latest_of_each_day, reasons_in_words


@dataclass(frozen=True, kw_only=True)
class DaysToJudge:
    """Some days of a source, and all that they are judged by.

    Attributes:
        version: Of the declaration that is meant: where the work is done, another one may have been loaded before.
        ledger: The part of it that is of these days.
        corrected: Deliveries whose file its sender has replaced since.
        replaced: Rows of these days that a later version of their file takes the place of.
        again: Whether what was damaged has been made again as far as it can be.
    """

    lake: Lake
    engine: Engine
    source: Source
    version: str
    ledger: Ledger
    corrected: frozenset[str]
    days: tuple[date, ...]
    replaced: pl.DataFrame
    again: bool = False


@dataclass(frozen=True, kw_only=True)
class JudgedDays:
    """What became of some days, in their order.

    Attributes:
        days: Each with its rows staged, not yet visible.
        hashes: `key_hash` of the rows of each.
        snapshots: Keys and delivery of each day that has a snapshot; None for others.
    """

    days: tuple[Day, ...]
    hashes: tuple[np.ndarray, ...]
    snapshots: tuple[pl.DataFrame | None, ...]


def judge_days(item: DaysToJudge) -> JudgedDays | DamagedError:
    """Judge some days and stage them; the error, not raised, where a file of theirs does not hold what was written to it.

    Raises: ExecutorError when the lake is not seen here, or the declaration is another one than where the work comes from;
        LakeError when the disk says no.
    """
    item.lake.expect_seen()
    expect_version(item.source, item.version)
    try:
        return _judge(item)
    except DamagedError as error:
        return error


def _judge(item: DaysToJudge) -> JudgedDays:
    source = item.source
    days = tuple(Day(day=day, deliveries=item.ledger.of_day(day)) for day in item.days)
    winners = _judge_together(item, days)
    parts = dict(zip(*_by_day(winners), strict=True)) if winners.height else {}
    hashes: list[np.ndarray] = []
    snapshots: list[pl.DataFrame | None] = []
    for entry in days:
        rows = parts.get(entry.day, winners[:0]).sort(*source.key)
        entry.accepted = rows.height
        entry.columns = column_digests(rows.select(own_columns(source)))
        snapshots.append(rows.select(*source.key, "delivery") if is_snapshot(source) and rows.height else None)
        hashes.append(key_hash(rows, source.key).to_numpy())
        table = item.lake.table("interim", source.name)
        entry.staged = table.stage(entry.day, rows.drop("event_date"), facts_of(source, entry, None))
    return JudgedDays(days=days, hashes=tuple(hashes), snapshots=tuple(snapshots))


def _by_day(frame: pl.DataFrame) -> tuple[list[date], list[pl.DataFrame]]:
    """The event dates of a frame, and its rows of each."""
    parts = frame.partition_by("event_date", maintain_order=True)
    return [part["event_date"][0] for part in parts], parts


def _judge_together(item: DaysToJudge, chunk: Sequence[Day]) -> pl.DataFrame:
    """Winners of each day; refused rows are staged for quarantine and counted."""
    lake, source, ledger, replaced = item.lake, item.source, item.ledger, item.replaced
    frame = read_events(item.engine, source, ledger, item.days)
    valid, refused = judge_events(frame, source)
    rows = _standing_rows(source, ledger, valid, replaced)
    _note_replaced(item, chunk, valid, rows)
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
        files[source.event_time or ""] = [
            d.source_file for d in without_time(source, item.ledger, item.corrected) if d.arrived == entry.day
        ]
        entry.lacking = [missing_column(source, name, names) for name, names in files.items() if names]
        entry.errors += _turned_away(item, entry)
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


def _note_replaced(item: DaysToJudge, chunk: Sequence[Day], valid: pl.DataFrame, rows: pl.DataFrame) -> None:
    """Put down for each day what was replaced of it, and where nothing but a name decided."""
    source, ledger, replaced = item.source, item.ledger, item.replaced
    ties = spell_ties(valid if is_snapshot(source) else rows, source, ledger)
    won = latest_of_each_day(valid, source.key, ledger.order) if replaced.height else valid[:0]
    left = dict(rows.group_by("event_date").len().rows())
    for day, count in valid.group_by("event_date").len().rows():
        entry = next(entry for entry in chunk if entry.day == day)
        entry.set_aside = count - left.get(day, 0)
    for entry in chunk:
        entry.remarks += ties.get(entry.day, [])
        entry.replaced = set(item.corrected)
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


def _turned_away(item: DaysToJudge, entry: Day) -> list[str]:
    """Why rows were refused on arrival, without values: a line that cannot be read may hold anything."""
    ledger = item.ledger
    paths = [ledger.refused_path(d) for d in entry.deliveries if d.quarantined and d.arrived == entry.day]
    try:
        reasons = [
            pl.read_parquet(path, columns=["reasons"], hive_partitioning=False, glob=False)
            for path in sound(item.source, ledger, paths)
        ]
    except DamagedError:
        if not item.again:
            raise
        # only words: the rows are counted on record, and none of them can get in
        return [f"refused on arrival: {entry.on_arrival:,} of {entry.counts['received']:,} rows; why is damaged"]
    counted = (
        pl.concat(reasons).group_by("reasons").len().sort("len", "reasons", descending=[True, False])
        if reasons
        else pl.DataFrame()
    )
    return [f"{reason}: {count:,} of {entry.counts['received']:,} rows" for reason, count in counted.head(10).rows()]
