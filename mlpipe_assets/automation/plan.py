"""What is out of date: which partitions their inputs, or the code, have left behind."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import wraps
from typing import Any

from mlpipe_assets.automation.messages import Problem
from mlpipe_assets.catalog.declarations import Catalog, FeatureView, Model, Source, is_snapshot
from mlpipe_assets.catalog.versions import source_version
from mlpipe_assets.errors import MlpipeError
from mlpipe_assets.partitions import START_DATE, contiguous, days_between, last_partition, spell_days
from mlpipe_assets.resources import drop_zone
from mlpipe_assets.resources.deliveries import Ledger
from mlpipe_assets.resources.drop_zone import DroppedFile
from mlpipe_assets.resources.known_at import arrival_day, read_known_at
from mlpipe_assets.stages import interim_day, processed
from mlpipe_assets.stages.raw_healing import DamagedEvents, Healing, find_lost
from mlpipe_assets.stages.raw_placement import find_misplaced
from mlpipe_assets.store import keys
from mlpipe_assets.store.acceptances import NOTHING_CAME, acceptances
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.refusals import refusal_of
from mlpipe_assets.training_plan import plan_training_set
from mlpipe_assets.windows import Inputs, SourceDays


@dataclass(frozen=True, kw_only=True)
class Work:
    """Days of one table to build, and days that cannot be, with the reason.

    Attributes:
        unreadable: What kept us from telling: a file that cannot be read, and what to do about it.
    """

    table: str
    days: tuple[date, ...] = ()
    blocked: tuple[tuple[date, str], ...] = ()
    unreadable: str = ""


def or_unreadable(table: Callable[[Any], str]) -> Callable[[Callable[..., Work]], Callable[..., Work]]:
    """Let one file that cannot be read stop the look at its own table, and no other.

    Args:
        table: The name of the table, of the declaration that the look is given before `wanted`.
    """

    def decorate(look: Callable[..., Work]) -> Callable[..., Work]:
        @wraps(look)
        def safely(*args: Any) -> Work:  # noqa: ANN401 (whatever the look takes)
            try:
                return look(*args)
            except MlpipeError as error:
                return Work(table=table(args[-2]), unreadable=str(error))

        return safely

    return decorate


def spell_blocked(work: Work) -> list[tuple[str, str]]:
    """Why days of a table cannot be built, and a line that says so, days of one reason together."""
    days: dict[str, list[date]] = {}
    words: dict[str, str] = {}
    same = Counter(reason for _, reason in work.blocked)
    for day, reason in work.blocked:
        kind = reason if same[reason] > 1 else reason.replace(f"{day}", "")
        kind = reason.partition("has holes")[0] if "has holes" in reason else kind
        days.setdefault(kind, []).append(day)
        words[kind] = reason.partition(" over ")[2] or reason if "has holes" in reason else reason
    wrong = [(work.unreadable, f"{work.table}: {work.unreadable}")] if work.unreadable else []
    # Of one kind the words of its last day, whose window holds every hole of the days before, or most.
    return wrong + [(words[kind], f"{work.table} {spell_days(found)}: {words[kind]}") for kind, found in days.items()]


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


def problems_of_files(zone: DropZone) -> list[Problem]:
    """What to tell of files: no reader takes them, a run could not read them, their events are lost; one for each file."""
    lost = [d for d in zone.damaged if d.source_file is None]
    return [_problem_of_lost(d) for d in lost] + [
        Problem(
            key=line.partition(": ")[0],
            what="lies in the drop zone and is not read" if line in zone.unseen else "cannot be read",
            where=line.partition(": ")[0],
            how_many="1 file or folder",
            example=line.partition(": ")[2],
            to_do="deliver it in a format that is read, declare its source, or take it away; see docs/files.md"
            if line in zone.unseen
            else "correct it and deliver it again under the same name, or take it away; see docs/files.md",
        )
        for line in zone.problems
        if line not in map(str, lost)
    ]


def _problem_of_lost(damaged: DamagedEvents) -> Problem:
    count = len(damaged.files)
    return Problem(
        key=damaged.where,
        what="has damaged events in the lake",
        where=damaged.where,
        how_many=f"{count:,} {'file' if count == 1 else 'files'}, e.g. {damaged.files[0]}",
        example=damaged.what,
        to_do=damaged.to_do,
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
    known = {arrival_day(read_known_at(file, source.known_at).known_at) for file in files}
    stretches = contiguous(min(max(day, START_DATE), last_partition()) for day in known)
    first, last = max(stretches, key=lambda stretch: (stretch[1] - stretch[0], stretch[1]))
    return tuple(days_between(first, last))


def newest_day(ledger: Ledger) -> date:
    """The newest day of the partitions that rows came for, or the first there is."""
    return max(ledger.days_in_partitions(), default=START_DATE)


@or_unreadable(lambda source: f"interim/{source.name}")
def interim_work(lake: Lake, source: Source, wanted: Callable[[date], bool]) -> Work:
    """Days of a source whose clean table is not what its events and the code make of them."""
    ledger = Ledger.load(lake, source.name, source_version(source))
    last = last_partition()
    came = ledger.days_in_partitions()
    arrived = SourceDays(lake=lake, source=source).arrived
    accepted = acceptances(lake, source.name)
    # A partition whose rows are of other days now, or whose deliveries are copies, is taken away.
    candidates = {*came, *accepted, *lake.days("interim", source.name)}
    candidates = {day for day in candidates if START_DATE <= day <= last}
    if source.empty_days and not is_snapshot(source) and arrived:
        candidates |= set(days_between(arrived[0], arrived[-1]))
    candidates |= {d for d in _unread_days(ledger, source) if START_DATE <= d <= last}
    days: list[date] = []
    blocked: list[tuple[date, str]] = []
    lost: set[str] | None = None
    for day in sorted(filter(wanted, candidates)):
        inputs = interim_day.inputs_digest(source, ledger.of_day(day))
        facts = lake.facts("interim", source.name, day)
        refusal = refusal_of(lake, "interim", source.name, day)
        if refusal and "lost" in refusal:
            lost = find_lost(lake, source, ledger) if lost is None else lost
            if lost.isdisjoint(refusal["lost"]):
                days.append(day)
                continue
        held = accepted.get(day)
        holds = held is not None and held.holds_for(refusal.get("accepts", "") if refusal else NOTHING_CAME)
        if refusal and refusal["inputs"] == interim_day.refusal_digest(source, ledger, day) and not holds:
            blocked.append((day, str(refusal["problem"])))
        elif refusal or (facts["inputs"] != inputs if facts else not held or holds or ledger.of_day(day)):
            days.append(day)
    if arrived and not source.empty_days:
        told = {*came, *accepted, *(day for day, _ in blocked)}
        gaps = [day for day in days_between(arrived[0], arrived[-1]) if day not in told and wanted(day)]
        blocked += [(day, NOTHING_CAME) for day in gaps]
    return Work(table=f"interim/{source.name}", days=tuple(days), blocked=tuple(sorted(blocked)))


def _unread_days(ledger: Ledger, source: Source) -> set[date]:
    """Days of arrival that no event may tell of: with too many unreadable rows, or a file without times, or refused for them."""
    unread: dict[date, int] = {}
    for d in ledger.deliveries.values():
        if d.quarantined:
            unread[d.arrived] = unread.get(d.arrived, 0) + (0 if d.delivery in ledger.corrected else d.quarantined)
    timeless = {d.arrived for d in interim_day.without_time(source, ledger)}
    return timeless | {
        day
        for day, rows in unread.items()
        if not source.tolerance.allows(rows, rows) or refusal_of(ledger.lake, "interim", source.name, day)
    }


@or_unreadable(lambda view: f"features/{view.name}")
def feature_work(lake: Lake, catalog: Catalog, view: FeatureView, wanted: Callable[[date], bool]) -> Work:
    """Days of a view that its window or the code has left behind, and those whose window has a hole."""
    inputs = Inputs(lake=lake, catalog=catalog, view=view)
    first, last = inputs.first_day(), inputs.last_day()
    days: list[date] = sorted(filter(wanted, inputs.strays()))
    blocked: list[tuple[date, str]] = []
    if first is None or last is None:
        return Work(table=f"features/{view.name}", days=tuple(days))
    for day in filter(wanted, days_between(first, last)):
        hole = inputs.holes(day)
        if hole:
            blocked.append((day, hole))
            continue
        facts = lake.facts("features", view.name, day)
        refusal = refusal_of(lake, "features", view.name, day)
        if refusal and refusal["inputs"] == inputs.digest(day):
            blocked.append((day, str(refusal["problem"])))
        elif refusal or not facts or facts["inputs"] != inputs.digest(day):
            days.append(day)
    return Work(table=f"features/{view.name}", days=tuple(sorted(days)), blocked=tuple(blocked))


@or_unreadable(lambda model: f"processed/{model.name}")
def training_work(lake: Lake, catalog: Catalog, model: Model, wanted: Callable[[date], bool]) -> Work:
    """The newest training set, when it is `every` days old, or no longer what its inputs and the code make.

    A model's training set is built once a spine interval, not daily: between two feature days nothing new can enter it.
    """
    table = f"processed/{model.name}"
    features = [day for day in lake.days("features", model.view.name) if wanted(day)]
    if not features:
        return Work(table=table)
    built = [day for day in lake.days("processed", model.name, keys.TRAIN) if day <= features[-1] and wanted(day)]
    newest = built[-1] if built else None
    as_of = features[-1] if newest is None or features[-1] - newest >= model.every else newest
    plan = plan_training_set(model, as_of, lake.days("features", model.view.name)[0])
    hole = processed.holes(lake, catalog, plan)
    if hole:
        return Work(table=table, blocked=((as_of, hole),))
    facts = lake.facts("processed", model.name, as_of, keys.TRAIN)
    fresh = facts is not None and facts["inputs"] == processed.inputs_digest(lake, catalog, plan)
    return Work(table=table, days=() if fresh else (as_of,))
