"""What sensors see of the lake: files that no run has dealt with, and days that late files or new code left behind."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import groupby

from mlpipe_assets.automation.requests import Wish
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.versions import source_version
from mlpipe_assets.flow import tables_of
from mlpipe_assets.freshness.tables import is_long_enough
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.intake.registry import intake_of
from mlpipe_assets.intake.untold import list_untold
from mlpipe_assets.rules import digest
from mlpipe_assets.stages.flow_table import Table
from mlpipe_assets.stages.raw.placement import find_misplaced
from mlpipe_assets.stages.raw.plan import days_of_arrival, newest_day
from mlpipe_assets.stages.work import Work, spell_blocked
from mlpipe_assets.store.acceptances import NOTHING_CAME
from mlpipe_assets.store.lake import Lake


@dataclass(frozen=True, kw_only=True)
class Arrivals:
    """New files of the drop zone: runs to ask for, and files that may still be in the writing."""

    wishes: tuple[Wish, ...]
    files: int
    waiting: tuple[str, ...]


def look_for_arrivals(lake: Lake, catalog: Catalog, now: datetime, settle_seconds: float) -> Arrivals:
    """One run per source with new files, over the longest stretch of days they arrived on: it takes every new file.

    A source whose unreadable files were taken away is looked at again too. A file touched within `settle_seconds` is left for
    the next look.
    """
    wishes: list[Wish] = []
    waiting: list[str] = []
    count = 0
    for source in catalog.sources:
        ledger = Ledger.load(lake, source.name, source_version(source))
        files = intake_of(lake, source).look(ledger.taken)[0]
        new = [file for file in files if ledger.status_of(file) is None]
        young = {file.name for file in new if 0 <= file.age(now.timestamp()) < settle_seconds}
        settled = [file for file in new if file.name not in young]
        waiting += [f"raw/{source.name}/{name}" for name in sorted(young)]
        count += len(settled)
        gone = ledger.problems_gone({file.name for file in files})  # a run has to say that nothing is wrong any more
        misplaced = sorted([d.delivery, d.placement] for d in find_misplaced(source, ledger))
        untold = list_untold(lake, source.name)
        if settled or gone or misplaced or untold:
            state = digest([[[file.name, *file.mark.values()] for file in settled], gone, misplaced, untold])
            days = days_of_arrival(lake, source, settled) if settled else (newest_day(ledger),)
            wishes.append(Wish(table=f"raw/{source.name}", job="ingest_job", days=days, state=state))
    return Arrivals(wishes=tuple(wishes), files=count, waiting=tuple(waiting))


@dataclass(frozen=True, kw_only=True)
class Stale:
    """Runs to ask for, by stage in flow order, and days that are behind and cannot be built, with the reason."""

    stages: tuple[tuple[Wish, ...], ...]
    blocked: tuple[str, ...]


def look_for_stale_days(lake: Lake, catalog: Catalog) -> Stale:
    """The tables that are behind. What follows from a table shows once that is built.

    Of training only the first: a schedule asks for the others, or drift.
    """
    stages: list[list[Wish]] = []
    blocked: list[str] = []
    in_turn = sorted(
        tables_of(catalog), key=lambda table: table.asked == "last"
    )  # wherever a stage of one's own stands
    for _, tables in groupby(in_turn, key=lambda table: (table.stage, table.jobs[0], table.asked)):
        wishes: list[Wish] = []
        for table in tables:
            work = _look(lake, catalog, table, others=bool(stages))
            wishes += [_wish(lake, catalog, table, work)] if work.days else []
            blocked += [line for reason, line in spell_blocked(work) if reason != NOTHING_CAME]
        stages += [wishes] if wishes else []
    return Stale(stages=tuple(map(tuple, stages)), blocked=tuple(blocked))


def _look(lake: Lake, catalog: Catalog, table: Table, *, others: bool) -> Work:
    """The days of a table that a sensor asks for now."""
    none = Work(table=table.key)
    if table.behind is None or table.asked == "never" or (table.asked == "last" and others):
        return none
    if table.asked == "first":
        model = catalog.model(table.name)
        if lake.days(*table.place, table.files[0]):
            return none
        work = table.behind(lake, _any)
        # What keeps a first training is no matter for a sensor: it waits for days to come.
        return replace(work, blocked=()) if all(is_long_enough(lake, model, day) for day in work.days) else none
    return table.behind(lake, _any)


def _wish(lake: Lake, catalog: Catalog, table: Table, work: Work) -> Wish:
    return Wish(
        table=table.key, job=table.jobs[0], days=work.days, state=_state(lake, catalog, table, work), also=table.also
    )


def what_is_about_to_run(lake: Lake, catalog: Catalog, now: datetime, settle_seconds: float) -> list[str]:
    """Tables that sensors will ask to build at their next look, but for those that only tell of the others."""
    arrivals = look_for_arrivals(lake, catalog, now, settle_seconds)
    telling = {table.key for table in tables_of(catalog) if table.asked == "last"}
    wished = [wish.table for stage in look_for_stale_days(lake, catalog).stages for wish in stage]
    stale = [table for table in wished if table not in telling]
    return [*(wish.table for wish in arrivals.wishes), *stale, *arrivals.waiting]


def _any(_: date) -> bool:
    return True


def _state(lake: Lake, catalog: Catalog, table: Table, work: Work) -> str:
    """Digest of what makes days stale: their partitions as they lie there and, of a source, the deliveries that came."""
    if table.state:
        return digest(table.state(lake))
    if table.asked == "first":
        return digest([f"{day}" for day in work.days])
    made = [lake.facts(table.stage, table.name, day) for day in work.days]
    came: list[list[str]] = []
    if table.stage == "interim":
        ledger = Ledger.load(lake, table.name, source_version(catalog.source(table.name)))
        came = [[d.delivery for d in ledger.of_day(day)] for day in work.days]
    return digest([[f"{day}" for day in work.days], made, came])
