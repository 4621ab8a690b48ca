"""What each delivery of a source amounts to beside the others: rows of its own, or a copy of a state that stands."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl

from mlpipe_assets.catalog.declarations import Source, is_snapshot
from mlpipe_assets.resources.deliveries import Ledger
from mlpipe_assets.resources.delivery import Delivery
from mlpipe_assets.resources.lake import Lake, Staged
from mlpipe_assets.resources.states import find_copies, find_unchanged, snapshot_days


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
        ledger.begin(delivery.delivery)
        twin = delivery if delivery.copy_of is None else ledger.deliveries[holders[delivery.content]]  # may have moved
        ledger.complete(*_restated(lake, source, ledger, delivery, twin, days[delivery.delivery]), restated=True)
    for delivery in repeated:
        ledger.begin(delivery.delivery)
        mute = replace(delivery, events={}, quarantined=0, backdated=False, copy_of=copies[delivery.delivery])
        ledger.complete(mute, [], restated=True)
    return [ledger.deliveries[d.delivery] for d in changed]


def _differs(delivery: Delivery, copy_of: str | None, arrived: date) -> bool:
    if copy_of is not None:
        return delivery.copy_of != copy_of
    return delivery.copy_of is not None or delivery.arrived != arrived


def _restated(
    lake: Lake, source: Source, ledger: Ledger, delivery: Delivery, twin: Delivery, arrived: date
) -> tuple[Delivery, list[Staged]]:
    """A delivery with rows of its own, made from those of a twin of the same content (which may be itself on another day)."""
    snapshot = is_snapshot(source)
    days = {day: arrived if snapshot else day for day in twin.events}
    own = replace(
        delivery,
        arrived=arrived,
        events={days[day]: count for day, count in twin.events.items()},
        quarantined=twin.quarantined,
        columns=twin.columns,
        backdated=snapshot and arrived < delivery.known_at.date(),
        copy_of=None,
    )
    return own, list(_staged(lake, ledger, own, twin, days))


def _staged(lake: Lake, ledger: Ledger, own: Delivery, twin: Delivery, days: dict[date, date]) -> Iterator[Staged]:
    moves = [
        (ledger.event_path(twin.delivery, old), ledger.event_path(own.delivery, new), new) for old, new in days.items()
    ]
    if twin.quarantined:
        refused = ledger.refused_path(twin.delivery, twin.arrived), ledger.refused_path(own.delivery, own.arrived)
        moves.append((*refused, own.arrived))
    for held, target, day in moves:
        yield lake.stage(target, _restamped(lake.check([held])[0], own, day), {})


def _restamped(path: Path, own: Delivery, day: date) -> pl.DataFrame:
    """Rows of a file as those of another delivery and day."""
    stamp = {"delivery": own.delivery, "source_file": own.source_file, "known_at": own.known_at, "event_date": day}
    rows = pl.read_parquet(path, hive_partitioning=False, glob=False)
    return rows.with_columns(pl.lit(value).cast(rows.schema[name]).alias(name) for name, value in stamp.items())
