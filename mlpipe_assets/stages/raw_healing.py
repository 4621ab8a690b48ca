"""Damaged event files, made again from the files of the drop zone that they came from."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.errors import DamagedError
from mlpipe_assets.partitions import spell_days
from mlpipe_assets.readers.blocks import UnreadableFileError
from mlpipe_assets.resources import drop_zone
from mlpipe_assets.resources.deliveries import Ledger
from mlpipe_assets.resources.delivery import Delivery
from mlpipe_assets.resources.digests import changed, damage
from mlpipe_assets.resources.drop_zone import DroppedFile, Problem
from mlpipe_assets.resources.lake import Lake, Staged
from mlpipe_assets.stages.raw_placement import read_delivery

DAMAGED = (
    "its events in the lake are damaged. mlpipe run makes them again if the file is in the drop zone with the content it had; "
    "otherwise put it back there, or restore the events from a copy"
)
_log = logging.getLogger("mlpipe")


def damaged_deliveries(lake: Lake, ledger: Ledger) -> list[Delivery]:
    """Deliveries whose event files do not have the size and time on record, and do not hold what was written to them."""
    return [d for d in ledger.deliveries.values() if any(_is_changed(lake, path) for path in files_of(ledger, d))]


def heal(lake: Lake, source: Source, ledger: Ledger, deliveries: Sequence[Delivery]) -> list[Problem]:
    """Make their damaged files again; what cannot be made again is returned. The caller is the only writer of the source."""
    if not deliveries:
        return []
    dropped, _ = drop_zone.look(lake.root / "raw" / source.name)
    return [problem for d in deliveries if (problem := _heal_one(lake, source, ledger, d, dropped))]


def sound(source: Source, ledger: Ledger, paths: Sequence[Path]) -> Sequence[Path]:
    """Event files that hold what was written to them; those that did not are made again first.

    Raises: DamagedError for one that cannot be made again.
    """
    lake = ledger.lake
    try:
        return lake.check(paths)
    except DamagedError:
        names = {path.stem for path in paths}
        with lake.writing("raw", source.name):
            wrong = heal(lake, source, ledger, [d for d in ledger.deliveries.values() if d.stem in names])
        if wrong:
            raise DamagedError("; ".join(f"raw/{source.name}/{p.name}: {p.reason}" for p in wrong[:3])) from None
        return lake.check(paths)


def files_of(ledger: Ledger, delivery: Delivery) -> list[Path]:
    """The files that the rows of a delivery are in."""
    return ledger.event_paths(delivery) + ([ledger.refused_path(delivery)] if delivery.quarantined else [])


def _heal_one(
    lake: Lake, source: Source, ledger: Ledger, delivery: Delivery, dropped: Sequence[DroppedFile]
) -> Problem | None:
    damaged = [path for path in files_of(ledger, delivery) if _is_damaged(lake, path)]
    if not damaged:
        return None
    in_the_way = [path for path in damaged if path.is_dir()]
    file = None if in_the_way else find_file(dropped, delivery)
    staged = _read_again(lake, source, ledger, file, delivery) if file else []
    wanted = [item for item in staged if item.target in damaged]
    lake.discard(*(item for item in staged if item not in wanted))
    if len(wanted) == len(damaged):
        lake.commit(*wanted)
        _log.warning(
            "raw/%s: %s event files of %s were damaged, and were made again from that file",
            source.name,
            f"{len(damaged):,}",
            delivery.source_file,
        )
        return None
    lake.discard(*wanted)
    days = spell_days(sorted(delivery.events)) if delivery.events else f"{delivery.arrived}"
    reason = (
        f"its events of {days} are damaged (e.g. {damaged[0]}), and the file is not in the drop zone with the content it had. "
        f"Put it back into raw/{source.name} and run again, or restore the events from a copy"
    )
    if in_the_way:
        reason = f"{in_the_way[0]} is a folder where its events belong. Take it away and run again"
    return Problem(name=delivery.source_file, reason=reason)


def find_file(dropped: Sequence[DroppedFile], delivery: Delivery) -> DroppedFile | None:
    """The file of the drop zone with the content of a delivery, under its name or, failing that, any other."""
    content = delivery.content or delivery.delivery
    for file in sorted(dropped, key=lambda f: (f.name != delivery.source_file, f.name)):
        try:
            if drop_zone.content_digest(file.path) == content:
                return file
        except OSError:
            continue
    return None


def _read_again(lake: Lake, source: Source, ledger: Ledger, file: DroppedFile, delivery: Delivery) -> list[Staged]:
    """Its files staged as they were, or none when today's declaration makes other days or counts of them."""
    staged: list[Staged] = []
    named = replace(file, name=delivery.source_file)
    empty = replace(delivery, events={}, ahead={}, quarantined=0)
    try:
        found = read_delivery(lake, source, ledger, named, empty, staged)
    except (UnreadableFileError, OSError, pl.exceptions.PolarsError):
        found = empty
    if (found.events, found.ahead, found.quarantined) != (delivery.events, delivery.ahead, delivery.quarantined):
        lake.discard(*staged)
        return []
    return staged


def _is_changed(lake: Lake, path: Path) -> bool:
    return changed(lake.root, path) is not None or not path.exists()


def _is_damaged(lake: Lake, path: Path) -> bool:
    return damage(lake.root, path) is not None or not path.exists()
