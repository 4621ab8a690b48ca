"""Sensors: read the state of the lake, call one decision, ask for runs. They turn themselves on."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition  # not exported

from mlpipe_assets.alerting.alerts import deliver_waiting, tell_alerts
from mlpipe_assets.automation.dead_runs import ASKED
from mlpipe_assets.automation.drift_windows import look_at_drift
from mlpipe_assets.automation.file_problems import problems_of_files
from mlpipe_assets.automation.freshness import freshness_of
from mlpipe_assets.automation.freshness_checks import FreshnessLook, keep_look, note_transitions
from mlpipe_assets.automation.memory import recall, remember
from mlpipe_assets.automation.problems import late_tables, skewed_features
from mlpipe_assets.automation.requests import (
    OwnChecks,
    Wish,
    choose,
    read_asked,
    run_requests,
    runs_under_way,
    write_asked,
)
from mlpipe_assets.automation.retraining import Retraining, tags_of
from mlpipe_assets.automation.retraining_memory import DOCUMENT, never_started, note_requests, run_key
from mlpipe_assets.automation.run_alerts import tell_of_runs
from mlpipe_assets.automation.stale import look_for_arrivals, look_for_stale_days, what_is_about_to_run
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import MlpipeError, shorten
from mlpipe_assets.flow import tables_of
from mlpipe_assets.partitions import spell_days
from mlpipe_assets.resources.run_owner import mark_of
from mlpipe_assets.rules import digest
from mlpipe_assets.settings import Settings
from mlpipe_assets.stages.raw.plan import look_at_intakes
from mlpipe_assets.store.hold import tell_hold
from mlpipe_assets.store.lake import Lake

_Jobs = Sequence[UnresolvedAssetJobDefinition]
_Tick = Callable[[dg.SensorEvaluationContext, Lake], dg.SensorResult | dg.SkipReason]


def sensors_of(catalog: Catalog, settings: Settings, jobs: _Jobs, checks: OwnChecks) -> list[dg.SensorDefinition]:
    """The sensors of a catalog; none where there is no source."""
    if not catalog.sources:
        return []
    return [
        drop_zone_sensor(catalog, settings, jobs, checks),
        stale_days_sensor(catalog, settings, jobs, checks),
        freshness_sensor(catalog, settings, jobs),
        *([retraining_sensor(catalog, settings, jobs, checks)] if _named(jobs, "retraining_job") else []),
        alert_sensor(catalog, settings),
    ]


def drop_zone_sensor(catalog: Catalog, settings: Settings, jobs: _Jobs, checks: OwnChecks) -> dg.SensorDefinition:
    """New files make an ingest run, one per source however many they are; a file still being written waits."""

    def tick(context: dg.SensorEvaluationContext, lake: Lake) -> dg.SensorResult | dg.SkipReason:
        now = datetime.now(tz=UTC)
        tell_alerts(lake, settings, "files", problems_of_files(look_at_intakes(lake, catalog)), now)
        found = look_for_arrivals(lake, catalog, now, settings.settle_seconds)
        waiting = (
            f"{len(found.waiting)} still being written: {shorten(list(found.waiting), 3)}" if found.waiting else ""
        )
        return _ask("drop_zone_sensor", context, lake, checks, [found.wishes], now, f"{found.files} new files", waiting)

    return _sensor("drop_zone_sensor", _named(jobs, "ingest_job"), settings, tick)


def stale_days_sensor(catalog: Catalog, settings: Settings, jobs: _Jobs, checks: OwnChecks) -> dg.SensorDefinition:
    """Days whose inputs or code changed are built again, stage by stage, in one run per stretch of days."""

    def tick(context: dg.SensorEvaluationContext, lake: Lake) -> dg.SensorResult | dg.SkipReason:
        stale = look_for_stale_days(lake, catalog)
        told = "; ".join(f"{wish.table} is behind: {spell_days(wish.days)}" for stage in stale.stages for wish in stage)
        cannot = f"cannot be built: {shorten(list(stale.blocked), 3)}" if stale.blocked else ""
        held = tell_hold(lake.objects)
        told = told or (held[0] if held else "nothing to build" if cannot else "every table is up to date")
        return _ask("stale_days_sensor", context, lake, checks, stale.stages, datetime.now(tz=UTC), told, cannot)

    return _sensor("stale_days_sensor", _named(jobs, "daily_job", "prediction_job", "training_job"), settings, tick)


def freshness_sensor(catalog: Catalog, settings: Settings, jobs: _Jobs) -> dg.SensorDefinition:
    """Tables that became late or fresh are told, and the checks are run again; once a day they are run anyway."""

    def tick(context: dg.SensorEvaluationContext, lake: Lake) -> dg.SensorResult | dg.SkipReason:
        now = datetime.now(tz=UTC)
        found = freshness_of(lake, catalog, now)
        late = [table.table for table in found if table.state != "fresh"]
        told = f"{len(late)} of {len(found)} tables late: {shorten(late, 5)}" if late else f"{len(found)} tables fresh"
        state = digest([f"{now.date()}", [[table.table, table.state, table.cause] for table in found]])
        look = FreshnessLook.read(recall(lake, "freshness"))
        if state == look.state and look.held_since is None:
            return dg.SkipReason(told)
        busy = runs_under_way(lake, context.instance, now) or what_is_about_to_run(
            lake, catalog, now, settings.settle_seconds
        )
        look, tell = look.next(state, now, busy=bool(busy))
        if not tell:
            keep_look(lake, look)
            return dg.SkipReason(f"{told}; judged again after {shorten(busy, 3)}" if busy else told)
        note_transitions(lake, found, now)
        tell_alerts(lake, settings, "freshness", late_tables(lake, catalog, found), now)
        keep_look(lake, look)
        key = f"{mark_of(lake.root)} freshness {look.number}"
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=key, job_name="freshness_job")])

    return _sensor("freshness_sensor", _named(jobs, "freshness_job"), settings, tick)


def retraining_sensor(catalog: Catalog, settings: Settings, jobs: _Jobs, checks: OwnChecks) -> dg.SensorDefinition:
    """Drift, or realised performance, that lasts asks for one retraining per model and reference, and is told."""

    def tick(context: dg.SensorEvaluationContext, lake: Lake) -> dg.SensorResult | dg.SkipReason:
        now = datetime.now(tz=UTC)
        if held := tell_hold(lake.objects):
            return dg.SkipReason(held[0])
        if busy := runs_under_way(lake, context.instance, now):
            return dg.SkipReason(f"waiting for {shorten(busy, 3)}")
        with remember(lake, DOCUMENT) as memory:
            lost = never_started(memory, lake, context.instance, now)
            looks = look_at_drift(lake, catalog)
            wanted = [look.retraining for look in looks if look.retraining]
            note_requests(memory, lake, context.instance, wanted, now)
        if all(look.settled for look in looks):
            tell_alerts(lake, settings, "drift", [look.problem for look in looks if look.problem], now)
            tell_alerts(lake, settings, "skew", skewed_features(lake, catalog), now)
        requests = [_retraining_request(lake, catalog, checks, one) for one in (*lost, *wanted)]
        told = "; ".join(line for look in looks for line in look.told)
        return dg.SensorResult(
            run_requests=requests, skip_reason=None if requests else dg.SkipReason(told or "no models")
        )

    return _sensor("retraining_sensor", _named(jobs, "retraining_job"), settings, tick)


def alert_sensor(catalog: Catalog, settings: Settings) -> dg.SensorDefinition:
    """Failed runs and failed checks are told once, and again when they are healed; what a channel refused is sent again."""

    def tick(context: dg.SensorEvaluationContext, lake: Lake) -> dg.SensorResult | dg.SkipReason:
        now = datetime.now(tz=UTC)
        told = tell_of_runs(lake, catalog, settings, context.instance, now)
        left = deliver_waiting(lake, settings, now)
        return dg.SkipReason(f"{len(told)} messages told, {left} wait for a channel")

    return _sensor("alert_sensor", [], settings, tick)


def _ask(
    sensor: str,
    context: dg.SensorEvaluationContext,
    lake: Lake,
    checks: OwnChecks,
    stages: Sequence[Sequence[Wish]],
    now: datetime,
    told: str,
    more: str = "",
) -> dg.SensorResult | dg.SkipReason:
    """Ask for what is wished, unless runs are under way: they may be about to do it."""
    busy = runs_under_way(lake, context.instance, now)
    if busy and any(stages):
        return dg.SkipReason(f"{told}; waiting for {shorten(busy, 3)}")
    with remember(lake, ASKED) as memory:
        chosen, asked, waiting = choose(stages, read_asked(memory.get(sensor, {})), now)
        memory[sensor] = write_asked(asked)
    text = "; ".join(part for part in (told, *waiting, more) if part)
    skip = None if chosen else dg.SkipReason(text)
    return dg.SensorResult(run_requests=run_requests(chosen, checks, mark_of(lake.root)), skip_reason=skip)


def _retraining_request(lake: Lake, catalog: Catalog, checks: OwnChecks, wanted: Retraining) -> dg.RunRequest:
    keys = _keys_of(catalog, wanted.model)
    return dg.RunRequest(
        run_key=run_key(lake, wanted),
        partition_key=f"{wanted.day}",
        asset_selection=keys,
        asset_check_keys=[check for key in keys for check in checks.get(key, [])],
        tags=tags_of(wanted),
    )


def _keys_of(catalog: Catalog, model: str) -> list[dg.AssetKey]:
    """What a retraining makes: the training set, and what follows from it."""
    return [
        dg.AssetKey(key.split("/"))
        for table in tables_of(catalog)
        if table.key == f"processed/{model}"
        for key in (table.key, *table.also)
    ]


def _named(jobs: _Jobs, *names: str) -> list[UnresolvedAssetJobDefinition]:
    return [job for job in jobs if job.name in names]


def _sensor(name: str, jobs: _Jobs, settings: Settings, tick: _Tick) -> dg.SensorDefinition:
    @dg.sensor(
        name=name,
        jobs=jobs,
        minimum_interval_seconds=settings.sensor_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def evaluate(context: dg.SensorEvaluationContext, lake: dg.ResourceParam[Lake]) -> dg.SensorResult | dg.SkipReason:
        try:
            return tick(context, lake)
        except (MlpipeError, OSError) as error:
            return dg.SkipReason(f"cannot tell this time: {error}")

    return evaluate
