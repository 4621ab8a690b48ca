"""What is new at a source's intake, taken into the lake: each delivery is whole or absent, whatever happens. No Dagster here."""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from mlpipe_assets.catalog.declarations import Source, is_snapshot
from mlpipe_assets.catalog.versions import source_version
from mlpipe_assets.errors import DamagedError, PrepareError
from mlpipe_assets.executors.executor import THREADS, Executor
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.intake.delivery import Delivery, identity, natural
from mlpipe_assets.intake.intake import ChangedMeanwhileError, DeliveryProblem, Intake, Pending, find_moving
from mlpipe_assets.intake.known_at import BY_MODIFICATION, BY_NAME, Reading, arrival_day
from mlpipe_assets.intake.registry import intake_of
from mlpipe_assets.intake.untold import HEALED, mark_untold
from mlpipe_assets.partitions import START_DATE
from mlpipe_assets.settings import read_settings
from mlpipe_assets.stages.raw.healing import damaged_deliveries, heal
from mlpipe_assets.stages.raw.placement import find_misplaced, located, place_rows
from mlpipe_assets.stages.raw.reading import DeliveryToRead, ReadDelivery, UnreadDelivery, read_one
from mlpipe_assets.stages.raw.states import settle_states
from mlpipe_assets.store.lake import Lake

_log = logging.getLogger("mlpipe")
_READ_AHEAD = 3  # files read at a time: reading one keeps little more than one core busy


@dataclass(kw_only=True)
class Ingested:
    """What one look at an intake brought."""

    new: list[Delivery] = field(default_factory=list)
    placed: list[tuple[Delivery, Delivery]] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    problems: list[DeliveryProblem] = field(default_factory=list)


def pull(lake: Lake, source: Source, stops: Callable[[], bool]) -> Ingested:
    """Take every new delivery of a source between two runs, the next of which tells of them and does what else is to be done.

    Args:
        lake: The lake.
        source: What to take of.
        stops: Asked before each delivery: whether to leave it and those after it for later.

    Raises: BusyError when another run is taking them; LakeError.
    """
    with lake.writing("raw", source.name):
        ledger = Ledger.load(lake, source.name, source_version(source))
        ledger.sweep()
        found = Ingested()
        _take_new(lake, source, ledger, found, THREADS, stops)
        return found


def add_pulled(ledger: Ledger, untold: Sequence[str], found: Ingested) -> None:
    """Add the deliveries with rows of their own that were taken before and that no run has told of yet."""
    told = {delivery.delivery for delivery in found.new}
    pulled = [ledger.deliveries[name] for name in untold if name in ledger.deliveries and name not in told]
    found.new = [*(delivery for delivery in pulled if delivery.copy_of is None), *found.new]


def ingest(lake: Lake, source: Source, ledger: Ledger, executor: Executor = THREADS) -> Ingested:
    """Bring every new delivery of a source's intake into the lake, and its events into order."""
    ledger.sweep()
    found = Ingested(problems=heal(lake, source, ledger, damaged_deliveries(lake, ledger)))
    _place_misplaced(lake, source, ledger, found)
    _take_new(lake, source, ledger, found, executor)
    return found


def _take_new(
    lake: Lake,
    source: Source,
    ledger: Ledger,
    found: Ingested,
    executor: Executor,
    stops: Callable[[], bool] | None = None,
) -> None:
    """Take what the intake has and the ledger does not know; each delivery is whole or absent, whatever happens.

    `stops` is given between two runs; without it a run is taking them, and tells of them itself.
    """
    intake = intake_of(lake, source)
    files, problems = intake.look(ledger.taken)
    found.problems += problems
    fresh = [file for file in files if ledger.status_of(file) is None]
    for file in files:
        status = ledger.status_of(file)
        if status and status.problem:
            found.problems.append(DeliveryProblem(name=file.name, reason=status.problem))
    moving = find_moving(intake, fresh, read_settings().settle_seconds)
    found.waiting += sorted(moving)
    order = sorted(
        (f for f in fresh if f.name not in moving),
        key=lambda f: (intake.known(f).known_at, f.modified_ns, natural(f.name)),
    )
    _take(lake, source, ledger, intake, order, found, executor, stops)
    restated = _settle(lake, source, ledger, found) if fresh or stops is None else []
    for delivery in restated if stops else ():
        mark_untold(lake, source.name, delivery.delivery)
    gone = ledger.forget_problems({file.name for file in files})
    if gone and stops:
        mark_untold(lake, source.name, HEALED)
    if fresh or gone:
        ledger.save()


def _place_misplaced(lake: Lake, source: Source, ledger: Ledger, found: Ingested) -> None:
    """Place rows anew whose placement is not the declaration's: deliveries keep what they brought, under other days."""
    for delivery in find_misplaced(source, ledger):
        before = ledger.deliveries[delivery.delivery]
        try:
            placed = place_rows(lake, source, ledger, delivery, before)
        except DamagedError:  # said already, with what to do
            continue
        except PrepareError as error:
            found.problems.append(DeliveryProblem(name=before.source_file, reason=f"{error}"))
            continue
        found.placed.append((before, placed))


def _take(
    lake: Lake,
    source: Source,
    ledger: Ledger,
    intake: Intake,
    files: Sequence[Pending],
    found: Ingested,
    executor: Executor,
    stops: Callable[[], bool] | None,
) -> None:
    """Take each delivery in order, or say why not; others are read ahead while one is written down."""
    readers = executor if intake.is_shared else THREADS
    left = deque(enumerate(files, start=1))
    while left:
        under_way: deque[DeliveryToRead] = deque()
        items = _name_some(lake, source, ledger, intake, left, len(files), under_way, found, stops)
        for result in readers.map(read_one, items, _READ_AHEAD):
            _finish(lake, ledger, intake, under_way.popleft(), result, found)


