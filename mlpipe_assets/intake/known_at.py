"""When a file was known: the date in its name, where it is a plausible one, else its modification time."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from pathlib import PurePosixPath

from mlpipe_assets.partitions import START_DATE, last_partition

BY_NAME, BY_MODIFICATION = "date in the name", "modification time"
END_OF_DAY = clock(23, 59, 59)
_BEFORE_START, _AFTER_MODIFIED = timedelta(days=365), timedelta(days=31)
_DAY_FIRST = re.compile(r"(?<!\d)\d{1,2}([-_.])\d{1,2}\1(?:19|20)\d{2}(?!\d)", re.ASCII)
_LAST_SECOND = 1 << 37  # of the year 6325: some file systems hold times that no calendar does
_DATE = re.compile(r"(?<!\d)(\d{4})([-_.]?)(\d{2})\2(\d{2})(?:(?!\d)|(?<=\d{8})(?=\d{4}(?:\d{2})?(?!\d)))", re.ASCII)
_TIME = re.compile(
    r"(?P<mark>[Tt]|[-_ ]?)(?P<hour>\d{2})(?P<colon>[-_:.]?)(?P<minute>\d{2})(?:(?P=colon)(?P<second>\d{2}))?"
    r"(?:[.,]\d{1,9}(?=[Zz]))?(?P<zone>[Zz]|\+\d{2}:?\d{2})?(?!\d|-\d)",
    re.ASCII,
)
_DECLARED = {14: "%Y%m%d%H%M%S", 12: "%Y%m%d%H%M", 8: "%Y%m%d"}  # by digits: %m also reads the 1 of 1231


@dataclass(frozen=True, kw_only=True)
class Reading:
    """When a delivery was known, and what said so.

    Attributes:
        known_at: In UTC.
        by: `date in the name` or `modification time`; an intake of another kind has words of its own.
        note: What may surprise: a date in the name that was not taken, or which of several was.
    """

    known_at: datetime
    by: str
    note: str = ""


def read_known_at(file: str, modified_ns: int, pattern: str | None = None) -> Reading:
    """When a file's rows could first be known.

    A name with only a date means the end of that day: its rows may be of that day, and none was known before. Of several
    plausible dates the last one counts: a range holds from its end. Without any it is the modification time.

    Args:
        file: Its path.
        modified_ns: Its modification time, in nanoseconds since 1970.
        pattern: Declared for the source: its first group is the date, of any year since 1970. None looks for a date as
            people write them, at most a year before MLPIPE_START_DATE.
    """
    modified = read_time(modified_ns)
    name = PurePosixPath(file).name
    found = list(_written(name) if pattern is None else _declared(name, pattern))
    first = START_DATE - _BEFORE_START if pattern is None else date(1970, 1, 1)
    # A modification time from before the data began says nothing: a copy has lost it.
    last = modified.date() + _AFTER_MODIFIED if modified.date() >= first else last_partition()
    plausible = [moment for moment in found if first <= moment.date() <= last]
    if not plausible:
        note = _passed_over(found, first, last) or (_day_first(name) if pattern is None else "")
        return Reading(known_at=modified, by=BY_MODIFICATION, note=note)
    days = sorted({moment.date() for moment in found})
    note = f"{len(days)} dates in the name, of which the last plausible one is taken" if len(days) > 1 else ""
    return Reading(known_at=plausible[-1], by=BY_NAME, note=note)


def read_time(modified_ns: int) -> datetime:
    """A modification time in whole seconds, those no calendar has as the nearest that one has."""
    return datetime.fromtimestamp(min(max(modified_ns // 1_000_000_000, 0), _LAST_SECOND), tz=UTC)


def arrival_day(moment: datetime) -> date:
    """The UTC day a delivery arrived."""
    return moment.astimezone(UTC).date()


def _written(name: str) -> Iterator[datetime]:
    """Dates that stand in a name, each with its time of day or the end of the day."""
    dates = [(found.start(), found.end(), _date(found)) for found in _DATE.finditer(name)]
    for number, (_, end, day) in enumerate(dates):
        if day is None:
            continue
        limit = dates[number + 1][0] if number + 1 < len(dates) else len(name)
        time = _TIME.match(name, end)
        moment = _moment(day, time) if time and time.end() <= limit else None
        yield moment or datetime.combine(day, END_OF_DAY, tzinfo=UTC)


def _date(found: re.Match[str]) -> date | None:
    try:
        return date(int(found[1]), int(found[3]), int(found[4]))
    except ValueError:
        return None


def _moment(day: date, time: re.Match[str]) -> datetime | None:
    """A day at a time of day; None for digits that are none, or that are rather a counter."""
    hour, minute, second = int(time["hour"]), int(time["minute"]), int(time["second"] or 0)
    bare = not (time["mark"] in ("T", "t") or time["colon"] or time["zone"])
    if bare and hour == 0 and (minute == 0 or time["second"] is None):
        return None  # _0001 and _000001 count files; nothing is exported in the first minute and named so by habit
    try:
        moment = datetime.combine(day, clock(hour, minute, second), tzinfo=UTC)
    except ValueError:
        return None
    zone = (time["zone"] or "").replace(":", "")
    ahead = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5])) if zone.startswith("+") else timedelta()
    return moment - ahead


def _declared(name: str, pattern: str) -> Iterator[datetime]:
    """The date that a declared pattern finds in a name, if it is one."""
    found = re.search(pattern, name)
    text = re.sub(r"[^0-9]", "", found.group(1 if found.groups() else 0) or "") if found else ""
    for digits in dict.fromkeys((text, text[:8])):
        try:
            moment = datetime.strptime(digits, _DECLARED.get(len(digits), "%Y%m%d")).replace(tzinfo=UTC)
        except ValueError:
            continue
        yield datetime.combine(moment.date(), END_OF_DAY, tzinfo=UTC) if len(digits) == len("20260131") else moment
        return


def _day_first(name: str) -> str:
    """That a name holds what looks like a date with the year last, which nobody can tell the day of for sure."""
    found = _DAY_FIRST.search(name)
    return f"{found[0]} in its name is not read: a date is written with the year first" if found else ""


def _passed_over(found: list[datetime], first: date, last: date) -> str:
    """Why no date of a name was taken; empty when there is none."""
    if not found:
        return ""
    day = found[-1].date()
    bound = f"before {first}" if day < first else f"after {last}, far later than the file was modified"
    return f"the date {day} in its name is not plausible ({bound})"
