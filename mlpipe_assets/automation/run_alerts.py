"""Failed runs and failed checks as problems: read off Dagster's own records, so that no run escapes, whoever started it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

from mlpipe_assets.automation.alerts import deliver_waiting, note_problems
from mlpipe_assets.automation.freshness_checks import CHECK
from mlpipe_assets.automation.messages import Message, Problem
from mlpipe_assets.partitions import days_between, spell_days
from mlpipe_assets.resources.alert_book import open_book
from mlpipe_assets.resources.lake import Lake
from mlpipe_assets.settings import Settings
from mlpipe_assets.stages.model_checks import TOLD

_FIRST_LOOK = timedelta(days=1)
_OVERLAP = timedelta(minutes=1)  # a run may be stored a moment after the time it says it ended
_AT_ONCE = 200
_BY_DAY = ("interim", "features", "predictions", "monitoring")
_OVER = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
_KINDS = {
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.STEP_SUCCESS,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.RUN_FAILURE,
}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What one run says of one subject: a table, a check of a table, or the run as a whole.

    Attributes:
        scope: `runs` or `checks`.
        subject: `interim/orders`, `interim/orders: contract_holds`, or a job's name.
        days: Days it speaks of; none where one success makes up for any failure before.
    """

    scope: str
    subject: str
    days: tuple[date, ...]
    passed: bool
    text: str
    run_id: str
    at: datetime


@dataclass(kw_only=True)
class Standing:
    """A subject that failed, with the days that no later run has made good."""

    days: set[date] = field(default_factory=set)
    text: str
    run_id: str
    since: datetime


def fold(standing: dict[tuple[str, str], Standing], verdicts: Iterable[Verdict]) -> None:
    """Take in verdicts, oldest first: a failure stands until every day of it has passed."""
    for verdict in verdicts:
        key = verdict.scope, verdict.subject
        known = standing.get(key)
        if not verdict.passed:
            since = known.since if known else verdict.at
            days = set(verdict.days) | (known.days if known else set())
            standing[key] = Standing(days=days, text=verdict.text, run_id=verdict.run_id, since=since)
        elif known:
            known.days -= set(verdict.days)
            if not known.days or not verdict.days:
                del standing[key]


def problem_of(scope: str, subject: str, standing: Standing) -> Problem:
    """A standing failure in words."""
    table, _, check = subject.partition(": ")
    count = "1 day" if len(standing.days) == 1 else f"{len(standing.days):,} days"
    days = f"{count}: {spell_days(standing.days)}"[:200] if standing.days else "1 run"
    advice = "correct and deliver the file again, or take the day as it is with `mlpipe accept`"
    return Problem(
        key=subject,
        what=f"check {check} failed" if scope == "checks" else "run failed",
        where=table,
        how_many=days,
        example=standing.text[:500] or "no text",
        since=standing.since,
        to_do=f"read validation/reports/{standing.run_id}.json; {advice}"
        if scope == "checks"
        else f"read run {standing.run_id[:8]} in the UI, mend the cause, then `mlpipe run`",
    )


def tell_of_runs(lake: Lake, settings: Settings, instance: dg.DagsterInstance, now: datetime) -> list[Message]:
    """Tell of runs and checks that failed or healed since the last look. Both sensors and the command line call this.

    Raises: LakeError or BusyError when the alert book cannot be kept.
    """
    told: list[Message] = []
    with open_book(lake) as book:
        marks = book.seen.setdefault("runs", {})
        standing = {(r["scope"], r["subject"]): _read(r) for r in marks.get("standing", [])}
        place = marks.setdefault("places", {}).get(_place(instance), {})
        until = datetime.fromisoformat(place["until"]) if place else now - _FIRST_LOOK
        runs = _finished(instance, until - _OVERLAP, set(place.get("ids", [])))
        if not runs and place:
            return told
        for record in runs:
            fold(standing, verdicts_of(instance, record))
        recent = [r for r in runs if r.update_timestamp > until - _OVERLAP]
        ids = [*place.get("ids", []), *(r.dagster_run.run_id for r in recent)][-_AT_ONCE:]
        until = max([until, *(_utc(r.update_timestamp) for r in runs)])
        marks["places"][_place(instance)] = {"until": until.isoformat(), "ids": ids}
        marks["standing"] = [_record(*key, found) for key, found in sorted(standing.items())]
        for scope in ("runs", "checks"):
            problems = [problem_of(*key, found) for key, found in standing.items() if key[0] == scope]
            told += note_problems(book, settings, scope, problems, now)
        book.save()
    deliver_waiting(lake, settings, now)
    return told


