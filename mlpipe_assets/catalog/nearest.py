"""Which known name may be meant by one that is not known."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str:
    """` Is 'x' meant?` for the nearest of some names, or nothing."""
    near = get_close_matches(name, [*known], n=1)
    return f" Is {near[0]!r} meant?" if near else ""


def or_nearest(name: str, known: Iterable[str]) -> str:
    """The same behind words without a full stop."""
    meant = nearest(name, known)
    return f".{meant}" if meant else ""
