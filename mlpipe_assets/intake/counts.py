"""What became of the rows of deliveries on arrival, by day."""

from collections.abc import Iterable
from datetime import date

from mlpipe_assets.intake.delivery import Delivery
from mlpipe_assets.partitions import START_DATE, last_partition

ON_ARRIVAL = ("received", "accepted", "duplicates", "quarantined", "not_processed")


def count_by_day(deliveries: Iterable[Delivery]) -> dict[date, dict[str, int]]:
    """Of each day with rows how many were received and what became of them on arrival; received is the sum of the others.

    Rows outside the partitions, or dated after their file was known, are not processed. Rows refused without a readable event
    time are of the day they arrived.
    """
    last = last_partition()
    found: dict[date, dict[str, int]] = {}

    def add(day: date, name: str, rows: int) -> None:
        counts = found.setdefault(day, dict.fromkeys(ON_ARRIVAL, 0))
        counts["received"] += rows
        counts[name] += rows

    for delivery in deliveries:
        for day, rows in delivery.events.items():
            add(day, "accepted" if START_DATE <= day <= last else "not_processed", rows)
        for day, rows in delivery.ahead.items():
            add(day, "not_processed", rows)
        if delivery.quarantined:
            add(delivery.arrived, "quarantined", delivery.quarantined)
    return dict(sorted(found.items()))
