"""What became of each day a table was asked for, and of each check on it: plain values, whoever is told."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from mlpipe_assets.store.staging import Staged


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one day of a table.

    Attributes:
        counts: Rows received, accepted, duplicates, quarantined (or rows, for tables we make).
        breaches: Rules that rows broke, in words.
        remarks: What else a person should look at; it refuses nothing.
        refused: Why the day was not written; the partition that was there stays.
        blocked: Whether it was not written because what it is made of cannot be read, whatever its rows.
        missing: Why there was nothing to write.
        carried: A snapshot source without a delivery that day: the one before stays in force.
        written: The partition's file, now visible.
        beyond_the_run: A day the run was not asked for, changed because rows of it were superseded.
    """

    day: date
    counts: dict[str, int] = field(default_factory=dict)
    breaches: Sequence[str] = ()
    remarks: Sequence[str] = ()
    accepted_because: str | None = None
    refused: str | None = None
    blocked: bool = False
    missing: str | None = None
    carried: bool = False
    written: Staged | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    beyond_the_run: bool = False


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """What one check of a run found.

    Attributes:
        check_name: A fact that should hold, such as `splits_are_filled`.
        description: What was found, in words, whether it holds or not.
        warns: Whether a failure is a warning; otherwise it is an error, which stops what follows.
        metadata: The numbers it was judged by.
    """

    check_name: str
    passed: bool
    description: str
    warns: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stops(self) -> bool:
        """Whether the check failed and is no mere warning."""
        return not self.passed and not self.warns


def worst_of(results: Iterable[CheckResult]) -> list[CheckResult]:
    """Of each check the first result that failed, or the newest."""
    worst: dict[str, CheckResult] = {}
    for one in results:
        old = worst.get(one.check_name)
        worst[one.check_name] = old if old is not None and not old.passed else one
    return list(worst.values())