def _name_some(
    lake: Lake,
    source: Source,
    ledger: Ledger,
    intake: Intake,
    left: deque[tuple[int, Pending]],
    count: int,
    under_way: deque[DeliveryToRead],
    found: Ingested,
    stops: Callable[[], bool] | None,
) -> Iterator[DeliveryToRead]:
    """Deliveries to read, taken off `left` in order; it ends before one that cannot be named until those under way are on record."""
    while left:
        if stops and stops():
            left.clear()
            return
        number, file = left[0]
        _log.info("raw/%s: file %s of %s", source.name, f"{number:,}", f"{count:,}")
        try:
            content = intake.digest(file)
        except ChangedMeanwhileError:
            found.waiting.append(left.popleft()[1].name)
            continue
        except OSError as error:
            left.popleft()
            found.problems.append(DeliveryProblem(name=file.name, reason=f"cannot be opened: {error.strerror}"))
            continue
        if content in {item.delivery.content for item in under_way}:
            return
        left.popleft()
        delivery = _name(source, ledger, file, intake.known(file), content)
        if known := ledger.find(content, file.name, delivery.known_at):
            _meet_again(ledger, file, known, found)
            continue
        if stops:
            mark_untold(lake, source.name, delivery.delivery)
        if twin := ledger.holder(content):  # its rows are in the lake: whether they count again is settled in the end
            ledger.complete(replace(delivery, copy_of=twin.delivery), [])
            ledger.note(file, delivery=delivery.delivery)
            found.new.append(delivery)
            continue
        ledger.begin(delivery.delivery)
        item = DeliveryToRead(
            lake=lake, source=source, version=source_version(source), intake=intake, file=file, delivery=delivery
        )
        under_way.append(item)
        yield item
        if delivery.backdated:  # only the first of a ledger is
            return


def _meet_again(ledger: Ledger, file: Pending, known: Delivery, found: Ingested) -> None:
    """Take a file for a delivery on record; of the places where it was found, the earliest says where it ranks."""
    if known.source_file != file.name:
        found.copies.append(f"{file.name} (same content as {known.source_file})")
        here = replace(known, source_file=file.name, modified_ns=file.modified_ns)
        if here.place < known.place:
            ledger.complete(here, [])
    ledger.note(file, delivery=known.delivery)


def _settle(lake: Lake, source: Source, ledger: Ledger, found: Ingested) -> list[Delivery]:
    """Tell copies from deliveries of their own, now that all are on record; earlier ones that have rows of their own by that."""
    seen = {d.delivery for d in found.new}
    restated = [d for d in settle_states(lake, source, ledger) if d.delivery not in seen and d.copy_of is None]
    now = [ledger.deliveries[d.delivery] for d in found.new]
    for copy in (d for d in now if d.copy_of):
        twin = ledger.deliveries[copy.copy_of or ""]
        if twin.source_file != copy.source_file:
            found.copies.append(f"{copy.source_file} (same content as {twin.source_file})")
    found.new = [*(d for d in now if d.copy_of is None), *restated]
    found.changed += [d.source_file for d in found.new if d.replaces and d.delivery in seen]
    return restated


def _finish(
    lake: Lake,
    ledger: Ledger,
    intake: Intake,
    item: DeliveryToRead,
    result: ReadDelivery | UnreadDelivery,
    found: Ingested,
) -> None:
    """Count a delivery that was read, or leave no trace of it and say why."""
    if isinstance(result, UnreadDelivery):
        found.problems.append(DeliveryProblem(name=item.file.name, reason=result.problem))
        if result.is_final:
            ledger.note(item.file, problem=result.problem)
    elif not intake.unchanged(item.file):
        found.waiting.append(item.file.name)
        lake.discard(*result.staged)
    else:
        ledger.complete(result.delivery, result.staged)
        ledger.note(item.file, delivery=result.delivery.delivery)
        found.new.append(result.delivery)
        return
    ledger.tidy(item.delivery.delivery)


def _name(source: Source, ledger: Ledger, file: Pending, reading: Reading, content: str) -> Delivery:
    """A delivery as it is known before it is read: no rows yet."""
    known_at = reading.known_at
    previous = ledger.standing(file.name)
    if previous and previous.content != content:
        # New content under a known name corrects it, so it was known later, if only by a moment.
        known_at = max(known_at, previous.known_at + timedelta(microseconds=1))
    elif previous and (reading.by == BY_NAME or known_at < previous.known_at):
        known_at = previous.known_at  # the same file, touched
    arrived = arrival_day(known_at)
    backdated = is_snapshot(source) and reading.by == BY_MODIFICATION and not ledger.deliveries  # settled in the end
    if is_snapshot(source):  # a snapshot is of one day, its broken lines too
        if reading.by == BY_NAME and arrived < START_DATE:
            early = f"before {START_DATE} (MLPIPE_START_DATE), so the table holds from that day on"
            reading = replace(reading, note="; ".join(filter(None, (reading.note, early))))
        arrived = START_DATE if backdated else max(arrived, START_DATE)
    named = Delivery(
        source=source.name,
        delivery=identity(content, file.name, known_at),
        source_file=file.name,
        content=content,
        known_at=known_at,
        known_by=reading.by,
        known_note=reading.note,
        modified_ns=file.modified_ns,
        arrived=arrived,
        events={},
        replaces=previous.delivery if previous else None,
        backdated=backdated,
        mark=file.mark if file.final else None,
    )
    return located(source, named)
