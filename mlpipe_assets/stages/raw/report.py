"""What one look at an intake brought, as checks, metadata of its days and the run's report."""

import logging
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from mlpipe_assets.errors import shorten, spell_count
from mlpipe_assets.intake.counts import ON_ARRIVAL, count_by_day
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.intake.delivery import Delivery
from mlpipe_assets.intake.known_at import BY_MODIFICATION, arrival_day
from mlpipe_assets.partitions import ONE_DAY, START_DATE, last_partition
from mlpipe_assets.rules import digest
from mlpipe_assets.stages.data_versions import NO_EVENTS_OF_THEIR_OWN, log_days
from mlpipe_assets.stages.raw.taking import Ingested
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.reports import add_to_report
from mlpipe_assets.visible import visible

FILES_CHECK = "files_are_readable"
ROWS_CHECK = "rows_are_accounted_for"
MISDATED = "misdated"  # metadata of the files check: what a catch-up repeats as a warning
REFUSED_FILES = "refused_files"  # metadata of the check of files: those without a single row taken
_log = logging.getLogger("mlpipe")


def tell_ingested(
    context: dg.AssetExecutionContext,
    lake: Lake,
    key: dg.AssetKey,
    ledger: Ledger,
    found: Ingested,
    days: list[date],
    read_by: str,
) -> Iterator[dg.AssetCheckResult | dg.Output[None]]:
    """Yield checks, metadata of each day touched, and the run's report."""
    moved = [(before, after) for before, after in found.placed if before.events != after.events]
    touched = sorted({day for d in (*found.new, *(d for pair in moved for d in pair)) for day in d.events})
    unreadable = [visible(f"{p.name}: {p.reason}") for p in found.problems]
    waiting = [f"{visible(name)}: still being written, left for the next run" for name in found.waiting]
    left_out = [visible(f"{d.source_file}: {note}") for d in found.new for note in d.left_out]
    last = last_partition()
    outside = {
        "before_start": sum(n for d in found.new for day, n in d.events.items() if day < START_DATE),
        "after_today": sum(n for d in found.new for day, n in (d.events | d.ahead).items() if day > last),
    }
    by_day = count_by_day(found.new).values()
    rows = {name: sum(day[name] for day in by_day) for name in ON_ARRIVAL}
    counts = {
        "deliveries": len(found.new),
        **rows,
        "days_touched": len(touched),
        **outside,
        "dated_after_they_could_be_known": sum(sum(d.ahead.values()) for d in found.new),
        "deliveries_placed_again": len(found.placed),
        "changed_under_a_known_name": [*map(visible, found.changed)],
        "copies": [*map(visible, found.copies)],
        "dates_to_check": [*map(visible, _surprising(found))],
        "backdated_to_the_start": [visible(d.source_file) for d in found.new if d.backdated],
        "waiting": [*map(visible, found.waiting)],
        "left_out": left_out,
    }
    table = key.to_user_string()
    add_to_report(lake, context.run.run_id, table, counts=counts, errors=unreadable, notes=[*waiting, *left_out])
    changed = (f"{visible(name)}: content changed, taken as a new delivery" for name in found.changed)
    lines = [*unreadable, *waiting, *left_out, *changed]
    if found.copies:
        lines.append(
            f"{spell_count(len(found.copies), 'file repeats', 'files repeat')} what stands, without new rows: {shorten(found.copies, 3)}"
        )
    if surprising := _surprising(found):
        lines.append(
            f"{spell_count(len(surprising), 'file')} with a date in the name to check: {shorten(surprising, 3)}"
        )
    for line in map(visible, lines):
        _log.warning("%s: %s", table, line)
    on_disk = sum(_rows(ledger, d) for d in found.new)
    yield dg.AssetCheckResult(
        check_name=FILES_CHECK,
        passed=not unreadable and not waiting,
        severity=dg.AssetCheckSeverity.ERROR if unreadable else dg.AssetCheckSeverity.WARN,
        description=shorten([*unreadable, *waiting], 20) or "All files were read.",
        metadata={
            "unreadable": unreadable,
            "waiting": waiting,
            MISDATED: visible(_misdated(key, found)),
            REFUSED_FILES: [*map(visible, _refused_files(found))],
        },
    )
    yield dg.AssetCheckResult(
        check_name=ROWS_CHECK,
        passed=on_disk == rows["accepted"] + rows["not_processed"],
        description=f"{_spell(rows, ['received'])} = {_spell(rows, ON_ARRIVAL[1:])}; {on_disk:,} events on disk",
        metadata={"run": {**{k: v for k, v in counts.items() if isinstance(v, int)}, "events_on_disk": on_disk}},
    )
    of_day = count_by_day(ledger.deliveries.values())
    summary: dict[str, Any] = {"this_run": {k: v for k, v in counts.items() if v}, "executor": read_by}
    told: list[tuple[date, dict[str, Any]]] = []
    for day in sorted({*days, *(day for day in touched if START_DATE <= day <= last)}):
        metadata = _metadata(ledger, found, day, of_day.get(day, dict.fromkeys(ON_ARRIVAL, 0)))
        told.append((day, {**summary, **metadata} if day in days else metadata))
    log_days(context, key, told, {day: digest([d.stem for d in ledger.of_day(day)]) for day, _ in told})
    yield dg.Output(None, metadata={**summary, NO_EVENTS_OF_THEIR_OWN: True})