def verdicts_of(instance: dg.DagsterInstance, record: dg.RunRecord) -> list[Verdict]:
    """What a finished run says of its tables and checks. A step that failed because of a check is told as that check."""
    run = record.dagster_run
    at = _utc(record.update_timestamp)
    days = days_of(run.tags)
    found: list[Verdict] = []
    steps: list[Verdict] = []
    failed = False

    def verdict(scope: str, subject: str, *, passed: bool, text: str = "") -> Verdict:
        spoken = days if subject.startswith(_BY_DAY) else ()
        return Verdict(scope=scope, subject=subject, days=spoken, passed=passed, text=text, run_id=run.run_id, at=at)

    events = instance.get_records_for_run(run.run_id, of_type=_KINDS).records
    for event in (e.event_log_entry.dagster_event for e in events):
        if event is None:
            continue
        kind = event.event_type
        table = (event.step_key or "").replace("__", "/", 1)
        if kind is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if check.check_name != CHECK:  # has a scope of its own
                told = check.severity is dg.AssetCheckSeverity.ERROR or TOLD in check.metadata
                hard = not check.passed and told
                subject = f"{check.asset_key.to_user_string()}: {check.check_name}"
                found.append(verdict("checks", subject, passed=not hard, text=check.description or ""))
        elif kind is dg.DagsterEventType.STEP_SUCCESS:
            steps.append(verdict("runs", table, passed=True))
        elif kind is dg.DagsterEventType.STEP_FAILURE:
            failed = True
            steps.append(verdict("runs", table, passed=False, text=_reason(event)))
        elif not failed:  # the run failed outside any step
            steps.append(verdict("runs", run.job_name, passed=False, text=event.message or ""))
    if run.status is dg.DagsterRunStatus.SUCCESS:
        steps.append(verdict("runs", run.job_name, passed=True))
    blamed = {v.subject.partition(": ")[0] for v in found if not v.passed}
    return [*found, *(_made_good(v) if v.subject in blamed else v for v in steps)]


def days_of(tags: Mapping[str, str]) -> tuple[date, ...]:
    """The days a run was asked for; none where it has no partitions, or keys that are no days."""
    one = tags.get("dagster/partition")
    first = tags.get("dagster/asset_partition_range_start", one)
    last = tags.get("dagster/asset_partition_range_end", one)
    try:
        return tuple(days_between(date.fromisoformat(first), date.fromisoformat(last))) if first and last else ()
    except ValueError:
        return ()


def _finished(instance: dg.DagsterInstance, after: datetime, known: set[str]) -> Sequence[dg.RunRecord]:
    """Runs that ended since and were not looked at, oldest first."""
    records = instance.get_run_records(
        dg.RunsFilter(statuses=_OVER, updated_after=after), limit=_AT_ONCE, order_by="update_timestamp", ascending=True
    )
    return [record for record in records if record.dagster_run.run_id not in known]


def _place(instance: dg.DagsterInstance) -> str:
    """Which record of runs this is: each has its own mark of how far it was read."""
    from dagster._core.storage.runs import SqlRunStorage  # noqa: PLC0415 (not exported; brings the daemon with it)

    storage = instance.run_storage
    return storage.get_run_storage_id() if isinstance(storage, SqlRunStorage) else type(storage).__name__


def _made_good(verdict: Verdict) -> Verdict:
    return Verdict(**{**vars(verdict), "passed": True})


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
        "since": found.since.isoformat()
    }


def _read(record: dict[str, Any]) -> Standing:
    days = {date.fromisoformat(day) for day in record["days"]}
    since = datetime.fromisoformat(record["since"])
    return Standing(days=days, text=record["text"], run_id=record["run_id"], since=since)
