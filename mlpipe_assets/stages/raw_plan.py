"""What raw has to do: files that no run has dealt with, and events that are damaged or misplaced."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from mlpipe_assets.catalog.declarations import Catalog, Source
from mlpipe_assets.catalog.feeds import files_of
from mlpipe_assets.catalog.versions import source_version
from mlpipe_assets.intake import drop_zone
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.intake.drop_zone import DroppedFile
from mlpipe_assets.intake.known_at import arrival_day, read_known_at
from mlpipe_assets.partitions import START_DATE, contiguous, days_between, last_partition
from mlpipe_assets.stages.raw_healing import DamagedEvents, Healing
from mlpipe_assets.stages.raw_placement import find_misplaced
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake


@dataclass(frozen=True, kw_only=True)
class DropZone:
    """What lies in the drop zone of the catalog's sources.

    Attributes:
        new_files: Files no run has dealt with.
        problems: What is wrong with files and folders.
        unseen: Those of the problems that no run will ever tell of, since no reader takes the file.
        relieved: Sources whose unreadable files were taken away, or whose damaged events can be made again.
        misplaced: Sources with deliveries whose rows were placed in time by other rules than the declaration's.
        damaged: Deliveries whose events in the lake are damaged. It is a problem where they cannot be made again.
    """

    new_files: int
    problems: tuple[str, ...]
    unseen: tuple[str, ...] = ()
    relieved: tuple[str, ...] = ()
    misplaced: tuple[str, ...] = ()
    damaged: tuple[DamagedEvents, ...] = ()


def look_at_drop_zone(lake: Lake, catalog: Catalog) -> DropZone:
    """How many files no run has dealt with yet, which cannot be read, and whose unreadable files were taken away."""
    new = 0
    relieved: list[str] = []
    misplaced: list[str] = []
    unseen: list[str] = []
    problems: list[str] = []
    damaged: list[DamagedEvents] = []
    for source in catalog.sources:
        ledger = Ledger.load(lake, source.name, source_version(source))
        files, wrong = drop_zone.look(lake.root / keys.drop_zone(source.name))
        unseen += [f"raw/{source.name}/{p.name}: {p.reason}" for p in wrong]
        found = Healing(lake=lake, source=source, ledger=ledger).find_damaged()
        damaged += found
        problems += [str(d) for d in found if d.source_file is None]
        if any(d.source_file for d in found) or ledger.problems_gone({file.name for file in files}):
            relieved.append(source.name)
        if find_misplaced(source, ledger):
            misplaced.append(source.name)
        for file in files:
            status = ledger.status_of(file)
            if status is None:
                new += 1
            elif status["problem"]:
                problems.append(f"raw/{source.name}/{file.name}: {status['problem']}")
    for folder in drop_zone.undeclared_folders(lake.root / keys.DROP_ZONE, [s.name for s in catalog.sources]):
        unseen.append(f"raw/{folder}/: no source of that name is declared, its files are not read")
    return DropZone(
        new_files=new,
        problems=(*unseen, *problems),
        unseen=tuple(unseen),
        relieved=tuple(relieved),
        misplaced=tuple(misplaced),
        damaged=tuple(damaged),
    )


def new_files(lake: Lake, source: Source) -> list[DroppedFile]:
    """Files of a source that no run has dealt with."""
    ledger = Ledger.load(lake, source.name, source_version(source))
    return [
        file for file in drop_zone.look(lake.root / keys.drop_zone(source.name))[0] if ledger.status_of(file) is None
    ]


def days_of_arrival(source: Source, files: Sequence[DroppedFile]) -> tuple[date, ...]:
    """The longest stretch of days on which some files arrived, by their names or times, moved into the partitions.

    Any day's run takes every new file; a long stretch reports its days as one batch.
    """
    known = {arrival_day(read_known_at(file, files_of(source.feed).known_at).known_at) for file in files}
    stretches = contiguous(min(max(day, START_DATE), last_partition()) for day in known)
    first, last = max(stretches, key=lambda stretch: (stretch[1] - stretch[0], stretch[1]))
    return tuple(days_between(first, last))


def newest_day(ledger: Ledger) -> date:
    """The newest day of the partitions that rows came for, or the first there is."""
    return max(ledger.days_in_partitions(), default=START_DATE)
