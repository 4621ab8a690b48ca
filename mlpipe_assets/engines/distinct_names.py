"""Names of columns, each of them once."""

from collections.abc import Sequence
from itertools import count


def distinct_names(names: Sequence[str]) -> list[str]:
    """Names with a number after each that was there before: JSON and frames would keep one value of them."""
    found: list[str] = []
    for name in names:
        numbered = (f"{name}_{number}" for number in count(1))
        taken = {*found, *names}
        found.append(next(new for new in numbered if new not in taken) if name in found else name)
    return found
