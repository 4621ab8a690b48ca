"""The verdict for one day of a monitored table, and every measurement it is made of."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from mlpipe_assets.errors import spell_count
from mlpipe_assets.monitoring.bases import against_frozen, against_window
from mlpipe_assets.monitoring.deciding import SCHEMA
from mlpipe_assets.monitoring.monitored_table import MonitoredTable
from mlpipe_assets.monitoring.odd_days import in_drift_without
from mlpipe_assets.monitoring.profiles import ProfileStore, only_columns
from mlpipe_assets.monitoring.table_days import windows_of
from mlpipe_assets.partitions import spell_days
from mlpipe_assets.statistics.measurements import Measurement
from mlpipe_assets.statistics.pairs import DECIDING
from mlpipe_assets.statistics.verdicts import compare, drift_score, worst


@dataclass(frozen=True, kw_only=True)
class DriftOfDay:
    """One day measured.

    Attributes:
        measured: Measurements by comparison.
        score: Weighted share of columns in drift against the baseline; None without a comparison.
        steady_score: The same of columns that are in drift also without their oddest days; it makes a window bad.
        state: Why there is no score; empty when there is one.
    """

    day: date
    measured: Mapping[str, list[Measurement]]
    score: float | None = None
    steady_score: float | None = None
    state: str = ""


def measure_day(monitored: MonitoredTable, store: ProfileStore | None, day: date) -> DriftOfDay:
    """The current window against the period before it and against the frozen baseline, by merging stored profiles."""
    thresholds, labels = monitored.profiled.thresholds, monitored.profiled.labels
    state = monitored.state(day)
    if state or store is None:
        nothing = {name: not_measured(thresholds, state) for name in ("baseline", "previous")}
        return DriftOfDay(day=day, measured=nothing, state=state)
    windows = windows_of(day, monitored.monitor.window)
    current, previous = (only_columns(store.window(days), thresholds) for days in (windows.current, windows.previous))
    held, held_before = store.by_day(windows.current), store.by_day(windows.previous)
    now, then = rests_on(monitored, windows.current, held), rests_on(monitored, windows.previous, held_before)
    found = compare(
        previous, current, thresholds, basis=against_window(store.reference, held_before, held), labels=labels
    )
    before = with_note(found, now, f"period before: {then}" if then else "")
    if overlap := monitored.overlap(day):
        measured = {"baseline": not_measured(thresholds, overlap), "previous": before}
        return DriftOfDay(day=day, measured=measured, state=overlap)
    frozen = only_columns(store.reference.profile, thresholds)
    found = compare(frozen, current, thresholds, basis=against_frozen(store.reference, held), labels=labels)
    measured = {"baseline": with_note(found, now), "previous": before}
    if not current.rows:
        return DriftOfDay(day=day, measured=measured, state=f"no rows from {windows.current[0]} to {day}")
    weights = dict(monitored.monitor.weights)
    drifted = {name for name, verdict in worst(found).items() if verdict == "drift"}
    steady = in_drift_without(store.reference, held, thresholds, drifted, monitored.monitor.odd_days)
    score = drift_score(found, weights)
    odd = drifted - steady
    lasting = drift_score((replace(m, verdict="none") if m.column in odd else m for m in found), weights)
    return DriftOfDay(day=day, measured=measured, score=round(score, 9), steady_score=round(lasting, 9))


def rests_on(monitored: MonitoredTable, window: Sequence[date], held: Collection[date]) -> str:
    """On which of its days a window rests, in words; empty when it has rows on all of them."""
    closed = [day for day in window if day not in held and day in monitored.table.present_days]
    missing = monitored.table.spell_missing(window)
    if not closed:
        return missing
    rests = f"rests on {len(held)} of {spell_count(len(window), 'day')}, no rows on {spell_days(closed)}"
    return f"{rests}; {missing}" if missing else rests


def not_measured(thresholds: Mapping[str, float], why: str) -> list[Measurement]:
    """A measurement of each watched column that says why there is none."""
    return [
        Measurement(column=name, method=DECIDING, value=math.nan, threshold=bound, n_reference=0, n_current=0, note=why)
        for name, bound in thresholds.items()
    ]


def frame_of(table: str, day: date, measured: Mapping[str, list[Measurement]]) -> pl.DataFrame:
    """The measurements as rows of the contract, comparison by comparison; what could not be measured is null."""
    rows = [
        {
            "table": table,
            "date": day,
            "comparison": comparison,
            "column": m.column,
            "method": m.method,
            "value": _known(m.value),
            "threshold": _known(m.threshold),
            "floor": _known(m.floor),
            "p_value": _known(m.p_value),
            "q_value": _known(m.q_value),
            "n_reference": m.n_reference,
            "n_current": m.n_current,
            "verdict": m.verdict,
            "note": m.note,
        }
        for comparison, measurements in measured.items()
        for m in measurements
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def with_note(measurements: list[Measurement], *notes: str) -> list[Measurement]:
    """The deciding measures with what there is to say of their windows."""
    more = [note for note in notes if note]
    if not more:
        return measurements
    return [
        replace(m, note="; ".join([*([m.note] if m.note else []), *more])) if m.threshold is not None else m
        for m in measurements
    ]


def _known(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
