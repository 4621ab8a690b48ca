"""What monitoring measured, as the retraining decision reads it, and what is told of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from mlpipe_assets.alerting.messages import Problem
from mlpipe_assets.automation.retraining import (
    DriftWindow,
    Request,
    Retraining,
    Skip,
    decide_retraining,
    merge,
)
from mlpipe_assets.automation.retraining_memory import requests_so_far
from mlpipe_assets.catalog.declarations import Catalog, Monitor
from mlpipe_assets.errors import shorten
from mlpipe_assets.monitoring.monitored_table import MonitoredTable
from mlpipe_assets.stages.monitoring.plan import monitor_work
from mlpipe_assets.stages.predictions.plan import prediction_work
from mlpipe_assets.store.keys import DRIFT
from mlpipe_assets.store.lake import Lake

JOB = "retraining_job"
_AGAINST = {"baseline": "the baseline", "performance": "the test set"}


@dataclass(frozen=True, kw_only=True)
class Look:
    """What the newest windows say of one model.

    Attributes:
        retraining: What to ask for, if anything.
        problem: What to tell, if any of its tables drifted for long enough.
        told: Every decision in words.
        settled: Whether all it rests on is up to date; if not, nothing was decided and nothing has healed.
    """

    model: str
    retraining: Retraining | None
    problem: Problem | None
    told: tuple[str, ...]
    settled: bool = True


def look_at_drift(lake: Lake, catalog: Catalog, *, asks: bool = True) -> list[Look]:
    """A decision for each model that monitors watch over, on measurements that are up to date.

    `asks`: whether the caller asks for the retrainings; if not, people are told how to.
    """
    models = [model.name for model in catalog.models if model.learner]
    return [_look(lake, catalog, name, requests_so_far(lake, name), asks=asks) for name in models]


def windows_of_monitor(lake: Lake, catalog: Catalog, monitor: Monitor, model: str) -> list[DriftWindow]:
    """The newest windows of a monitored table, as many as the decision looks at.

    A model's own predictions speak by how they came true; that they moved follows from the tables they are made of. They
    speak of the version that made them: the labels of its successor's are not complete until a horizon later.
    """
    folder = monitor.folder
    own = monitor.table == f"predictions/{model}" and model not in monitor.retrains
    days = lake.days(DRIFT, folder)[-monitor.in_a_row :]
    facts = {day: lake.facts(DRIFT, folder, day) or {} for day in days}
    bad = {day: bool(facts[day].get("performance_bad" if own else "bad")) for day in days}
    serving = MonitoredTable(lake=lake, catalog=catalog, monitor=monitor).serving if own and any(bad.values()) else None
    answered = serving.answered(days[-1]) if serving else ""
    return [
        DriftWindow(
            table=monitor.table,
            day=day,
            drift_score=facts[day].get("drift_score") or 0.0,
            bad=bad[day],
            reference=answered if own else facts[day].get("reference") or "",
            by_performance=own,
            evidence=_evidence(lake, folder, day, ["performance"] if own else [*_AGAINST]) if bad[day] else (),
        )
        for day in days
    ]


def _look(lake: Lake, catalog: Catalog, model: str, asked: Sequence[Request], *, asks: bool) -> Look:
    monitors = [m for m in catalog.monitors if model in m.retrains or m.table == f"predictions/{model}"]
    windows = {monitor.table: windows_of_monitor(lake, catalog, monitor, model) for monitor in monitors}
    behind = [
        f"monitoring/{monitor.name}"
        for monitor in monitors
        if any(w.bad for w in windows[monitor.table]) and monitor_work(lake, catalog, monitor, _any).days
    ]
    bad = any(window.bad for found in windows.values() for window in found)
    if bad and prediction_work(lake, catalog, catalog.model(model), _any).days:
        behind.append(f"predictions/{model}")  # by the champion of their days, before another takes its place
    if behind:
        reason = f"{model}: waiting until {', '.join(behind)} is up to date"
        return Look(model=model, retraining=None, problem=None, told=(reason,), settled=False)
    decisions = {m.table: decide_retraining(model, m, windows[m.table], asked) for m in monitors}
    wanted = [decision for decision in decisions.values() if isinstance(decision, Retraining)]
    drifted = [t for t, d in decisions.items() if isinstance(d, Retraining) or d.drifting]
    told = tuple(d.reason if isinstance(d, Skip) else f"{t}: drifted, asking for {model}" for t, d in decisions.items())
    retraining = merge(wanted) if wanted else None
    problem = (
        _problem(model, [windows[table][-1] for table in drifted], retraining, asked, asks=asks) if drifted else None
    )
    return Look(model=model, retraining=retraining, problem=problem, told=told)


def _problem(
    model: str, newest: Sequence[DriftWindow], retraining: Retraining | None, asked: Sequence[Request], *, asks: bool
) -> Problem:
    """A model whose tables drifted, as people are told; one problem however many tables and days."""
    scores = [
        f"{w.table} {w.day} ({'performance' if w.by_performance else f'drift score {w.drift_score:.2f}'})"
        for w in newest
    ]
    evidence = [line for w in newest for line in w.evidence]
    return Problem(
        key=model,
        what="its predictions no longer come true as they did on its test set"
        if all(w.by_performance for w in newest)
        else "what it predicts on is no longer what it learnt from",
        where=f"models/{model}",
        how_many=f"{len(newest)} of the tables watched: {shorten(scores, 3)}",
        example=shorten(evidence, 3) or "no single measurement",
        to_do=f"open monitoring/report.html{_to_do(newest, retraining, asked, asks=asks)}",
    )


def _to_do(
    newest: Sequence[DriftWindow], retraining: Retraining | None, asked: Sequence[Request], *, asks: bool
) -> str:
    """What a person has to do about a model whose tables drifted: nothing but look, where a retraining came of it."""
    last = max(asked, key=lambda request: request.day, default=None)
    day = retraining.day if retraining else last.day if last else newest[0].day
    job = f'dagster job execute -m mlpipe_assets.definitions -j {JOB} --tags \'{{"dagster/partition": "{day}"}}\''
    if retraining and not asks:
        return f", then train on what is known by now: {job} (under `make dev` a sensor asks for it)"
    told = f"; a retraining as of {day} was asked for"
    if retraining or last is None or last.met:
        return f"{told}, see its checks and model card"
    return f"{told}, and there is no model of it yet; if its run failed, fix the cause, then: {job}"


def _evidence(lake: Lake, folder: str, day: date, comparisons: Collection[str]) -> tuple[str, ...]:
    """The measurements of a day that say drift, worst first as they are stored."""
    rows = lake.read(DRIFT, folder, day).filter(verdict="drift").to_dicts()
    return tuple(dict.fromkeys(_spell(row) for row in rows if row["comparison"] in comparisons))


def _spell(row: dict[str, Any]) -> str:
    return (
        f"{row['column']} against {_AGAINST[row['comparison']]}: {row['method']} {row['value']:.3g}, "
        f"threshold {row['threshold']:.3g}"
    )


def _any(_: date) -> bool:
    return True
