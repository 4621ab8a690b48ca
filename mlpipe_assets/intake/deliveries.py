"""The ledger of deliveries: which one brought which days, and what of each name was taken."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path, PurePosixPath

from mlpipe_assets.intake.delivery import Delivery, dump, identity, parse
from mlpipe_assets.intake.delivery_index import DeliveryIndex
from mlpipe_assets.intake.intake import Mark, Pending
from mlpipe_assets.intake.seen import Seen, dump_seen, parse_seen
from mlpipe_assets.intake.states import find_shown
from mlpipe_assets.intake.stretches import SINGLES, Stretches
from mlpipe_assets.partitions import START_DATE, last_partition
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.records import Record, list_documents, list_tags
from mlpipe_assets.store.staging import Staged


@dataclass(kw_only=True)
class Ledger:
    """Deliveries of one source, and every name seen with what became of it.

    Attributes:
        is_part: Whether it has the deliveries of some days only, as work on these has them: whoever has all heals what is damaged.
    """

    lake: Lake
    source: str
    code: str = ""
    is_part: bool = False
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    seen: dict[str, Seen] = field(default_factory=dict)
    _order: dict[str, int] | None = None
    _shown: dict[str, datetime] | None = None
    _index: DeliveryIndex | None = None
    _singles: set[str] = field(default_factory=set)
    _by_day: dict[date, list[Delivery]] | None = None

    @classmethod
    def load(cls, lake: Lake, source: str, code: str = "") -> "Ledger":
        """The ledger as it stands on disk. `code` is the version of the declaration that files are read by."""
        ledger = cls(lake=lake, source=source, code=code)
        ledger.seen = ledger._seen_files.read() or {}
        ledger.deliveries = ledger._stretches.read()
        names = {known.delivery: name for name, known in ledger.seen.items()}
        for delivery, tag in list_tags(lake.objects, keys.deliveries(source)).items():
            key = keys.delivery(source, delivery)
            known = lake.parsed.get(key)
            found = known[1] if known and known[0] == tag else ledger._record(delivery, names.get(delivery)).read()
            if found:
                lake.parsed[key] = tag, found
                ledger.deliveries[delivery] = found
                ledger._singles.add(delivery)
        return ledger

    @property
    def taken(self) -> dict[str, Mark]:
        """The mark of each delivery that was taken and is on record, by name."""
        for_good = {d.source_file: d.mark for d in self.deliveries.values() if d.mark is not None}
        return for_good | {
            name: known.mark
            for name, known in self.seen.items()
            if known.delivery in self.deliveries and not known.problem
        }

    def mark_of(self, delivery: Delivery) -> Mark | None:
        """What was taken as a delivery or, of a file, what was seen under its name last."""
        seen = self.seen.get(delivery.source_file)
        return delivery.mark if delivery.mark is not None or seen is None else seen.mark

    def status_of(self, pending: Pending) -> Seen | None:
        """What became of this very delivery (same name and mark); None when it must be looked at.

        One that could not be read is looked at again when the declaration has changed: that may be what it took. So is
        one that is on record no more.
        """
        known = self.seen.get(pending.name)
        if not known:
            under = (self.deliveries[name] for name in self._indexed.named.get(pending.name, ()))
            taken = next((one for one in under if one.mark == pending.mark), None)
            if taken is None:
                return None
            return Seen(mark=pending.mark, delivery=taken.delivery, problem=None, code=self.code)
        if known.mark != pending.mark:
            return None
        if known.delivery and known.delivery not in self.deliveries:
            return None
        return None if known.problem and known.code != self.code else known

    def find(self, content: str, name: str, known_at: datetime) -> Delivery | None:
        """The delivery of some content under a base name, known at a moment; the folder makes no difference."""
        found = self.deliveries.get(identity(content, name, known_at)) or self.deliveries.get(content)
        alike = found and (PurePosixPath(found.source_file).name, found.known_at) == (
            PurePosixPath(name).name,
            known_at,
        )
        return found if alike else None

    @property
    def order(self) -> dict[str, int]:
        """The place of each delivery in the order in which rows became known, from the earliest."""
        if self._order is None:
            self._order = {d.delivery: n for n, d in enumerate(sorted(self.deliveries.values(), key=lambda d: d.place))}
        return self._order

    @property
    def shown(self) -> dict[str, datetime]:
        """Since when the rows of each delivery could be read, as `find_shown` says."""
        self._shown = self._shown or find_shown(self.deliveries.values())
        return self._shown

    def standing(self, name: str) -> Delivery | None:
        """The delivery a file name stands for so far: what it was seen to hold last, or the newest a killed run counted."""
        seen = self._delivery_seen(name)
        known = [self.deliveries[d] for d in (*self._indexed.named.get(name, ()), seen) if d in self.deliveries]
        return max(known, key=lambda d: d.place, default=None)

    def holder(self, content: str) -> Delivery | None:
        """A delivery of some content that holds its rows; None when the content is new."""
        return self.deliveries.get(self._indexed.held.get(content, ""))

    @property
    def corrected(self) -> set[str]:
        """Deliveries whose file its sender has replaced since: what was refused of them no longer counts."""
        return {former for former, _, _ in self.replacements()}

    def replacements(self) -> Iterator[tuple[str, str, datetime]]:
        """Each delivery whose file holds other content since, the delivery that holds the rows of it, and since when it is known."""
        for delivery in self.deliveries.values():
            former = self.deliveries.get(delivery.replaces or "")
            if former and (former.content != delivery.content or delivery.copy_of is None):
                yield (
                    former.copy_of or former.delivery,
                    delivery.copy_of or delivery.delivery,
                    self.shown[delivery.delivery],
                )

    def note(self, pending: Pending, *, delivery: str | None = None, problem: str | None = None) -> None:
        """Remember what became of a delivery; `save` writes it down."""
        self.seen[pending.name] = Seen(
            mark=pending.mark,
            delivery=delivery or self._delivery_seen(pending.name),
            problem=problem,
            code=self.code,
        )

    def problems_gone(self, names: set[str]) -> list[str]:
        """Names that could not be read and are no longer to be had, `names` being those that are."""
        return sorted(name for name, known in self.seen.items() if known.problem and name not in names)

    def forget_problems(self, names: set[str]) -> list[str]:
        """Forget what was wrong with files that were taken away; what was read of them before stays."""
        gone = self.problems_gone(names)
        for name in gone:
            if self.seen[name].delivery:
                self.seen[name] = replace(self.seen[name], problem=None)
            else:
                del self.seen[name]
        return gone

    def save(self) -> None:
        """Write down the names seen, but those whose delivery says by itself what was taken; many of these go on one record."""
        told = {name: known for name, known in self.seen.items() if not self._is_told(known)}
        self._seen_files.write({name: dump_seen(known) for name, known in told.items()})
        done = {name: self.deliveries[name] for name in self._singles if self.deliveries[name].mark is not None}
        if len(done) >= SINGLES:
            self._stretches.compact(done)
            self._singles -= done.keys()

    def _is_told(self, seen: Seen) -> bool:
        known = self.deliveries.get(seen.delivery or "")
        return known is not None and not seen.problem and known.mark == seen.mark

    def begin(self, delivery: str) -> None:
        """Mark a delivery as being written, so that what a killed run leaves of it is found."""
        self.lake.objects.put(keys.marked_delivery(self.source, delivery), b"")

    def complete(self, delivery: Delivery, staged: Iterable[Staged], *, restated: bool = False) -> None:
        """Make a delivery's files visible, then count it; when it was counted before, files it no longer has go last."""
        self.lake.commit(*staged)
        self._record(delivery.delivery).write(dump(delivery))
        self._remember(delivery)
        if restated:
            self.tidy(delivery.delivery)
        self.lake.objects.delete(keys.marked_delivery(self.source, delivery.delivery))

    def sweep(self) -> None:
        """Remove what killed runs left of deliveries that were never counted, or were being placed from scratch."""
        for delivery in list_documents(self.lake.objects, keys.deliveries(self.source), ".pending"):
            self.tidy(delivery)

    def tidy(self, delivery: str) -> None:
        """Remove files of a delivery that its record does not speak of, all of them where there is no record."""
        counted = self.deliveries.get(delivery)
        kept = {*self.event_paths(counted), self.refused_path(counted)} if counted else set()
        patterns = keys.files_of_delivery(self.source, delivery)
        for path in {path for pattern in patterns for path in self.lake.root.glob(pattern)} - kept:
            self.lake.remove(path)
        self.lake.objects.delete(keys.marked_delivery(self.source, delivery))

    def of_day(self, day: date) -> list[Delivery]:
        """Deliveries that brought rows of a day, or were refused rows on it, the one known last at the end."""
        if self._by_day is None:
            self._by_day = {}
            for delivery in sorted(self.deliveries.values(), key=lambda d: self.order[d.delivery]):
                for one in {*delivery.events, *([delivery.arrived] if delivery.quarantined else [])}:
                    self._by_day.setdefault(one, []).append(delivery)
        return list(self._by_day.get(day, ()))

    def part(self, days: Iterable[date]) -> "Ledger":
        """What there is to know of some days: their deliveries, in their order."""
        found = {d.delivery: d for day in days for d in self.of_day(day)}
        order = {name: self.order[name] for name in found}
        return Ledger(lake=self.lake, source=self.source, is_part=True, deliveries=found, _order=order)

    def days(self) -> list[date]:
        """Every event date that rows came for, in order."""
        return sorted(self.events_by_day())

    def days_in_partitions(self) -> list[date]:
        """Every event date that rows came for and that a partition exists for, in order."""
        last = last_partition()
        return [day for day in self.days() if START_DATE <= day <= last]

    def events_by_day(self) -> dict[date, int]:
        """Rows that came for each event date."""
        counts: Counter[date] = Counter()
        for delivery in self.deliveries.values():
            counts.update(delivery.events)
        return counts

    def event_path(self, delivery: Delivery, day: date) -> Path:
        """The immutable file of a delivery's events of one day."""
        return self.lake.root / keys.events(self.source, day, delivery.stem)

    def event_paths(self, delivery: Delivery) -> list[Path]:
        """All files of a delivery's events, in order of day."""
        return [self.event_path(delivery, day) for day in sorted({*delivery.events, *delivery.ahead})]

    def refused_path(self, delivery: Delivery) -> Path:
        """The file of a delivery's rows refused on arrival."""
        return self.lake.root / keys.refused_on_arrival(self.source, delivery.arrived, delivery.stem)

    def _delivery_seen(self, name: str) -> str | None:
        known = self.seen.get(name)
        return known.delivery if known else None

    def _remember(self, delivery: Delivery) -> None:
        self.deliveries[delivery.delivery] = delivery
        self._singles.add(delivery.delivery)
        self._order = self._shown = self._by_day = None
        if self._index is not None:
            self._index.add(delivery)

    @property
    def _indexed(self) -> DeliveryIndex:
        self._index = self._index or DeliveryIndex.of(self.deliveries.values())
        return self._index

    @property
    def _stretches(self) -> Stretches:
        return Stretches(lake=self.lake, source=self.source)

    def _record(self, delivery: str, name: str | None = None) -> Record[Delivery]:
        """The record of a delivery, last seen under a name."""
        cure = (
            f"Delete it and run again: if {name or 'the file it is the record of'} still lies in "
            f"{self.lake.data_dir}/{keys.drop_zone(self.source)}, it is ingested again. If it does not, restore the record from a "
            "copy instead: without it the rows of that file no longer count."
        )
        key = keys.delivery(self.source, delivery)
        return Record(objects=self.lake.objects, key=key, parse=parse, cure=cure)

    @property
    def _seen_files(self) -> Record[dict[str, Seen]]:
        cure = "Delete it and run again: files are looked at anew."
        return Record(objects=self.lake.objects, key=keys.seen_files(self.source), parse=parse_seen, cure=cure)
