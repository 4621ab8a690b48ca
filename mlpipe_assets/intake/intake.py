"""Where the rows of a source come from, as the stages see it: what can be taken, exactly what that is, and its records."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mlpipe_assets.intake.known_at import Reading
from mlpipe_assets.readers.blocks import Block

Mark = Mapping[str, Any]
"""Exactly what of a delivery is taken, in JSON values: a size and a time, a range of offsets, the window of a query.

Its keys are the intake's own, but for `delivery`, `problem` and `code`, which the ledger notes beside them.
"""


@dataclass(frozen=True, kw_only=True)
class Pending:
    """A delivery that can be taken, as it was when its intake was looked at.

    Attributes:
        name: What its sender calls it, without a line end. Under a name on record it corrects the delivery before.
        mark: Exactly what would be taken. The ledger keeps it, compares it with the one on record and never looks into it.
        modified_ns: When it last changed, in nanoseconds since 1970; of two known at one moment the one changed later counts.
        final: Whether nothing can change it any more; if not, it waits while it changes, as a file that is being written.
    """

    name: str
    mark: Mark
    modified_ns: int
    final: bool = True

    def age(self, now: float) -> float:
        """Seconds from its last change to `now`, in seconds since 1970; infinite where nothing can change it any more."""
        return math.inf if self.final else now - self.modified_ns / 1e9


class ChangedMeanwhileError(OSError):
    """A delivery is another one now than when it was looked at: the next look has it as it is then."""


@dataclass(frozen=True, kw_only=True)
class DeliveryProblem:
    """A delivery that could not be used, and why."""

    name: str
    reason: str


class Intake(Protocol):
    """What one source can give. To take is never to take away: what was taken is on record in the ledger of the lake alone.

    A new kind: a value in `catalog/feeds.py`, or of your own, a module with this protocol, and a line in `intake/registry.py`.

    Attributes:
        is_shared: Whether it can be sent to another process that sees the lake, and opens its deliveries there.
    """

    is_shared: bool = False

    def look(self, taken: Mapping[str, Mark]) -> tuple[list[Pending], list[DeliveryProblem]]:
        """Deliveries that can be taken, in order of name, and what cannot be.

        It may list those taken too, whose mark is on record. A stream begins after the last of them.

        Args:
            taken: The mark of each delivery on record, by name; empty for all there is.
        """
        ...

    def known(self, pending: Pending) -> Reading:
        """When its rows could first be known, and what says so; the same at each look. It orders corrections."""
        ...

    def digest(self, pending: Pending) -> str:
        """SHA-256 of its content, of equal rows the same: what was read is known by it, whatever it was called.

        Raises: OSError when it cannot be read now.
        """
        ...

    def open(self, pending: Pending) -> Iterator[Block]:
        """Its records, numbered from 1, a block at a time and each time the same; at least one block, even without rows.

        Raises: UnreadableFileError when nothing of it can be used until it, or the declaration, changes; PrepareError when
            the source's own function fails; OSError when it cannot be read now, so that the next run tries again.
        """
        ...

    def unchanged(self, pending: Pending) -> bool:
        """Whether what its mark says is still what would be read."""
        return pending.final

    def find(self, content: str, name: str, mark: Mark | None) -> Pending | None:
        """A delivery taken before, to be read again: by its content, under its name or any other; None when it is gone.

        Args:
            content: Its digest.
            name: What it was called.
            mark: What was taken of it last, where that is on record.
        """
        if mark is None:
            return None
        pending = Pending(name=name, mark=mark, modified_ns=0)
        try:
            return pending if self.digest(pending) == content else None
        except OSError:
            return None


def find_moving(intake: Intake, found: Sequence[Pending], seconds: float) -> set[str]:
    """Names of deliveries still being written: changed within `seconds`, and again while we watched."""
    young = [pending for pending in found if pending.age(time.time()) < seconds]
    if not young:
        return set()
    time.sleep(seconds)
    return {pending.name for pending in young if not intake.unchanged(pending)}
