"""Runs that Dagster takes for running although their process is gone: they are ended, so that work goes on."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

import dagster as dg

from mlpipe_assets.automation.clock import has_passed
from mlpipe_assets.automation.memory import recall, remember
from mlpipe_assets.resources.run_owner import own_runs
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.run_locks import forget_run_lock, pulse_of

_STATUS = dg.DagsterRunStatus
_UNDER_WAY = [_STATUS.QUEUED, _STATUS.NOT_STARTED, _STATUS.STARTING, _STATUS.STARTED, _STATUS.CANCELING]
_LOOKS = 5  # a clock that jumps cannot count looks
_PATIENCE = timedelta(minutes=10)  # for a run that shows no sign of life, from the first look that finds it so
_QUEUE = timedelta(hours=6)  # for one that waits its turn, or that another machine was running
_DOCUMENT = "silent_runs"
ASKED = "asked"  # what sensors asked for, which a dead run leaves unanswered


def end_dead_runs(lake: Lake, instance: dg.DagsterInstance, now: datetime) -> list[dg.DagsterRun]:
    """End the runs on this data folder whose process is gone; returns those that are, or may be, still under way.

    A run whose lock was let go without its end was killed: it is ended at once. One without a lock, in the same state at
    five looks and for ten minutes, is one too. A run that waits its turn, or another machine's, is never ended here;
    after six hours nobody waits for it any more.
    """
    runs = own_runs(instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY)), lake.root)
    living: list[dg.DagsterRun] = []
    silent: dict[str, Any] = {}
    before = recall(lake, _DOCUMENT) if runs else {}
    for run in runs:
        pulse = pulse_of(lake.root, run.run_id)
        if pulse == "dead":
            _end(lake, instance, run)
            continue
        living.append(run)
        if pulse == "alive":
            continue
        seen = _seen(before.get(run.run_id), run, now)
        silent[run.run_id] = seen
        waits = run.status is _STATUS.QUEUED or pulse == "elsewhere"
        length = _QUEUE if waits else _PATIENCE
        if seen["looks"] > _LOOKS and has_passed(length, datetime.fromisoformat(seen["since"]), now):
            living.pop()
            if not waits:
                _end(lake, instance, run)
                del silent[run.run_id]
    if silent != before:
        with remember(lake, _DOCUMENT) as memory:
            memory.clear()
            memory.update(silent)
    return living


def _seen(before: Mapping[str, Any] | None, run: dg.DagsterRun, now: datetime) -> dict[str, Any]:
    """Since when, and for how many looks, a run has been in the state it is in."""
    if before is None or before["status"] != run.status.value or datetime.fromisoformat(before["since"]) > now:
        return {"status": run.status.value, "since": now.isoformat(timespec="seconds"), "looks": 1}
    return {**before, "looks": min(before["looks"] + 1, _LOOKS + 1)}


def _end(lake: Lake, instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    found = instance.get_run_by_id(run.run_id)
    if found is None or found.is_finished:
        return
    if found.status is _STATUS.CANCELING:
        instance.report_run_canceled(found, message="The run was being canceled, and its process is gone.")
    else:
        text = (
            f"The process of the run is gone without a word, and the run was {found.status.value}: a power cut, a kill, or "
            "too little memory. Nothing is half written."
        )
        instance.report_run_failed(found, message=text)
    forget_run_lock(lake.root, run.run_id)
    _ask_again(lake, {key.to_user_string() for key in found.asset_selection or ()})


def _ask_again(lake: Lake, tables: Collection[str]) -> None:
    """Let sensors ask for tables as for something new.

    The tries go on counting, so that a run that dies each time is asked for ever more rarely.
    """
    with remember(lake, ASKED) as memory:
        for asked in memory.values():
            for table in asked.keys() & set(tables):
                asked[table]["state"] = ""
