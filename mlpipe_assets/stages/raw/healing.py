"""Damaged event files, made again from what their intake still has of them; or what a person has to do."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import polars as pl

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.errors import DamagedError
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.intake.delivery import Delivery
from mlpipe_assets.intake.intake import DeliveryProblem, Intake, Pending
from mlpipe_assets.intake.registry import intake_of
from mlpipe_assets.partitions import spell_days
from mlpipe_assets.readers.blocks import UnreadableFileError
from mlpipe_assets.stages.raw.placement import find_misplaced, read_delivery
from mlpipe_assets.store.digests import changed, damage, doubtful
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.staging import Staged

_log = logging.getLogger("mlpipe")


@dataclass(frozen=True, kw_only=True)
class DamagedEvents:
    """Event files of one delivery that do not hold what was written to them, and what becomes of them.

    Attributes:
        where: The file that they came from, such as raw/orders/orders_2026-01-05.csv.
        files: The damaged ones, by path below the data folder.
        what: What is wrong.
        to_do: What a person does, or what the next run does.
        source_file: What the next run makes them again from; None when a person is needed.
    """

    where: str
    files: tuple[str, ...]
    what: str
    to_do: str
    source_file: Pending | None

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.where}: {self.what}. {self.to_do}"


@dataclass(kw_only=True)
class Healing:
    """What can be done for damaged events of one source: its intake is looked at once, and only if it has to be."""

    lake: Lake
    source: Source
    ledger: Ledger

    def find_damaged(self) -> list[DamagedEvents]:
        """Damaged events by the size and time of their files: to plan must cost no reading."""
        found = _changed_files(self.lake, self.ledger)
        return [self.look_at(self.ledger.deliveries[name], paths) for name, paths in found.items()]

    def look_at(self, delivery: Delivery, paths: Sequence[Path]) -> DamagedEvents:
        """What becomes of damaged files of a delivery."""
        names = tuple(str(path.relative_to(self.lake.root)) for path in paths)
        days = spell_days(sorted(delivery.events)) if delivery.events else f"{delivery.arrived}"
        own = [d for d in (*delivery.events, *delivery.ahead) if self.ledger.event_path(delivery, d) in paths]
        where, folder = f"raw/{self.source.name}/{delivery.source_file}", f"raw/{self.source.name}"
        zone = getattr(self.source.feed, "location", None) or folder
        what = f"its events of {spell_days(sorted(own)) if own else days} are damaged"
        in_the_way = [path for path in paths if path.is_dir()]
        file = None if in_the_way else self._find(delivery)
        copies = f"restore {names[0]}{f' and {len(names) - 1:,} more' if names[1:] else ''} from a copy"
        if in_the_way:
            to_do = f"{in_the_way[0]} is a folder where a file belongs. Take it away and run again"
        elif file is None:
            what += f" and cannot be made again: no file in {zone} has the content it had"
            to_do = f"Put {delivery.source_file} with that content back into {zone} and run again, or {copies}"
        elif delivery.delivery in self._misplaced:
            file = None
            what += (
                f" and cannot be made again: {self.source.name}'s declaration places rows in time by other rules now"
            )
            to_do = f"Take that change back and run again, or {copies}"
        else:
            to_do = f"Next: mlpipe run; they are made again from {zone}/{file.name}"
        return DamagedEvents(where=where, files=names, what=what, to_do=to_do, source_file=file)

    def heal(self, deliveries: Sequence[Delivery]) -> list[DamagedEvents]:
        """Make their damaged files again; what cannot be made again is returned. The caller is the only writer of the source."""
        damaged = ((d, [path for path in files_of(self.ledger, d) if _is_damaged(self.lake, path)]) for d in deliveries)
        return [left for delivery, paths in damaged if paths and (left := self._heal_one(delivery, paths))]

    def _heal_one(self, delivery: Delivery, damaged: Sequence[Path]) -> DamagedEvents | None:
        found = self.look_at(delivery, damaged)
        if found.source_file is None:
            return found
        lake = self.lake
        staged = _read_again(lake, self.source, self._intake, found.source_file, delivery)
        wanted = [item for item in staged if item.target in damaged]
        lake.discard(*(item for item in staged if item not in wanted))
        if len(wanted) < len(damaged):
            lake.discard(*wanted)
            what = f"{found.what} and cannot be made again: {found.source_file.name} gives other days or counts of rows today"
            return replace(
                found, what=what, to_do=f"Restore {', '.join(found.files[:3])} from a copy", source_file=None
            )
        lake.commit(*wanted)
        files = "1 event file" if len(damaged) == 1 else f"{len(damaged):,} event files"
        _log.warning("%s: %s damaged, made again from that file", found.where, files)
        return None

    @cached_property
    def _intake(self) -> Intake:
        return intake_of(self.lake, self.source)

    def _find(self, delivery: Delivery) -> Pending | None:
        content = delivery.content or delivery.delivery
        return self._intake.find(content, delivery.source_file, self.ledger.mark_of(delivery))

    @cached_property
    def _misplaced(self) -> set[str]:
        return {delivery.delivery for delivery in find_misplaced(self.source, self.ledger)}


def damaged_deliveries(lake: Lake, ledger: Ledger) -> list[Delivery]:
    """Deliveries whose event files do not have the size and time on record, and do not hold what was written to them."""
    return [ledger.deliveries[name] for name in _changed_files(lake, ledger)]


def find_lost(lake: Lake, source: Source, ledger: Ledger) -> set[str]:
    """Damaged event files that cannot be made again, by path below the data folder."""
    found = Healing(lake=lake, source=source, ledger=ledger).find_damaged()
    return {name for damaged in found if damaged.source_file is None for name in damaged.files}


def heal(lake: Lake, source: Source, ledger: Ledger, deliveries: Sequence[Delivery]) -> list[DeliveryProblem]:
    """Make their damaged files again; what cannot be made again is returned. The caller is the only writer of the source."""
    left = Healing(lake=lake, source=source, ledger=ledger).heal(deliveries) if deliveries else []
    return [
        DeliveryProblem(name=d.where.removeprefix(f"raw/{source.name}/"), reason=f"{d.what}. {d.to_do}") for d in left
    ]


def sound(source: Source, ledger: Ledger, paths: Sequence[Path]) -> Sequence[Path]:
    """Event files that hold what was written to them; those that did not are made again first, unless the ledger is a part.

    Raises: DamagedError for those that cannot be made again.
    """
    lake = ledger.lake
    try:
        return lake.check(paths)
    except DamagedError:
        if ledger.is_part:
            raise
        names = {path.stem for path in paths}
        with lake.writing("raw", source.name):
            healing = Healing(lake=lake, source=source, ledger=ledger)
            left = healing.heal([d for d in ledger.deliveries.values() if d.stem in names])
        wanted = {str(path.relative_to(lake.root)) for path in paths}
        if lost := [damaged for damaged in left if wanted & set(damaged.files)]:
            files = {name for damaged in lost for name in damaged.files} & wanted
            raise DamagedError("; ".join(map(str, lost[:3])), lost=files) from None
        return lake.check(paths)


def files_of(ledger: Ledger, delivery: Delivery) -> list[Path]:
    """The files that the rows of a delivery are in."""
    return ledger.event_paths(delivery) + ([ledger.refused_path(delivery)] if delivery.quarantined else [])


def _read_again(lake: Lake, source: Source, intake: Intake, pending: Pending, delivery: Delivery) -> list[Staged]:
    """Its files staged as they were, or none when today's declaration makes other days or counts of them."""
    staged: list[Staged] = []
    empty = replace(delivery, events={}, ahead={}, quarantined=0)
    try:
        found = read_delivery(lake, source, intake, pending, empty, staged)
    except (UnreadableFileError, OSError, pl.exceptions.PolarsError):
        found = empty
    if (found.events, found.ahead, found.quarantined) != (delivery.events, delivery.ahead, delivery.quarantined):
        lake.discard(*staged)
        return []
    return staged


def _changed_files(lake: Lake, ledger: Ledger) -> dict[str, list[Path]]:
    """Files of each delivery that do not have the size and time on record, and do not hold what was written to them."""
    files = {path: d.delivery for d in ledger.deliveries.values() for path in files_of(ledger, d)}
    found: dict[str, list[Path]] = {}
    for path in doubtful(lake.root, files):
        if changed(lake.root, path) is not None or not path.exists():
            found.setdefault(files[path], []).append(path)
    return found


def _is_damaged(lake: Lake, path: Path) -> bool:
    return damage(lake.root, path) is not None or not path.exists()
