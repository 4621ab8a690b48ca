"""How long ago something on record was, by a clock that people set back and forth."""

from datetime import datetime, timedelta


def has_passed(length: timedelta, since: datetime, now: datetime) -> bool:
    """Whether a length of time has passed since a moment on record.

    A moment that lies in the future was recorded by a wrong clock, or is read by one. It says nothing, so nobody waits
    for it.
    """
    return not timedelta(0) <= now - since < length
