"""What was stored of monitored tables, read back for the report and the checks."""

from datetime import date, timedelta

import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, Monitor
from mlpipe_assets.errors import spell_count
from mlpipe_assets.monitoring.deciding import SCHEMA
from mlpipe_assets.monitoring.histograms import Histogram, compare_shapes
from mlpipe_assets.monitoring.monitored_table import MonitoredTable
from mlpipe_assets.monitoring.table_days import windows_of
from mlpipe_assets.monitoring.table_history import DayState, TableHistory
from mlpipe_assets.partitions import spell_days
from mlpipe_assets.rules import columns, digest
from mlpipe_assets.store.keys import DRIFT
from mlpipe_assets.store.lake import Lake

DAYS = 90


def read_history(lake: Lake, catalog: Catalog, monitor: Monitor, *, days: int = DAYS) -> TableHistory:
    """The newest days of a table, with the shapes of its columns on the newest."""
    monitored = MonitoredTable(lake=lake, catalog=catalog, monitor=monitor)
    name = monitor.folder
    measured = lake.state(DRIFT, name)
    stored = measured.days()
    kept = [day for day in stored if day > stored[-1] - timedelta(days=days)]
    facts = {day: measured.facts(day) or {} for day in kept}
    states = tuple(
        DayState(
            day=day,
            score=f["drift_score"],
            bad=f["bad"],
            drifting=f["drifting"],
            performance_bad=f.get("performance_bad", False),
            state=f["state"],
        )
        for day, f in facts.items()
    )
    paths = measured.files(kept)
    rows = pl.read_parquet(paths, hive_partitioning=False, glob=False) if paths else pl.DataFrame(schema=SCHEMA)
    return TableHistory(
        table=monitor.table,
        retrain_above=monitor.retrain_above,
        days=states,
        rows=rows,
        histograms=_shapes(monitored, kept[-1]) if kept else {},
        present=max(monitored.table.present, default=None),
        refused=tuple(sorted(lake.state(monitor.stage, monitor.name).refused)),
        retrains=monitor.retrains,
        units={c.name: c.metadata["unit"] for c in columns(catalog.contract(monitor.table)) if "unit" in c.metadata},
        reference=_spell_reference(monitored, kept[-1]) if kept else "",
        frozen=bool(kept) and not monitored.state(kept[-1]),
    )


def inputs_of_report(lake: Lake, catalog: Catalog) -> str:
    """Digest of what the report shows: the newest days of each table and of its measurements, as manifests name them, and the refused."""
    made: dict[str, object] = {}
    for monitor in catalog.monitors:
        measured, watched = lake.state(DRIFT, monitor.folder), lake.state(monitor.stage, monitor.name)
        stored = measured.days()
        kept = [day for day in stored if day > stored[-1] - timedelta(days=DAYS)]
        facts = {day: measured.facts(day) or {} for day in kept}
        refused = sorted(f"{day}" for day in watched.refused)
        newest = max(watched.days(), default=None)
        made[monitor.table] = [f"{newest}", refused, {f"{day}": found.get("inputs") for day, found in facts.items()}]
    return digest(made)


def _shapes(monitored: MonitoredTable, day: date) -> dict[str, Histogram]:
    """Baseline and current window of each compared column, off stored profiles; of predictions also the features they use."""
    learnt = monitored.serving.shapes(day) if monitored.serving else {}
    store = monitored.store()
    if store is None or monitored.state(day):
        return learnt
    window = windows_of(day, monitored.monitor.window).current
    current = store.stored_window(window)
    frozen = store.reference
    shapes = {
        name: compare_shapes(
            frozen.profile.columns[name], current.columns[name], frozen.bins[name], monitored.profiled.labels[name]
        )
        for name in monitored.profiled.thresholds
    }
    return learnt | {name: shape for name, shape in shapes.items() if shape}


def _spell_reference(monitored: MonitoredTable, day: date) -> str:
    length = monitored.monitor.window.days
    window = (
        f"Windows are of {spell_count(length, 'day')}, the newest from {day - timedelta(days=length - 1)} to {day}."
    )
    frozen = monitored.reference
    if frozen is None or monitored.state(day):
        return window
    return (
        f"The baseline is frozen: {spell_count(len(frozen.days), 'day')}, {spell_days(frozen.days)}, "
        f"{spell_count(frozen.profile.rows, 'row')} "
        f"(version {frozen.version}). {window}"
    )
