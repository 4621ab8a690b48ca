"""What became of each delivery as it was seen last, and how that is written down."""

from dataclasses import dataclass
from typing import Any

from mlpipe_assets.intake.intake import Mark


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What became of a delivery as it was seen last.

    Attributes:
        mark: What of it was taken, or could not be.
        delivery: The delivery on record that its name stands for; None when nothing was ever taken under it.
        problem: Why it could not be taken.
        code: Version of the declaration that it was read by.
    """

    mark: Mark
    delivery: str | None
    problem: str | None
    code: str


def dump_seen(seen: Seen) -> dict[str, Any]:
    """What was seen, as its entry in a record."""
    return {**seen.mark, "delivery": seen.delivery, "problem": seen.problem, "code": seen.code}


def parse_seen(record: dict[str, dict[str, Any]]) -> dict[str, Seen]:
    """What was seen, from its record; what is left of an entry without the ledger's own words is the mark."""
    return {
        name: Seen(delivery=known.pop("delivery"), problem=known.pop("problem"), code=known.pop("code"), mark=known)
        for name, known in record.items()
    }
