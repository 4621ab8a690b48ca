"""Schedules, for days on which no file wakes a sensor. A day is asked for once it is over, and only if it can be built.

All times are UTC. Files of a day are expected in the hours after midnight: the day is built at 03:00, predicted on at 04:00,
and each Monday at 05:00 a model is trained as of the newest day there is.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition  # not exported

from mlpipe_assets.automation.scheduled import note_scheduled
from mlpipe_assets.catalog.declarations import Catalog, Source, is_snapshot
from mlpipe_assets.errors import MlpipeError
from mlpipe_assets.flow import tables_of
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.partitions import ONE_DAY, START_DATE
from mlpipe_assets.resources.run_owner import mark_of
from mlpipe_assets.store import keys
from mlpipe_assets.store.acceptances import acceptances
from mlpipe_assets.store.hold import tell_hold
from mlpipe_assets.store.lake import Lake

_Choice = date | str  # the day to run for, or why there is none
CRON = {"daily_job": "0 3 * * *", "prediction_job": "0 4 * * *", "training_job": "0 5 * * 1"}


def schedules_of(catalog: Catalog, jobs: Sequence[UnresolvedAssetJobDefinition]) -> list[dg.ScheduleDefinition]:
    """The schedules of the jobs that the catalog has."""
    choices = {"daily_job": day_to_build, "prediction_job": day_to_predict, "training_job": day_to_train}
    return [_schedule(job, catalog, choices[job.name]) for job in jobs if job.name in CRON]


def day_to_build(lake: Lake, catalog: Catalog, yesterday: date) -> _Choice:
    """Yesterday, if all that must come has come and something of it is not built yet."""
    if absent := [s.name for s in catalog.sources if _must_come(s) and not _came(lake, s, yesterday)]:
        return f"nothing came for {yesterday} of {', '.join(absent)}; freshness tells when it is late"
    tables = [table for table in tables_of(catalog) if table.each_day and "daily_job" in table.jobs]
    missing = [table.key for table in tables if not lake.has(*table.place, yesterday, table.files[0])]
    return yesterday if missing else f"{yesterday} is built"


def day_to_predict(lake: Lake, catalog: Catalog, yesterday: date) -> _Choice:
    """Yesterday, if its features are there and the predictions are not."""
    models = [model for model in catalog.models if model.learner]
    ready = [m for m in models if lake.has("features", m.view.name, yesterday)]
    if not ready:
        return f"no features of {yesterday} yet"
    missing = [m.name for m in ready if not lake.has("predictions", m.name, yesterday)]
    return yesterday if missing else f"{yesterday} is predicted"


def day_to_train(lake: Lake, catalog: Catalog, yesterday: date) -> _Choice:
    """The newest feature day that is over, if there is no training set as of it."""
    days = [[d for d in lake.days("features", model.view.name) if d <= yesterday] for model in catalog.models]
    if not all(days):
        return "no features yet"
    newest = min(some[-1] for some in days)
    trained = [lake.has("processed", m.name, newest, keys.TRAIN) for m in catalog.models]
    return f"there is a training set as of {newest}, the newest feature day" if all(trained) else newest


def _schedule(
    job: UnresolvedAssetJobDefinition, catalog: Catalog, choose: Callable[[Lake, Catalog, date], _Choice]
) -> dg.ScheduleDefinition:
    @dg.schedule(
        job=job,
        name=job.name.replace("_job", "_schedule"),
        cron_schedule=CRON[job.name],
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=(choose.__doc__ or "").split("\n")[0],
    )
    def evaluate(context: dg.ScheduleEvaluationContext, lake: dg.ResourceParam[Lake]) -> dg.RunRequest | dg.SkipReason:
        yesterday = datetime.astimezone(context.scheduled_execution_time, UTC).date() - ONE_DAY
        if yesterday < START_DATE:
            return dg.SkipReason(f"partitions begin on {START_DATE}")
        try:
            if held := tell_hold(lake.objects):
                return dg.SkipReason(held[0])
            chosen = choose(lake, catalog, yesterday)
            if isinstance(chosen, str):
                return dg.SkipReason(chosen)
            number = note_scheduled(lake, job.name, yesterday, chosen, datetime.now(tz=UTC))
        except (MlpipeError, OSError) as error:
            return dg.SkipReason(f"cannot tell this time: {error}")
        return dg.RunRequest(run_key=f"{mark_of(lake.root)} {job.name} {chosen} {number}", partition_key=f"{chosen}")

    return evaluate


def _must_come(source: Source) -> bool:
    return not source.empty_days and not is_snapshot(source)


def _came(lake: Lake, source: Source, day: date) -> bool:
    return day in Ledger.load(lake, source.name).events_by_day() or day in acceptances(lake, source.name)
