"""How outcomes are told to Dagster: checks first, then the days written with their metadata, the report, the failure."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg

from mlpipe_assets.errors import shorten, spell_count
from mlpipe_assets.outcome import CheckResult, Outcome
from mlpipe_assets.partitions import ONE_DAY, spell_days
from mlpipe_assets.stages.data_versions import NO_EVENTS_OF_THEIR_OWN, log_days, versions_of
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.reports import add_to_report
from mlpipe_assets.visible import visible

_log = logging.getLogger("mlpipe")
REMARKS = "remarks"  # metadata of the contract check: what a catch-up repeats as a warning
ONLY_BLOCKED = (
    "only_blocked"  # metadata of the contract check: no day was judged and refused, the plan says what is blocked
)
_MOST_CASES = 200
_SHOWN = 16  # characters of a digest: all of it would widen the page's table until every other value is cut
_MOST_REASONS = 50  # days whose own page says why they were not written; each is an event


def tell(
    context: dg.AssetExecutionContext,
    lake: Lake,
    key: dg.AssetKey,
    outcomes: Sequence[Outcome],
    *,
    metadata: Mapping[str, Any] | None = None,
    of_days: Mapping[date, Mapping[str, Any]] | None = None,
    extra_checks: Sequence[CheckResult] = (),
    balanced: bool = True,
) -> Iterator[dg.AssetCheckResult | dg.Output[None]]:
    """Say what happened: checks first, then the days written; a failure when days were refused.

    Args:
        context: Of the run.
        lake: Where the days were written.
        key: The table.
        outcomes: What became of each day.
        metadata: What people see of the whole run.
        of_days: What they see of some days besides.
        extra_checks: Results of checks on all of it.
        balanced: Whether rows received are accounted for.

    Raises: dg.Failure (never retried) naming the refused days, after everything else was reported.
    """
    table = key.to_user_string()
    refused = [o for o in outcomes if o.refused]
    missing = [o for o in outcomes if o.missing]
    errors = [f"[{o.day}] {o.refused}" + (f" ({shorten(list(o.breaches), 5)})" if o.breaches else "") for o in refused]
    extra_errors = [f"{c.check_name}: {c.description}" for c in extra_checks if c.stops]
    notes = [f"[{o.day}] {o.missing}" for o in missing]
    notes += [f"[{o.day}] {line}" for o in outcomes if not o.refused for line in o.breaches]
    notes += [f"[{o.day}] {line}" for o in outcomes for line in o.remarks]
    notes += [f"[{o.day}] accepted: {o.accepted_because}" for o in outcomes if o.accepted_because is not None]
    errors, notes = [*map(visible, errors)], [*map(visible, notes)]
    totals = _totals(outcomes)
    add_to_report(
        lake,
        context.run.run_id,
        table,
        counts={**totals, "days_written": sum(1 for o in outcomes if o.written), "partitions": _partitions(outcomes)},
        errors=[*errors, *extra_errors],
        notes=notes,
    )
    for line in errors:
        _log.error("%s %s", table, line)
    for o in missing:
        _log.warning("%s [%s] %s", table, o.day, o.missing)
    failed = bool(errors or extra_errors)
    whole = not failed and not missing
    written = {"run": {**totals, "days": spell_days(o.day for o in outcomes if o.written)}, **(metadata or {})}
    versions = versions_of(lake, outcomes)
    told = [o for o in outcomes if o.written or whole]
    # Before the checks: Dagster stores logged events with the next one yielded, and a failure is none.
    log_days(context, key, [(o.day, _of_day(o, versions, written if whole else {}, of_days)) for o in told], versions)
    for o in [o for o in outcomes if o.refused or o.missing][-_MOST_REASONS:]:
        # A day that was not written has no materialization of this run: its page shows why by this.
        context.log_event(dg.AssetObservation(asset_key=key, partition=f"{o.day}", metadata=_reason(o)))
    yield _contract_check(outcomes, errors, notes)
    if balanced:
        yield _accounting_check(outcomes)
    yield from map(as_dagster, extra_checks)
    if failed:
        raise dg.Failure(
            description=_failure_text(table, errors or extra_errors, refused),
            metadata={"errors": dg.MetadataValue.json([*errors, *extra_errors][:100]), **totals},
            allow_retries=False,
        )
    # The days were told one by one; what follows runs for them, and days without data stay unmaterialized.
    yield dg.Output(None, metadata={**written, NO_EVENTS_OF_THEIR_OWN: True})


def as_dagster(result: CheckResult) -> dg.AssetCheckResult:
    """The result as Dagster takes it."""
    return dg.AssetCheckResult(
        check_name=result.check_name,
        passed=result.passed,
        severity=dg.AssetCheckSeverity.WARN if result.warns else dg.AssetCheckSeverity.ERROR,
        description=result.description,
        metadata=result.metadata,
    )


def _contract_check(outcomes: Sequence[Outcome], errors: list[str], notes: list[str]) -> dg.AssetCheckResult:
    judged = [*errors, *notes]
    cases = [
        (f"{o.day}", visible(line)) for o in outcomes for line in (*([o.refused] if o.refused else []), *o.breaches)
    ]
    days = {day for day, _ in cases}
    many = f"{spell_count(len(cases), 'failure')} on {len(days):,} days, no day refused: "
    within = many if len(days) > 1 and not errors else ""
    return dg.AssetCheckResult(
        check_name="contract_holds",
        passed=not judged,
        severity=dg.AssetCheckSeverity.ERROR if errors else dg.AssetCheckSeverity.WARN,
        description=(within + shorten(judged, 5))
        if judged
        else f"All rows of {spell_days(o.day for o in outcomes)} hold.",
        metadata={
            "failure_cases": dg.MetadataValue.table(
                records=[dg.TableRecord({"date": day, "failure": line}) for day, line in cases[:_MOST_CASES]],
                schema=dg.TableSchema([dg.TableColumn("date"), dg.TableColumn("failure")]),
            ),
            "failure_count": len(cases),
            REMARKS: [visible(f"[{o.day}] {line}") for o in outcomes for line in o.remarks][:_MOST_CASES],
            ONLY_BLOCKED: bool(errors) and all(o.blocked for o in outcomes if o.refused),
            **_run_totals(outcomes),
        },
    )


def _accounting_check(outcomes: Sequence[Outcome]) -> dg.AssetCheckResult:
    off = [o for o in outcomes if o.counts and not _balanced(o.counts)]
    totals = _totals(outcomes)
    return dg.AssetCheckResult(
        check_name="rows_are_accounted_for",
        passed=not off,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"Unbalanced: {shorten([f'{o.day} {o.counts}' for o in off])}"
        if off
        else "received {received:,} = accepted {accepted:,} + duplicates {duplicates:,} + quarantined {quarantined:,}".format(
            **{"received": 0, "accepted": 0, "duplicates": 0, "quarantined": 0, **totals}
        ),
        metadata=_run_totals(outcomes),
    )


def _balanced(counts: Mapping[str, int]) -> bool:
    return (
        counts["received"] == counts["accepted"] + counts["duplicates"] + counts["quarantined"]
        and min(counts.values()) >= 0
    )


def _totals(outcomes: Sequence[Outcome]) -> dict[str, int]:
    names = dict.fromkeys(name for o in outcomes for name in o.counts)
    return {name: sum(o.counts.get(name, 0) for o in outcomes) for name in names}


def _partitions(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    return {
        f"{o.day}": {
            **o.counts,
            "status": _status(o),
            **({"digest": o.written.digest} if o.written else {}),
            **({"accepted_because": o.accepted_because} if o.accepted_because is not None else {}),
        }
        for o in outcomes
    }


def _status(outcome: Outcome) -> str:
    if outcome.refused:
        return "blocked" if outcome.blocked else "refused"
    return "missing" if outcome.missing else "carried" if outcome.carried else "written"


def _of_day(
    outcome: Outcome,
    versions: Mapping[date, str],
    run: Mapping[str, Any],
    of_days: Mapping[date, Mapping[str, Any]] | None,
) -> dict[str, Any]:
    """What people see of one day; a day that the run was not asked for shows itself alone."""
    digest = {"digest": versions[outcome.day][:_SHOWN]} if outcome.day in versions else {}
    if outcome.beyond_the_run:
        return {**_metadata(outcome), **digest}
    return {**run, **(of_days or {}).get(outcome.day, {}), **_metadata(outcome), **digest}


def _metadata(outcome: Outcome) -> dict[str, Any]:
    metadata: dict[str, Any] = {**outcome.counts, "as_of": f"{outcome.day + ONE_DAY}T00:00:00+00:00"}
    if "accepted" in outcome.counts or "rows" in outcome.counts:
        metadata["dagster/partition_row_count"] = outcome.counts.get("accepted", outcome.counts.get("rows", 0))
    if outcome.carried:
        metadata["carried"] = "no delivery that day: the snapshot before stays in force"
    if outcome.written:
        metadata["bytes"] = outcome.written.size
    if outcome.breaches:
        metadata["refused_because"] = list(outcome.breaches)[:10]
    if outcome.accepted_because is not None:
        metadata["accepted_because"] = outcome.accepted_because
    return metadata


def _reason(outcome: Outcome) -> dict[str, Any]:
    """Why a day was not written, with its counts."""
    why = {"not_written_because": outcome.refused or outcome.missing}
    return {**why, **({"rules_broken": list(outcome.breaches)[:10]} if outcome.breaches else {}), **outcome.counts}


def _run_totals(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Totals as numbers for a run of one day. Of more days as one value, which the UI does not plot beside those of days."""
    totals = _totals(outcomes)
    return totals if len(outcomes) == 1 or not totals else {"run": {**totals, "days": len(outcomes)}}


def _failure_text(table: str, errors: list[str], refused: Sequence[Outcome]) -> str:
    days = f" {spell_days(o.day for o in refused)}" if refused else ""
    return f"{table}: not written{days}. {shorten(errors, 5)}"[:2000]
