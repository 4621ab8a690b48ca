"""The interim partitions of one source as a feature row sees them: which days are there, refused, or expected."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.partitions import days_between
from mlpipe_assets.point_in_time.known_by import KnownBy
from mlpipe_assets.point_in_time.known_then import KnownRows, recall_known_rows
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.table_state import TableState


@dataclass(kw_only=True)
class SourceDays:
    """The interim partitions of one source as they stand: which days are there, refused, or expected."""

    lake: Lake
    source: Source
    _facts: dict[date, dict[str, object]] = field(default_factory=dict)
    _known: dict[frozenset[date], KnownRows] = field(default_factory=dict)

    @cached_property
    def state(self) -> TableState:
        """The table as it was at the first look."""
        return self.lake.state("interim", self.source.name)

    @cached_property
    def ledger(self) -> Ledger:
        """Its deliveries."""
        return Ledger.load(self.lake, self.source.name)

    @cached_property
    def known_by(self) -> KnownBy:
        """What was known of its days by any moment."""
        return KnownBy(ledger=self.ledger)

    @cached_property
    def present(self) -> set[date]:
        """Days with a partition that was not refused since."""
        return set(self.state.days()) - self.refused

    @cached_property
    def refused(self) -> set[date]:
        """Days whose newest attempt was refused."""
        return set(self.state.refused)

    @cached_property
    def came(self) -> list[date]:
        """Days of the partitions that rows came for, in order, whatever became of them."""
        return self.ledger.days_in_partitions()

    @cached_property
    def arrived(self) -> list[date]:
        """Days from the first to the newest that has rows, of those for which any came, in order.

        A day all of whose rows were refused, or moved to other days by a correction, neither begins nor ends a table: a
        mistyped date is such a day, and would leave a hole of months behind it.
        """
        came = self.came
        first = next((i for i, day in enumerate(came) if not self._holds_nothing(day)), len(came))
        last = next((i for i in range(len(came), first, -1) if not self._holds_nothing(came[i - 1])), first)
        return came[first:last]

    def _holds_nothing(self, day: date) -> bool:
        """Whether rows came for a day and none was taken: refused, or superseded by another day's."""
        refusal = self.state.refused.get(day)
        if refusal is not None:
            counts = refusal.get("counts")
            return isinstance(counts, dict) and counts.get("accepted") == 0
        return self.fact(day, "accepted") == 0

    @property
    def first(self) -> date | None:
        """The first day rows came for."""
        return self.arrived[0] if self.arrived else None

    def find_holes(self, first: date, last: date) -> list[date]:
        """Days of a window that must be there and are not; nothing is expected before the source began."""
        if self.first is None:
            return days_between(first, last)
        return [day for day in days_between(max(first, self.first), last) if day not in self.present]

    def snapshot_in_force(self, day: date) -> date | None:
        """The day of the newest snapshot at or before a day."""
        return max((d for d in self.present if d <= day), default=None)

    def fact(self, day: date, name: str) -> object:
        """One fact of a partition."""
        if day not in self._facts:
            self._facts[day] = self.state.facts(day) or {}
        return self._facts[day].get(name)

    def rows(self, days: Iterable[date]) -> int:
        """Rows of partitions."""
        counts = (self.fact(day, "accepted") for day in days)
        return sum(count for count in counts if isinstance(count, int))

    def known_rows(self, days: Sequence[date]) -> KnownRows:
        """Every version of the rows of some days, which must be there; see `recall_known_rows`."""
        return recall_known_rows(self, days, self._known)

    def paths(self, days: Iterable[date]) -> list[Path]:
        """Files of partitions, in order.

        Raises: DamagedError when one does not hold what was written to it.
        """
        return self.state.files(sorted(days))