def _spell(counts: dict[str, int], names: Sequence[str]) -> str:
    """Counts by name, those that can be 0 for good left out."""
    return " + ".join(f"{name.replace('_', ' ')} {counts[name]:,}" for name in names if name != "duplicates")


def _misdated(key: dg.AssetKey, found: Ingested) -> str:
    """Which files did not come to hold on the date in their name, and what to do; empty where all did."""
    lines = [
        f"{d.source_file} (known {d.known_at:%Y-%m-%dT%H:%M:%SZ} by its {d.known_by}; {d.known_note})"
        for d in found.new
        if d.known_note and (d.known_by == BY_MODIFICATION or d.arrived > arrival_day(d.known_at))
    ]
    if not lines:
        return ""
    return (
        f"{spell_count(len(lines), 'file is', 'files are')} not taken at the date in the name: {shorten(lines, 3)}. "
        f"If that is wrong, deliver under a name with the right date, declare feed=Files(known_at=...) on {key.path[-1]} "
        "where the name writes its date in another way, or set MLPIPE_START_DATE earlier"
    )


def _refused_files(found: Ingested) -> list[str]:
    """Files every row of which was refused on arrival: none has a day, so no day would tell of them."""
    return [
        f"every row of {d.source_file} was refused on arrival ({spell_count(d.received, 'row')}, without a time that can be read). They "
        "are in quarantine: correct the file and deliver it again, or declare how it writes its times (time_formats)"
        for d in found.new
        if d.received and d.quarantined == d.received
    ]


def _surprising(found: Ingested) -> list[str]:
    """Files whose name does not plainly say when they were known, with what was taken."""
    return [
        f"{d.source_file}: known {d.known_at:%Y-%m-%dT%H:%M:%SZ}, {d.known_note}" for d in found.new if d.known_note
    ]


def _rows(ledger: Ledger, delivery: Delivery) -> int:
    """Rows really in a delivery's event files."""
    paths = ledger.event_paths(delivery)
    return sum(
        pl.scan_parquet(path, hive_partitioning=False, glob=False).select(pl.len()).collect().item() for path in paths
    )


def _metadata(ledger: Ledger, found: Ingested, day: date, counts: dict[str, int]) -> dict[str, Any]:
    deliveries = ledger.of_day(day)
    fresh = [d for d in found.new if day in d.events]
    return {
        "dagster/partition_row_count": counts["accepted"],
        **counts,
        "deliveries": len(deliveries),
        "new_deliveries": [visible(d.source_file) for d in fresh][:20],
        "as_of": f"{day + ONE_DAY}T00:00:00+00:00",
    }
