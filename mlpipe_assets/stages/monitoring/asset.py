"""monitoring: what changed in each monitored table, day by day, and one page that tells it."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, Monitor
from mlpipe_assets.contracts.drift_measurements import DriftMeasurements
from mlpipe_assets.engines.engine import Engine
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.executors.executor import Executor
from mlpipe_assets.monitoring import findings
from mlpipe_assets.monitoring.building import REPORT, build_monitoring
from mlpipe_assets.monitoring.deciding import SCHEMA, write_summary
from mlpipe_assets.monitoring.evidence import pictures_as_markdown, verdicts_as_markdown
from mlpipe_assets.monitoring.findings import Finding
from mlpipe_assets.monitoring.monitored_table import MonitoredTable
from mlpipe_assets.monitoring.read_back import inputs_of_report, read_history
from mlpipe_assets.monitoring.report import render_report
from mlpipe_assets.monitoring.table_history import TableHistory
from mlpipe_assets.outcome import CheckResult
from mlpipe_assets.rules import first_sentence
from mlpipe_assets.stages.daily import at_work, check, daily
from mlpipe_assets.stages.monitoring.plan import record_of_report
from mlpipe_assets.stages.telling import tell
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake

_CHECKS: dict[str, tuple[Callable[[TableHistory], Finding], str]] = {
    "no_column_drifted": (findings.no_column_drifted, "No column drifted from the baseline or the period before."),
    "baseline_is_complete": (
        findings.baseline_is_complete,
        "There is a frozen baseline to hold the newest day against.",
    ),
}
_OF_PREDICTIONS: dict[str, tuple[Callable[[TableHistory], Finding], str]] = {
    "training_matches_serving": (
        findings.training_matches_serving,
        "Predictions are made on rows like those the champion learnt from.",
    ),
    "performance_holds": (findings.performance_holds, "Predictions come true as the champion's test promised."),
}


def monitor_asset(catalog: Catalog, monitor: Monitor) -> dg.AssetsDefinition:
    """The asset that watches one table. What it finds is no fault of the run: its checks warn, and block nothing.

    Raises: SettingsError when two monitors would share a name.
    """
    key = dg.AssetKey(["monitoring", _name(catalog, monitor)])
    judged = _checks_of(monitor)
    checks = [check(key, "contract_holds", f"Every row of {DriftMeasurements.__name__} holds.", blocking=True)]
    checks += [check(key, name, text) for name, (_, text) in judged.items()]

    @dg.asset(
        **daily(
            key,
            description=f"What changed in {monitor.table}. {first_sentence(DriftMeasurements)}",
            owners=monitor.owners,
            kinds={"polars", "parquet"},
            code_version=_code_version(catalog, monitor),
            contract=DriftMeasurements,
            checks=checks,
            deps=[dg.AssetDep(dg.AssetKey(monitor.table.split("/")))],
        )
    )
    def build(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        engine: dg.ResourceParam[Engine],
        executor: dg.ResourceParam[Executor],
    ) -> Iterator[dg.AssetCheckResult | dg.Output[None]]:
        with at_work(context, lake, key) as days:
            outcomes = build_monitoring(lake, engine, catalog, monitor, days, executor)
            history = read_history(lake, catalog, monitor)
        newest = history.days[-1].day if history.days else None
        of_days: dict[date, dict[str, dg.MetadataValue[Any]]] = {}
        if newest in days:
            shown = {name: dg.MetadataValue.md(text) for name, text in pictures_as_markdown(history).items()}
            of_days[newest] = {"verdicts": dg.MetadataValue.md(verdicts_as_markdown(history)), **shown}
        results = [_result(name, judge(history), history) for name, (judge, _) in judged.items()]
        told = {"executor": executor.name}
        yield from tell(
            context, lake, key, outcomes, metadata=told, of_days=of_days, extra_checks=results, balanced=False
        )

    return build


def report_asset(catalog: Catalog) -> dg.AssetsDefinition:
    """The asset of the page and the summary of all monitored tables: one of each, always of the newest days."""
    key = dg.AssetKey(["monitoring", REPORT])

    @dg.asset(
        key=key,
        backfill_policy=dg.BackfillPolicy.single_run(),  # one page, but the command line asks it of all that a range selects
        group_name="monitoring",
        description="monitoring/report.html, which opens in any browser, and monitoring/drift_summary.csv.",
        owners=sorted({owner for monitor in catalog.monitors for owner in monitor.owners}),
        kinds={"html", "csv"},
        deps=[dg.AssetKey(["monitoring", _name(catalog, monitor)]) for monitor in catalog.monitors],
    )
    def build(lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult[None]:
        with lake.writing("monitoring", REPORT):
            tables = write_report(lake, catalog)
        return dg.MaterializeResult(
            metadata={
                "report": dg.MetadataValue.path(keys.REPORT_PAGE),
                "newest_day": max((f"{t.days[-1].day}" for t in tables if t.days), default="none"),
                "drifting": [t.table for t in tables if t.days and t.days[-1].drifting],
                "bytes": (lake.root / keys.REPORT_PAGE).stat().st_size,
            }
        )

    return build


def write_report(lake: Lake, catalog: Catalog) -> list[TableHistory]:
    """Write the page and the summary of what is stored now."""
    inputs = inputs_of_report(lake, catalog)  # first: what is measured meanwhile leaves the report behind
    tables = [read_history(lake, catalog, monitor) for monitor in catalog.monitors]
    rows = pl.concat([pl.DataFrame(schema=SCHEMA), *(history.rows for history in tables)])
    page = render_report(tables, written=datetime.now(tz=UTC))
    lake.publish({keys.DRIFT_SUMMARY: write_summary(rows), keys.REPORT_PAGE: page})
    record_of_report(lake).write({"inputs": inputs})
    return tables


def _name(catalog: Catalog, monitor: Monitor) -> str:
    names = [m.name for m in catalog.monitors]
    name = monitor.name
    if names.count(name) > 1 or name == REPORT:
        tables = ", ".join(m.table for m in catalog.monitors if m.table.endswith(f"/{name}"))
        raise SettingsError(
            f"monitoring/{name} would stand for {tables} and monitoring/{REPORT} at once. Watch one table of that name."
            if name == REPORT
            else f"monitoring/{name} would stand for {tables} at once. Watch one of them."
        )
    return name


def _code_version(catalog: Catalog, monitor: Monitor) -> str:
    return MonitoredTable(lake=Lake(data_dir=""), catalog=catalog, monitor=monitor).code_version


def _checks_of(monitor: Monitor) -> dict[str, tuple[Callable[[TableHistory], Finding], str]]:
    return {**_CHECKS, **(_OF_PREDICTIONS if monitor.stage == "predictions" else {})}


def _result(name: str, finding: Finding, history: TableHistory) -> CheckResult:
    newest = history.days[-1] if history.days else None
    numbers = {"drift_score": newest.score} if newest and newest.score is not None else {}
    return CheckResult(
        check_name=name,
        passed=finding.holds,
        warns=True,
        description=finding.text[:2000],
        metadata={"day": f"{newest.day}" if newest else "none", "retrain_above": history.retrain_above, **numbers},
    )
