"""When a table is late: pure rules over the days it has and the time it is."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from mlpipe_assets.intake.known_at import arrival_day
from mlpipe_assets.partitions import ONE_DAY, START_DATE

State = Literal["fresh", "late", "never"]


@dataclass(frozen=True, kw_only=True)
class TableFreshness:
    """Whether a table is as new as its declaration promises.

    Attributes:
        state: `never` is late without a single partition.
        newest: Newest partition there is.
        expected: Newest day that must have a partition by now; None where nothing is expected yet.
        lacking: The first of the days up to `expected` that have none, of a table of each day; else None.
        late_since: When the first of the days that are missing was due; None for `fresh`.
        cause: The late table furthest upstream that explains this one; the table itself when no upstream is late.
        fresh_within: As declared.
    """

    table: str
    state: State
    newest: date | None
    expected: date | None
    late_since: datetime | None
    cause: str | None
    fresh_within: timedelta
    lacking: date | None = None


def due(day: date, fresh_within: timedelta) -> datetime:
    """When a day's partition must be there."""
    return _midnight(day + ONE_DAY) + fresh_within


def expected_day(now: datetime, fresh_within: timedelta) -> date:
    """The newest day that is due."""
    return (now.astimezone(UTC) - fresh_within).date() - ONE_DAY


def judge_daily(
    table: str, days: Collection[date], fresh_within: timedelta, now: datetime, first: date = START_DATE
) -> TableFreshness:
    """A table with a partition of each day: the newest day due must be there, later ones do not stand in for it."""
    expected = expected_day(now, fresh_within)
    begun = min(days, default=first)  # nothing is due from before a table began
    if expected < begun:
        return _verdict(table, days, fresh_within, None, None)
    missing = max(((day + ONE_DAY) for day in days if day < expected), default=begun)
    lacking = None if expected in days else missing
    return replace(_verdict(table, days, fresh_within, expected, lacking), lacking=lacking)


def judge_newest(
    table: str, days: Collection[date], fresh_within: timedelta, now: datetime, first: date | None
) -> TableFreshness:
    """A table made now and then: its newest day must not be older than `fresh_within`; expected from `first` on."""
    expected = expected_day(now, fresh_within)
    if first is None or expected < first:
        return _verdict(table, days, fresh_within, None, None)
    newest = max(days, default=None)
    late = newest is None or newest < expected
    return _verdict(table, days, fresh_within, expected, (newest or first) if late else None)


def judge_deliveries(
    table: str, known: Mapping[date, datetime], fresh_within: timedelta, now: datetime
) -> TableFreshness:
    """A table whose days may be empty: its newest delivery must not be older than `fresh_within`.

    Args:
        table: Its name.
        known: When the newest delivery that brought rows of a day was known, by day.
        fresh_within: As declared.
        now: Deliveries dated later than today tell nothing of what came.
    """
    past = [moment for moment in known.values() if arrival_day(moment) <= arrival_day(now)]
    if not past and expected_day(now, fresh_within) < START_DATE:
        return _verdict(table, sorted(known), fresh_within, None, None)
    if past and now <= max(past) + fresh_within:
        return _verdict(table, sorted(known), fresh_within, None, None)
    verdict = _verdict(table, sorted(known), fresh_within, None, START_DATE)
    return replace(verdict, late_since=max(past) + fresh_within if past else verdict.late_since)


def _verdict(
    table: str, days: Collection[date], fresh_within: timedelta, expected: date | None, missing: date | None
) -> TableFreshness:
    return TableFreshness(
        table=table,
        state="fresh" if missing is None else "late" if days else "never",
        newest=max(days, default=None),
        expected=expected,
        late_since=None if missing is None else due(missing, fresh_within),
        cause=None,
        fresh_within=fresh_within,
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)
