"""Which known name may be meant by one that is not known."""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str:
    """` Is 'x' meant?` for the nearest of some names, or nothing."""
    near = get_close_matches(name, [*known], n=1)
    return f" Is {near[0]!r} meant?" if near else ""


def or_nearest(name: str, known: Iterable[str]) -> str:
    """The same behind words without a full stop."""
    meant = nearest(name, known)
    return f".{meant}" if meant else ""


def absent(field: str, names: Sequence[str], known: Iterable[str], of: str) -> Iterator[str]:
    """The names that a field of a declaration gives and that are none of the columns known."""
    there = [*known]
    yield from (f"{field}: {name!r} is no column{of}{or_nearest(name, there)}" for name in names if name not in there)
