"""Days of a monitored table measured and written, a range in one pass: each partition is read once, windows are merges."""

import logging
import math
from collections.abc import Mapping, Sequence
from datetime import date

from mlpipe_assets.catalog.declarations import Catalog, Monitor
from mlpipe_assets.contracts.drift_measurements import DriftMeasurements
from mlpipe_assets.engines.engine import Engine
from mlpipe_assets.executors.executor import THREADS, Executor
from mlpipe_assets.gate import judge
from mlpipe_assets.monitoring.drift import DriftOfDay, frame_of, measure_day
from mlpipe_assets.monitoring.monitored_table import MonitoredTable, days_of_windows
from mlpipe_assets.monitoring.profiles import ProfileStore
from mlpipe_assets.outcome import Outcome
from mlpipe_assets.statistics.measurements import Measurement
from mlpipe_assets.store.keys import DRIFT
from mlpipe_assets.store.lake import Lake

REPORT = "report"  # the name of its table: one page of all monitored tables
_log = logging.getLogger("mlpipe")
_AT_ONCE = 30  # days whose windows are in memory together


def build_monitoring(
    lake: Lake,
    engine: Engine,
    catalog: Catalog,
    monitor: Monitor,
    days: Sequence[date],
    executor: Executor = THREADS,
) -> list[Outcome]:
    """Measure days and write what was found; a day the table has no partition of is named.

    Profiles that a window needs and that are not there, or were made of other rows, are made, each from its own partition.
    """
    monitored = MonitoredTable(lake=lake, catalog=catalog, monitor=monitor, executor=executor)
    there = [day for day in sorted(days) if day in monitored.table.present_days]
    outcomes = [
        Outcome(day=day, missing=f"{monitor.table} has no partition of that day to look at")
        for day in sorted(days)
        if day not in monitored.table.present_days
    ]
    if there and monitored.serving:
        monitored.serving.expect_own_answers()
    if there:
        monitored.freeze_if_due(there[-1])
    store = monitored.store()
    for start in range(0, len(there), _AT_ONCE):
        some = there[start : start + _AT_ONCE]
        _log.info("monitoring of %s: %s to %s", monitor.table, some[0], some[-1])
        outcomes += _build(monitored, engine, store, some)
    return sorted(outcomes, key=lambda o: o.day)


def monitoring_inputs_digest(lake: Lake, catalog: Catalog, monitor: Monitor, day: date) -> str | None:
    """What a day's drift would be made of now, as its `inputs` says it; None when the table has no such day.

    For many days, ask one `MonitoredTable` for `inputs(day)` of each: it reads the table once.
    """
    return MonitoredTable(lake=lake, catalog=catalog, monitor=monitor).inputs(day)


def _build(
    monitored: MonitoredTable, engine: Engine, store: ProfileStore | None, days: Sequence[date]
) -> list[Outcome]:
    if store:
        needed = days_of_windows(monitored.monitor, [day for day in days if not monitored.state(day)])
        if needed:
            store.forget_before(needed[0])
        store.prepare(needed)
    if monitored.serving:
        monitored.serving.prepare(engine, days)
    outcomes = [_write(monitored, measure_day(monitored, store, day)) for day in days]
    change = monitored.lake.change(DRIFT, monitored.monitor.folder)
    change.put(*(o.written for o in outcomes if o.written))
    change.publish()
    return outcomes


def _write(monitored: MonitoredTable, found: DriftOfDay) -> Outcome:
    """One day staged with its verdict in its facts, not yet visible."""
    serving = monitored.serving
    measured = {**found.measured, **(serving.measure(found.day) if serving else {})}
    frame = frame_of(monitored.monitor.table, found.day, measured)
    moved = {f"columns_in_{name}": count for name, count in count_moved(measured).items()}
    counts = {"rows": frame.height, **{name: count for name, count in moved.items() if count is not None}}
    verdict = judge(frame, DriftMeasurements)
    if not verdict.holds:
        return Outcome(day=found.day, counts=counts, breaches=verdict.errors(), refused="breaks its contract")
    worse = any(m.column == "overall" and m.verdict == "drift" for m in measured.get("performance", []))
    stays_worse = worse and serving is not None and serving.stays_worse(found.day)
    inputs = monitored.inputs(found.day)
    facts = {
        "table": monitored.monitor.table,
        "date": f"{found.day}",
        "code_version": monitored.code_version,
        "inputs": inputs,
        "fingerprint": inputs,
        "reference": monitored.reference.version if monitored.reference and not monitored.state(found.day) else None,
        "drift_score": found.score,
        "drifting": is_bad(found.score, monitored.monitor),
        "performance_bad": stays_worse,
        "steady_drift_score": found.steady_score,
        "bad": is_bad(found.steady_score, monitored.monitor) or stays_worse,
        "state": found.state,
        "rows": frame.height,
        **moved,
    }
    staged = monitored.lake.table(DRIFT, monitored.monitor.folder).stage(found.day, frame, facts)
    return Outcome(day=found.day, counts=counts, written=staged, facts=facts)


def count_moved(measured: Mapping[str, Sequence[Measurement]]) -> dict[str, int | None]:
    """Columns in drift from the baseline and, of predictions, features in skew to training; None where nothing was measured."""
    named = {"drift": measured["baseline"], **({"skew": measured["skew"]} if "skew" in measured else {})}
    return {
        name: len({m.column for m in found if m.verdict == "drift"})
        if any(m.threshold is not None and not math.isnan(m.value) for m in found)
        else None
        for name, found in named.items()
    }


def is_bad(score: float | None, monitor: Monitor) -> bool:
    """Whether a drift score reaches what is declared; a table where nothing drifted is never bad."""
    return score is not None and score > 0 and score >= monitor.retrain_above
