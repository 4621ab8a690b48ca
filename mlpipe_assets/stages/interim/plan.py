"""Which days of interim are behind: those that are not what their events and the code make of them."""

from collections.abc import Collection
from datetime import date

from mlpipe_assets.catalog.declarations import Source, is_snapshot
from mlpipe_assets.catalog.versions import source_version
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.partitions import START_DATE, days_between, last_partition
from mlpipe_assets.point_in_time.known_then import lacks_history
from mlpipe_assets.point_in_time.source_days import SourceDays
from mlpipe_assets.stages.interim.day import inputs_digest, refusal_digest, without_time
from mlpipe_assets.stages.raw.healing import find_lost
from mlpipe_assets.stages.work import Wanted, Work, or_unreadable
from mlpipe_assets.store.acceptances import NOTHING_CAME, acceptances
from mlpipe_assets.store.lake import Lake


@or_unreadable(lambda source: f"interim/{source.name}")
def interim_work(lake: Lake, source: Source, wanted: Wanted) -> Work:
    """Days of a source whose clean table is not what its events and the code make of them."""
    return _find_work(lake, source, wanted, history=False)


@or_unreadable(lambda source: f"interim/{source.name}")
def interim_work_with_history(lake: Lake, source: Source, wanted: Wanted) -> Work:
    """The same of a source that some view reads as it was known: partitions of earlier versions lack what that takes."""
    return _find_work(lake, source, wanted, history=not is_snapshot(source))


def _days_of_empty_deliveries(ledger: Ledger) -> set[date]:
    """The days on which deliveries without any row arrived: nothing more is to come of these days, as far as anybody says."""
    twins = {found.delivery: ledger.deliveries.get(found.copy_of or "", found) for found in ledger.deliveries.values()}
    return {ledger.deliveries[name].arrived for name, twin in twins.items() if not twin.received}


def _find_work(lake: Lake, source: Source, wanted: Wanted, *, history: bool) -> Work:
    ledger = Ledger.load(lake, source.name, source_version(source))
    last = last_partition()
    came = ledger.days_in_partitions()
    known = SourceDays(lake=lake, source=source)
    arrived, state = known.arrived, known.state
    accepted = acceptances(lake, source.name)
    # A partition whose rows are of other days now, or whose deliveries are copies, is taken away.
    candidates = {*came, *accepted, *state.days()}
    candidates = {day for day in candidates if START_DATE <= day <= last}
    if source.empty_days and not is_snapshot(source) and arrived:
        closed = [day for day in _days_of_empty_deliveries(ledger) if day <= last]
        candidates |= set(days_between(arrived[0], max([arrived[-1], *closed])))
    candidates |= {d for d in _unread_days(ledger, source, state.refused) if START_DATE <= d <= last}
    days: list[date] = []
    blocked: list[tuple[date, str]] = []
    lost: set[str] | None = None
    for day in sorted(filter(wanted, candidates)):
        inputs = inputs_digest(source, ledger.of_day(day))
        facts = state.facts(day)
        refusal = state.refused.get(day)
        if refusal and "lost" in refusal:
            lost = find_lost(lake, source, ledger) if lost is None else lost
            if lost.isdisjoint(refusal["lost"]):
                days.append(day)
                continue
        held = accepted.get(day)
        holds = held is not None and held.holds_for(refusal.get("accepts", "") if refusal else NOTHING_CAME)
        behind = facts["inputs"] != inputs if facts else not held or holds or ledger.of_day(day)
        lacking = history and facts is not None and lacks_history(state, day, facts)
        if refusal and refusal["inputs"] == refusal_digest(source, ledger, day) and not holds:
            blocked.append((day, str(refusal["problem"])))
        elif refusal or behind or lacking:
            days.append(day)
    if arrived and not source.empty_days:
        told = {*came, *accepted, *(day for day, _ in blocked)}
        gaps = [day for day in days_between(arrived[0], arrived[-1]) if day not in told and wanted(day)]
        blocked += [(day, NOTHING_CAME) for day in gaps]
    return Work(table=f"interim/{source.name}", days=tuple(days), blocked=tuple(sorted(blocked)))


def _unread_days(ledger: Ledger, source: Source, refused: Collection[date]) -> set[date]:
    """Days of arrival that no event may tell of: with too many unreadable rows, or a file without times, or refused for them."""
    unread: dict[date, int] = {}
    for d in ledger.deliveries.values():
        if d.quarantined:
            unread[d.arrived] = unread.get(d.arrived, 0) + (0 if d.delivery in ledger.corrected else d.quarantined)
    timeless = {d.arrived for d in without_time(source, ledger, ledger.corrected)}
    return timeless | {day for day, rows in unread.items() if not source.tolerance.allows(rows, rows) or day in refused}
