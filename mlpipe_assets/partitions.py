"""The one partitioning of the project: UTC calendar days from MLPIPE_START_DATE to today, today included."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

from mlpipe_assets.errors import MissingPartitionError
from mlpipe_assets.settings import start_date

START_DATE = start_date()
ONE_DAY = timedelta(days=1)


def last_partition() -> date:
    """The newest day a partition exists for."""
    return max(datetime.now(tz=UTC).date(), START_DATE)


def days_between(first: date, last: date) -> list[date]:
    """Every day from `first` to `last`, both included; empty when `last` lies before `first`."""
    return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]


def gaps(days: Iterable[date]) -> list[date]:
    """The days between the first and the last of some days that are not among them."""
    there = set(days)
    return [day for day in days_between(min(there), max(there)) if day not in there] if there else []


def existing_days(keys: Sequence[str], asset: str) -> list[date]:
    """The days of partition keys, in order.

    Raises: MissingPartitionError for keys outside the partitions, which Dagster's command line lets through.
    """
    last = last_partition()
    days: list[date] = []
    for key in keys:
        day: date | None
        try:
            day = date.fromisoformat(key)
        except ValueError:
            day = None
        if day is None or f"{day}" != key:
            raise MissingPartitionError(f"{asset}: {key!r} is not a partition key. Keys are days such as {START_DATE}.")
        if not START_DATE <= day <= last:
            raise MissingPartitionError(
                f"{asset}: partition {key} does not exist; partitions run from {START_DATE} to {last}. "
                "Ask for a day in between, or set MLPIPE_START_DATE to start earlier."
            )
        days.append(day)
    return sorted(days)


def contiguous(days: Iterable[date]) -> Iterator[tuple[date, date]]:
    """The given days as (first, last) stretches without a gap, in order."""
    first = previous = None
    for day in sorted(set(days)):
        if previous is not None and day - previous == ONE_DAY:
            previous = day
            continue
        if first is not None and previous is not None:
            yield first, previous
        first = previous = day
    if first is not None and previous is not None:
        yield first, previous


def spell_days(days: Iterable[date]) -> str:
    """Days as short text: `2026-01-05, 2026-01-09 to 2026-01-12`."""
    return ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in contiguous(days)) or "no day"


def spell_gaps(days: Iterable[date]) -> str:
    """What a table that is read lacks, in words that follow its name."""
    return f"has no {spell_days(days)}: `mlpipe status` says why. What is read of it is without them."
