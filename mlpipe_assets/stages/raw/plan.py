"""What raw has to do: deliveries that no run has dealt with, and events that are damaged or misplaced."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from mlpipe_assets.catalog.declarations import Catalog, Source
from mlpipe_assets.catalog.versions import source_version
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.intake.intake import Pending
from mlpipe_assets.intake.known_at import arrival_day
from mlpipe_assets.intake.registry import find_idle_folders, intake_of
from mlpipe_assets.intake.untold import list_untold
from mlpipe_assets.partitions import START_DATE, contiguous, days_between, last_partition
from mlpipe_assets.stages.raw.healing import DamagedEvents, Healing
from mlpipe_assets.stages.raw.placement import find_misplaced
from mlpipe_assets.store.lake import Lake


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """What the intakes of the catalog's sources have, and what of it needs a run or a person.

    Attributes:
        new_files: Files, or other deliveries, that no run has dealt with.
        problems: What is wrong with files and folders.
        unseen: Those of the problems that no run will ever tell of, since no reader takes the file.
        relieved: Sources whose unreadable files were taken away, whose damaged events can be made again, or with deliveries that
            no run has told of.
        misplaced: Sources with deliveries whose rows were placed in time by other rules than the declaration's.
        damaged: Deliveries whose events in the lake are damaged. It is a problem where they cannot be made again.
    """

    new_files: int
    problems: tuple[str, ...]
    unseen: tuple[str, ...] = ()
    relieved: tuple[str, ...] = ()
    misplaced: tuple[str, ...] = ()
    damaged: tuple[DamagedEvents, ...] = ()


def look_at_intakes(lake: Lake, catalog: Catalog) -> Incoming:
    """How many files no run has dealt with yet, which cannot be read, and whose unreadable files were taken away."""
    new = 0
    relieved: list[str] = []
    misplaced: list[str] = []
    unseen: list[str] = []
    problems: list[str] = []
    damaged: list[DamagedEvents] = []
    for source in catalog.sources:
        ledger = Ledger.load(lake, source.name, source_version(source))
        files, wrong = intake_of(lake, source).look(ledger.taken)
        unseen += [f"raw/{source.name}/{p.name}: {p.reason}" for p in wrong]
        found = Healing(lake=lake, source=source, ledger=ledger).find_damaged()
        damaged += found
        problems += [str(d) for d in found if d.source_file is None]
        gone = ledger.problems_gone({file.name for file in files})
        if gone or any(d.source_file for d in found) or list_untold(lake, source.name):
            relieved.append(source.name)
        if find_misplaced(source, ledger):
            misplaced.append(source.name)
        for file in files:
            status = ledger.status_of(file)
            if status is None:
                new += 1
            elif status.problem:
                problems.append(f"raw/{source.name}/{file.name}: {status.problem}")
    unseen += [f"raw/{p.name}/: {p.reason}" for p in find_idle_folders(lake, catalog.sources)]
    return Incoming(
        new_files=new,
        problems=(*unseen, *problems),
        unseen=tuple(unseen),
        relieved=tuple(relieved),
        misplaced=tuple(misplaced),
        damaged=tuple(damaged),
    )


def new_files(lake: Lake, source: Source) -> list[Pending]:
    """Files, or other deliveries, of a source that no run has dealt with."""
    ledger = Ledger.load(lake, source.name, source_version(source))
    return [file for file in intake_of(lake, source).look(ledger.taken)[0] if ledger.status_of(file) is None]


def days_of_arrival(lake: Lake, source: Source, found: Sequence[Pending]) -> tuple[date, ...]:
    """The longest stretch of days on which some deliveries arrived, moved into the partitions.

    Any day's run takes every new one; a long stretch reports its days as one batch.
    """
    intake = intake_of(lake, source)
    known = {arrival_day(intake.known(pending).known_at) for pending in found}
    stretches = contiguous(min(max(day, START_DATE), last_partition()) for day in known)
    first, last = max(stretches, key=lambda stretch: (stretch[1] - stretch[0], stretch[1]))
    return tuple(days_between(first, last))


def newest_day(ledger: Ledger) -> date:
    """The newest day of the partitions that rows came for, or the first there is."""
    return max(ledger.days_in_partitions(), default=START_DATE)
