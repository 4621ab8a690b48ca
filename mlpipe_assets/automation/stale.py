"""What sensors see of the lake: files that no run has dealt with, and days that late files or new code left behind."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

from mlpipe_assets.automation.freshness import is_long_enough
from mlpipe_assets.automation.loop_plan import golden_work, monitor_work, prediction_work, report_is_behind
from mlpipe_assets.automation.plan import (
    Work,
    days_of_arrival,
    feature_work,
    interim_work,
    newest_day,
    spell_blocked,
    training_work,
)
from mlpipe_assets.automation.requests import Wish
from mlpipe_assets.catalog.declarations import Catalog, Model
from mlpipe_assets.catalog.versions import source_version
from mlpipe_assets.monitoring.read_back import inputs_of_report
from mlpipe_assets.partitions import last_partition
from mlpipe_assets.resources import drop_zone
from mlpipe_assets.resources.acceptances import NOTHING_CAME
from mlpipe_assets.resources.deliveries import Ledger
from mlpipe_assets.resources.lake import Lake
from mlpipe_assets.rules import digest
from mlpipe_assets.stages.monitoring import REPORT
from mlpipe_assets.stages.predictions import golden_name
from mlpipe_assets.stages.raw_placement import find_misplaced
from mlpipe_assets.store import keys

_REPORT = f"monitoring/{REPORT}"


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
        files = drop_zone.look(lake.root / keys.drop_zone(source.name))[0]
        new = [file for file in files if ledger.status_of(file) is None]
        young = {file.name for file in new if 0 <= now.timestamp() - file.mtime_ns / 1e9 < settle_seconds}
        settled = [file for file in new if file.name not in young]
        waiting += [f"raw/{source.name}/{name}" for name in sorted(young)]
        count += len(settled)
        gone = ledger.problems_gone({file.name for file in files})  # a run has to say that nothing is wrong any more
        misplaced = sorted([d.delivery, d.placement] for d in find_misplaced(source, ledger))
        if settled or gone or misplaced:
            state = digest([[[file.name, file.size, file.mtime_ns] for file in settled], gone, misplaced])
            days = days_of_arrival(source, settled) if settled else (newest_day(ledger),)
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
    for job, stage in _stages(lake, catalog):
        works = list(stage)
        wishes = [
            Wish(table=work.table, job=job, days=work.days, state=_state(lake, catalog, work), also=_also(work))
            for work in works
            if work.days
        ]
        stages += [wishes] if wishes else []
        blocked += [line for work in works for reason, line in spell_blocked(work) if reason != NOTHING_CAME]
    first = [wish for model in catalog.models for wish in _first_training(lake, catalog, model)]
    stages += [first] if first else []
    if not stages and catalog.monitors and report_is_behind(lake, catalog):
        job = "prediction_job" if all(m.stage == "predictions" for m in catalog.monitors) else "daily_job"
        stages.append([Wish(table=_REPORT, job=job, days=(last_partition(),), state=_report_state(lake, catalog))])
    return Stale(stages=tuple(map(tuple, stages)), blocked=tuple(blocked))


def _also(work: Work) -> tuple[str, ...]:
    return (_REPORT,) if work.table.startswith("monitoring/") else ()


def _stages(lake: Lake, catalog: Catalog) -> Iterator[tuple[str, Iterable[Work]]]:
    """What is behind of each stage, in flow order, with the job that builds it; looked at when it is asked for."""
    learners = [model for model in catalog.models if model.learner]
    yield "daily_job", (interim_work(lake, source, _any) for source in catalog.sources)
    yield "daily_job", (feature_work(lake, catalog, view, _any) for view in catalog.feature_views)
    of_data = [monitor for monitor in catalog.monitors if monitor.stage != "predictions"]
    yield "daily_job", (monitor_work(lake, catalog, monitor, _any) for monitor in of_data)
    yield "prediction_job", (golden_work(lake, catalog, model, _any) for model in learners)
    yield "prediction_job", (prediction_work(lake, catalog, model, _any) for model in learners)
    of_predictions = [monitor for monitor in catalog.monitors if monitor.stage == "predictions"]
    yield "prediction_job", (monitor_work(lake, catalog, monitor, _any) for monitor in of_predictions)


def what_is_about_to_run(lake: Lake, catalog: Catalog, now: datetime, settle_seconds: float) -> list[str]:
    """Tables that sensors will ask to build at their next look."""
    arrivals = look_for_arrivals(lake, catalog, now, settle_seconds)
    stale = [wish.table for stage in look_for_stale_days(lake, catalog).stages for wish in stage]
    return [*(wish.table for wish in arrivals.wishes), *stale, *arrivals.waiting]


def _first_training(lake: Lake, catalog: Catalog, model: Model) -> list[Wish]:
    """The first training set of a model, with what follows from it, once the history is long enough."""
    if lake.days("processed", model.name, keys.TRAIN):
        return []
    work = training_work(lake, catalog, model, _any)
    if not all(is_long_enough(lake, model, day) for day in work.days):
        return []
    also = (f"models/{model.name}", f"validation/{golden_name(model)}") if model.learner else ()
    state = digest([f"{day}" for day in work.days])
    return [Wish(table=work.table, job="training_job", days=work.days, state=state, also=also)] if work.days else []


def _report_state(lake: Lake, catalog: Catalog) -> str:
    return digest(inputs_of_report(lake, catalog))


def _any(_: date) -> bool:
    return True


def _state(lake: Lake, catalog: Catalog, work: Work) -> str:
    """Digest of what makes days stale: their partitions as they lie there and, of a source, the deliveries that came."""
    stage, _, name = work.table.partition("/")
    made = [lake.facts(stage, name, day) for day in work.days]
    came: list[list[str]] = []
    if stage == "interim":
        ledger = Ledger.load(lake, name, source_version(catalog.source(name)))
        came = [[d.delivery for d in ledger.of_day(day)] for day in work.days]
    return digest([[f"{day}" for day in work.days], made, came])
