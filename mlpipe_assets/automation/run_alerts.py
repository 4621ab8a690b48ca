"""Failed runs and failed checks as problems: read off Dagster's own records, so that no run escapes, whoever started it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

from mlpipe_assets.alerting.alert_book import AlertBook, open_book
from mlpipe_assets.alerting.alerts import deliver_waiting, note_problems
from mlpipe_assets.alerting.messages import Message
from mlpipe_assets.automation.dead_runs import end_dead_runs
from mlpipe_assets.automation.freshness_checks import CHECK
from mlpipe_assets.automation.run_problems import RunResult, Standing, cause_of, fold, problems_of
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import LakeError
from mlpipe_assets.flow import tables_of
from mlpipe_assets.partitions import days_between
from mlpipe_assets.resources.run_owner import is_own, place_of
from mlpipe_assets.settings import Settings
from mlpipe_assets.stages.models.checks import TOLD
from mlpipe_assets.stages.raw.report import FILES_CHECK
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.reports import read_report

_FIRST_LOOK = timedelta(days=1)
_AT_ONCE = 200
_MOST_CAUSES = 20
_KEPT = 20  # ids of the newest runs seen: the newest that is still there is where a look goes on
_OWN_SCOPE = (CHECK, FILES_CHECK)  # freshness, and files: judged by what there is now, not by what a run once saw
_OF_ALL_DAYS = "rows_are_accounted_for"  # speaks of the days written too
_OVER = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
_KINDS = {
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.STEP_SUCCESS,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.RUN_FAILURE,
}


def tell_of_runs(
    lake: Lake, catalog: Catalog, settings: Settings, instance: dg.DagsterInstance, now: datetime
) -> list[Message]:
    """Tell of runs and checks that failed or healed since the last look. Both sensors and the command line call this.

    Raises: LakeError or BusyError when the alert book cannot be kept.
    """
    told: list[Message] = []
    end_dead_runs(lake, instance, now)
    with open_book(lake) as book:
        marks = book.seen.setdefault("runs", {})
        standing = standing_of(book)
        places = marks.setdefault("places", {})
        place = places.get(place_of(instance), {})
        runs, after = _finished(lake, instance, place, now)
        if not runs and after == place:
            return told
        places[place_of(instance)] = after
        before, mended = set(standing), dict[tuple[str, str], Standing]()
        for record in runs:
            mended |= fold(standing, results_of(lake, catalog, instance, record))
        marks["standing"] = [_record(*key, found) for key, found in sorted(standing.items())]
        around = {key: found for key, found in mended.items() if key not in before | set(standing)}
        for scope in ("runs", "checks"):
            problems, brief = problems_of(catalog, scope, standing), problems_of(catalog, scope, around)
            if brief:  # broke and healed since the last look: told like what broke and healed around one
                told += note_problems(book, settings, scope, [*problems, *brief], now)
            told += note_problems(book, settings, scope, problems, now)
        book.save()
    deliver_waiting(lake, settings, now)
    return told


def standing_of(book: AlertBook) -> dict[tuple[str, str], Standing]:
    """What failed and no later run has made good, by scope and subject, as the book has it."""
    records = book.seen.get("runs", {}).get("standing", [])
    endings = tuple(f": {name}" for name in _OWN_SCOPE)
    return {(r["scope"], r["subject"]): _read(r) for r in records if not r["subject"].endswith(endings)}


def results_of(lake: Lake, catalog: Catalog, instance: dg.DagsterInstance, record: dg.RunRecord) -> list[RunResult]:
    """What a finished run says of its tables and checks. A step that failed because of a check is told as that check."""
    run = record.dagster_run
    at = _utc(record.update_timestamp)
    days = days_of(run.tags)
    by_day = {table.key for table in tables_of(catalog) if not table.healed_at_once}
    found: list[RunResult] = []
    steps: list[RunResult] = []
    blamed: set[str] = set()
    failed = False

    def result(scope: str, subject: str, *, passed: bool, text: str = "") -> RunResult:
        spoken = days if subject.partition(": ")[0] in by_day else ()
        return RunResult(scope=scope, subject=subject, days=spoken, passed=passed, text=text, run_id=run.run_id, at=at)

    events = instance.get_records_for_run(run.run_id, of_type=_KINDS).records
    for event in (e.event_log_entry.dagster_event for e in events):
        if event is None:
            continue
        kind = event.event_type
        table = (event.step_key or "").replace("__", "/", 1)
        if kind is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            of_check = _of_check(lake, run.run_id, check, result)
            found += of_check if check.check_name not in _OWN_SCOPE else []
            if _failed(check):
                blamed.add(check.asset_key.to_user_string())  # of unreadable files too, which are reported one by one
        elif kind is dg.DagsterEventType.STEP_SUCCESS:
            steps.append(result("runs", table, passed=True))
        elif kind is dg.DagsterEventType.STEP_FAILURE:
            failed = True
            steps.append(result("runs", table, passed=False, text=_reason(event)))
        elif not failed:  # the run failed outside any step
            steps.append(result("runs", run.job_name, passed=False, text=event.message or ""))
    if run.status is dg.DagsterRunStatus.SUCCESS:
        steps.append(result("runs", run.job_name, passed=True))
    return [*found, *(_made_good(v) if v.subject in blamed else v for v in steps)]


def _of_check(
    lake: Lake, run_id: str, check: dg.AssetCheckEvaluation, result: Callable[..., RunResult]
) -> list[RunResult]:
    """What one result of a check says: of a failed one, of the days that were refused and of those that were not."""
    table, hard = check.asset_key.to_user_string(), _failed(check)
    spoken = result("checks", f"{table}: {check.check_name}", passed=not hard, text=check.description or "")
    if not hard:
        return [spoken]
    refused = _days_left(lake, run_id, table, "refused")
    if blocked := _days_left(lake, run_id, table, "blocked"):  # reported once, with the file that is damaged
        spoken = replace(spoken, days=tuple(day for day in spoken.days if day not in blocked))
        if not refused:
            return [_made_good(spoken)] if spoken.days else []
    return _day_by_day(replace(spoken, causes=_causes(check, refused)), refused)


def _failed(check: dg.AssetCheckEvaluation) -> bool:
    """Whether a check failed in a way that people are told of."""
    return not check.passed and (check.severity is dg.AssetCheckSeverity.ERROR or TOLD in check.metadata)


def _causes(check: dg.AssetCheckEvaluation, refused: set[date]) -> tuple[str, ...]:
    """The kinds of breaches that a failed check lists for the days it refused; none of a check that lists no cases."""
    cases = check.metadata.get("failure_cases")
    if not isinstance(cases, dg.TableMetadataValue):
        return ()
    days = {f"{day}" for day in refused}
    lines = [record.data for record in cases.records if not days or record.data.get("date") in days]
    return tuple(sorted({cause_of(f"{line.get('failure', '')}") for line in lines}))[:_MOST_CAUSES]


def days_of(tags: Mapping[str, str]) -> tuple[date, ...]:
    """The days a run was asked for; none where it has no partitions, or keys that are no days."""
    one = tags.get("dagster/partition")
    first = tags.get("dagster/asset_partition_range_start", one)
    last = tags.get("dagster/asset_partition_range_end", one)
    try:
        return tuple(days_between(date.fromisoformat(first), date.fromisoformat(last))) if first and last else ()
    except ValueError:
        return ()


def _finished(
    lake: Lake, instance: dg.DagsterInstance, place: Mapping[str, Any], now: datetime
) -> tuple[list[dg.RunRecord], dict[str, Any]]:
    """Runs on this data folder that ended and were not looked at, oldest first, and where the next look goes on.

    Runs are taken in the order they were made, and those that had not ended are looked at again: a clock that jumps hides
    none.
    """
    seen = [run_id for run_id in place.get("ids", []) if instance.has_run(run_id)][-1:]
    if seen:
        new = [*instance.get_run_records(limit=_AT_ONCE, cursor=seen[0], ascending=True)]
        waiting = place.get("open", [])
        if waiting:
            new += instance.get_run_records(dg.RunsFilter(run_ids=waiting))
    else:
        new = [*instance.get_run_records(dg.RunsFilter(updated_after=now - _FIRST_LOOK), limit=_AT_ONCE)]
    new.sort(key=lambda record: record.storage_id)
    ended = [r for r in new if r.dagster_run.status in _OVER and is_own(r.dagster_run, lake.root)]
    ids = [
        *place.get("ids", []),
        *(r.dagster_run.run_id for r in new if r.dagster_run.run_id not in place.get("open", [])),
    ]
    return ended, {"ids": ids[-_KEPT:], "open": [r.dagster_run.run_id for r in new if not r.dagster_run.is_finished]}


def _made_good(result: RunResult) -> RunResult:
    return replace(result, passed=True)


def _day_by_day(result: RunResult, refused: set[date]) -> list[RunResult]:
    """A failed check as the days that were refused, and those that were not; as it is where no day was."""
    bad = tuple(day for day in result.days if day in refused)
    if not bad or result.subject.endswith(f": {_OF_ALL_DAYS}"):
        return [result]
    fine = tuple(day for day in result.days if day not in refused)
    return [*([replace(result, days=fine, passed=True)] if fine else []), replace(result, days=bad)]


def _days_left(lake: Lake, run_id: str, table: str, why: str) -> set[date]:
    """The days of a table that a run did not write because they were `refused` or `blocked`, as its report has them."""
    try:
        report = read_report(lake, run_id) or {}
    except LakeError:  # the days the run was asked for have to do
        return set()
    days = report.get("tables", {}).get(table, {}).get("partitions", {})
    return {date.fromisoformat(day) for day, facts in days.items() if facts.get("status") == why}


def _reason(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    if data.user_failure_data is not None and data.user_failure_data.description:
        return data.user_failure_data.description
    error = data.error.cause or data.error if data.error else None
    return (error.message or "").strip() if error else ""


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _record(scope: str, subject: str, found: Standing) -> dict[str, Any]:
    days = sorted(f"{day}" for day in found.days)
    return {"scope": scope, "subject": subject, "days": days, "text": found.text[:500], "run_id": found.run_id} | {
        "since": found.since.isoformat(),
        "causes": [*found.causes],
    }


def _read(record: dict[str, Any]) -> Standing:
    days = {date.fromisoformat(day) for day in record["days"]}
    since = datetime.fromisoformat(record["since"])
    causes = tuple(record.get("causes", ()))
    return Standing(days=days, text=record["text"], run_id=record["run_id"], since=since, causes=causes)
