"""Which deliveries of a source were known by a moment: what a row of a past day may be made of, and nothing that came later."""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property

from mlpipe_assets.catalog.declarations import FeatureView
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.intake.known_at import BY_MODIFICATION, arrival_day
from mlpipe_assets.intake.states import find_later_versions
from mlpipe_assets.partitions import ONE_DAY

_ALWAYS = datetime(1, 1, 1, tzinfo=UTC)


def known_until(view: FeatureView, day: date) -> datetime:
    """The last moment at which something can become known and still be in the row of a day."""
    return datetime.combine(day + ONE_DAY, time(0), tzinfo=UTC) + view.settle


def begun_with(ledger: Ledger) -> datetime | None:
    """Until when rows are history, known at the end of their own day: what lay there when a source without dated names began.

    A year of files dropped on one day would else be known on no day of that year. None where the first file has a date in its
    name, which says when it was known.
    """
    ordered = sorted((d for d in ledger.deliveries.values() if d.events), key=lambda d: d.place)
    if not ordered or ordered[0].known_by != BY_MODIFICATION:
        return None
    first = arrival_day(ordered[0].known_at)
    return max(d.known_at for d in ordered if d.known_by == BY_MODIFICATION and arrival_day(d.known_at) == first)


@dataclass(kw_only=True)
class KnownBy:
    """Digests of what was known of each day of a source by any moment."""

    ledger: Ledger
    _steps: dict[date, tuple[list[datetime], list[str]]] = field(default_factory=dict)

    @cached_property
    def begun(self) -> datetime | None:
        """As `begun_with` says."""
        return begun_with(self.ledger)

    @cached_property
    def _later(self) -> dict[str, dict[str, datetime]]:
        return find_later_versions(self.ledger.replacements(), self.ledger.order)

    def digest(self, day: date, moment: datetime) -> str:
        """Digest of the deliveries that decide over the rows of a day, as far as they were known by a moment; empty without any."""
        if day not in self._steps:
            self._steps[day] = self._steps_of(day)
        moments, digests = self._steps[day]
        known = bisect_right(moments, moment)
        return digests[known - 1] if known else ""

    def _steps_of(self, day: date) -> tuple[list[datetime], list[str]]:
        found: set[tuple[datetime, str]] = set()
        for delivery in self.ledger.of_day(day):
            shown = self.ledger.shown[delivery.delivery]
            history = self.begun is not None and shown <= self.begun
            found.add((_ALWAYS if history else shown, delivery.stem))
            for newer, since in self._later.get(delivery.delivery, {}).items():
                found.add((since, self.ledger.deliveries[newer].stem))
        return _chained(sorted(found))


def near_days(first: date, last: date, within: timedelta) -> Iterable[date]:
    """The days whose rows decide over the rows of some days: those days, and as many beside them as rows of one key may lie apart."""
    count = (last - first + 2 * within).days
    return (first - within + timedelta(days=number) for number in range(count + 1))


def _chained(steps: Iterable[tuple[datetime, str]]) -> tuple[list[datetime], list[str]]:
    """Moments in order, each with a digest of all that was known by then."""
    moments: list[datetime] = []
    digests: list[str] = []
    for moment, name in steps:
        before = digests[-1] if digests else ""
        digest = hashlib.sha256(f"{before} {name}".encode()).hexdigest()
        if moments and moments[-1] == moment:
            digests[-1] = digest
        else:
            moments.append(moment)
            digests.append(digest)
    return moments, digests
