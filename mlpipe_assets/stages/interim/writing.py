"""A judged day of interim written, or left as it was with the reason; rows that lost to another day taken out of theirs."""

from collections.abc import Collection
from dataclasses import replace
from datetime import date

import polars as pl

from mlpipe_assets.catalog.declarations import Source, is_snapshot
from mlpipe_assets.errors import DamagedError
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.outcome import Outcome
from mlpipe_assets.stages.interim.day import Day, digest_seen, facts_of, fingerprint, problem_of, refusal_digest
from mlpipe_assets.stages.interim.dead import add_dead, stage_dead
from mlpipe_assets.store import keys
from mlpipe_assets.store.acceptances import NOTHING_CAME, Acceptance
from mlpipe_assets.store.changes import TableChange
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.staging import Staged
from mlpipe_assets.transforms.events import own_columns
from mlpipe_assets.transforms.staging import RECORD, column_digests


def settle(
    lake: Lake,
    change: TableChange,
    source: Source,
    entry: Day,
    acceptance: Acceptance | None,
    *,
    ledger: Ledger,
    left_behind: set[date],
) -> Outcome:
    """Write a day, or leave it as it was and say why; visible when the change is published."""
    outcome = Outcome(day=entry.day, counts=entry.counts, breaches=entry.errors, remarks=entry.remarks)
    problem = problem_of(source, entry)
    nothing_came = not entry.events and not entry.on_arrival and not source.empty_days
    nothing_came |= entry.day in left_behind
    seen = digest_seen(entry) if problem else NOTHING_CAME if nothing_came else ""
    if seen and not (acceptance and acceptance.holds_for(seen)):
        if entry.staged:
            lake.discard(entry.staged)
        if problem is None or not entry.deliveries:  # its rows are of another day now, or of deliveries that are copies
            change.remove(entry.day)
        if problem is None:
            change.clear(entry.day)
            return replace(outcome, missing=f"nothing came for {entry.day}")
        problem += _spell_outlived(acceptance)
        inputs = refusal_digest(source, ledger, entry.day)
        told = {"counts": entry.counts, "accepts": seen}
        change.refuse(entry.day, problem=problem, inputs=inputs, **told)
        return replace(outcome, refused=problem)
    if source.event_time is None and not entry.events:
        if entry.staged:
            lake.discard(entry.staged)
        change.remove(entry.day)
        change.clear(entry.day)
        return replace(outcome, carried=True)
    reason = acceptance.reason if acceptance and seen else None
    written, superseded = _written(lake, source, entry, reason)
    facts = facts_of(source, entry, reason)
    if written:
        change.put(written, *stage_dead(lake, source.name, entry, superseded, facts))
    change.clear(entry.day)
    remarks = [*entry.remarks, *entry.refused_files]
    return replace(outcome, written=written, facts=facts, remarks=remarks, accepted_because=reason)


def leave_blocked(lake: Lake, source: Source, day: date, error: DamagedError) -> Outcome:
    """Leave a day as it was, since what it is made of is damaged; on record until that can be made again."""
    if error.lost:
        inputs = refusal_digest(source, Ledger.load(lake, source.name), day)
        change = lake.change("interim", source.name)
        change.refuse(day, problem=str(error), inputs=inputs, lost=error.lost, accepts="nothing")
        change.publish()
    return Outcome(day=day, refused=str(error), blocked=True)


def settle_quarantine(lake: Lake, source: Source, entries: Collection[Day]) -> None:
    """Put rows that were refused where people look for them, and take away what is not refused any more."""
    lake.commit(*(entry.quarantine for entry in entries if entry.quarantine))
    for entry in entries:
        if not entry.quarantine:
            lake.remove(lake.root / keys.refused_by_contract(source.name, entry.day))


def withdraw(lake: Lake, change: TableChange, source: Source, lost: pl.DataFrame) -> list[Outcome]:
    """Take rows that lost to a newer day's out of partitions that were not being built; visible with the change."""
    state = lake.state("interim", source.name)
    outcomes: list[Outcome] = []
    for (day,), gone in lost.group_by("event_date", maintain_order=True):
        if not isinstance(day, date):
            continue
        facts = state.facts(day)
        if facts is None:
            continue
        rows = state.read(day)
        kept = rows.join(gone, on=["delivery", "record_number"], how="anti", maintain_order="left")
        if kept.height == rows.height:
            continue
        away = sorted({*map(tuple, facts["superseded"]), *gone.select("delivery", "record_number").rows()})
        moved = rows.height - kept.height
        facts |= {"columns": column_digests(kept.select(own_columns(source)))}
        facts |= {"superseded": away, "fingerprint": fingerprint(facts["inputs"], away, facts.get("replaced", []))}
        facts |= {"accepted": facts["accepted"] - moved, "duplicates": facts["duplicates"] + moved}
        if "past" in facts:
            facts["past"] += moved
        staged = change.table.stage(day, kept, facts)
        lost_rows = rows.join(kept, on=list(RECORD), how="anti")
        change.put(staged, *(add_dead(lake, state, source.name, day, lost_rows, facts) if "past" in facts else ()))
        counts = {name: facts[name] for name in ("received", "accepted", "duplicates", "quarantined")}
        outcomes.append(Outcome(day=day, counts=counts, written=staged, facts=facts, beyond_the_run=True))
    return outcomes


def find_left_behind(lake: Lake, source: Source, ledger: Ledger) -> set[date]:
    """Days whose partition has rows, all of which have been placed on other days since."""
    came = ledger.days_in_partitions()
    state = lake.state("interim", source.name)
    gone = set(state.days()) - set(came)
    if is_snapshot(source) or not gone:
        return set()
    if source.empty_days and came:  # between the first and the newest day an empty partition belongs there
        gone = {day for day in gone if not came[0] <= day <= came[-1]}
    facts = {day: state.facts(day) or {} for day in gone}
    return {day for day, known in facts.items() if known.get("accepted", 0) + known.get("duplicates", 0)}


def _spell_outlived(acceptance: Acceptance | None) -> str:
    """Why what was accepted before does not hold; empty when nothing was."""
    if acceptance is None:
        return ""
    return (
        f'. It was accepted on {acceptance.at[:10]} ("{acceptance.reason}") for what had come by then, and other rows have come '
        "since: look again, then correct the file or accept the day again"
    )


def _written(lake: Lake, source: Source, entry: Day, reason: str | None) -> tuple[Staged | None, pl.DataFrame]:
    """The day's partition to be: the staged rows, less those superseded by another day's; and these."""
    staged, superseded = entry.staged, pl.DataFrame()
    if staged and (reason is not None or entry.superseded):
        gone = pl.DataFrame(entry.superseded, schema={"delivery": pl.String, "record_number": pl.Int64}, orient="row")
        rows = pl.read_parquet(staged.temporary, hive_partitioning=False, glob=False)
        superseded = rows.join(gone, on=list(RECORD), how="semi", maintain_order="left")
        rows = rows.join(gone, on=list(RECORD), how="anti", maintain_order="left")
        entry.columns = column_digests(rows.select(own_columns(source)))
        staged = lake.table("interim", source.name).stage(entry.day, rows, facts_of(source, entry, reason))
        if entry.staged and entry.staged.temporary != staged.temporary:  # another process had staged it
            lake.discard(entry.staged)
    return staged, superseded
