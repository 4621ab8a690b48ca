"""What each delivery of a source amounts to beside the others: rows of its own, or a copy of a state that stands."""

from dataclasses import replace
from datetime import date

from mlpipe_assets.catalog.declarations import Source, is_snapshot
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.intake.delivery import Delivery
from mlpipe_assets.intake.states import find_copies, find_unchanged, snapshot_days
from mlpipe_assets.stages.raw.placement import located, place_rows
from mlpipe_assets.store.lake import Lake


def settle_states(lake: Lake, source: Source, ledger: Ledger) -> list[Delivery]:
    """Bring every record to what the whole set of deliveries makes of it, and return those that changed.

    A copy has no event files; when a delivery that came late makes it one of its own, they are made from those of a
    delivery of the same content. The set alone decides: neither the order of arrival nor of runs shows afterwards.
    """
    ordered = sorted(ledger.deliveries.values(), key=lambda d: ledger.order[d.delivery])
    if is_snapshot(source):
        copies, days = find_unchanged(ordered), snapshot_days(ordered)
    else:
        copies, days = find_copies(ordered, reach=source.dedupe_within), {d.delivery: d.arrived for d in ordered}
    changed = [d for d in ordered if _differs(d, copies.get(d.delivery), days[d.delivery])]
    holders = {d.content: d.delivery for d in ordered if d.copy_of is None}
    standing = [d for d in changed if d.delivery not in copies]
    repeated = [d for d in changed if d.delivery in copies]
    for delivery in standing:  # first: the rows of a content are never without a delivery that holds them
        twin = delivery if delivery.copy_of is None else ledger.deliveries[holders[delivery.content]]  # may have moved
        place_rows(lake, source, ledger, _restated(source, delivery, twin, days[delivery.delivery]), twin)
    for delivery in repeated:
        ledger.begin(delivery.delivery)
        mute = replace(delivery, events={}, ahead={}, quarantined=0, backdated=False, copy_of=copies[delivery.delivery])
        ledger.complete(mute, [], restated=True)
    return [ledger.deliveries[d.delivery] for d in changed]


def _differs(delivery: Delivery, copy_of: str | None, arrived: date) -> bool:
    if copy_of is not None:
        return delivery.copy_of != copy_of
    return delivery.copy_of is not None or delivery.arrived != arrived


def _restated(source: Source, delivery: Delivery, twin: Delivery, arrived: date) -> Delivery:
    """A delivery that has rows of its own from now on, or has them on another day."""
    backdated = is_snapshot(source) and arrived < delivery.known_at.date()
    own = replace(delivery, arrived=arrived, columns=twin.columns, left_out=twin.left_out, backdated=backdated)
    return located(source, replace(own, copy_of=None))
