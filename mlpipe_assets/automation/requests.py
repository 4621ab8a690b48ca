"""Asking for a run once per state of things, and again, ever more rarely, when it did not help."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import dagster as dg

from mlpipe_assets.automation.clock import has_passed
from mlpipe_assets.automation.dead_runs import end_dead_runs
from mlpipe_assets.automation.scheduled import jobs_about_to_start
from mlpipe_assets.partitions import contiguous
from mlpipe_assets.rules import digest
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.run_locks import living_runs

OwnChecks = Mapping[dg.AssetKey, Sequence[dg.AssetCheckKey]]
_TRIES = 3  # at once, as long as the state changes between them
_WAIT = timedelta(minutes=10)  # doubled with every try
_LONGEST = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A table that needs a run.

    Attributes:
        days: What the run should build, in order.
        state: Digest of what makes it needed: the same wish twice has the same state.
        also: Further tables to build in the same run, because they follow from it.
    """

    table: str
    job: str
    days: tuple[date, ...]
    state: str
    also: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was asked of a table last. `state` and `days` are empty once nothing was needed any more."""

    state: str = ""
    days: str = ""
    tries: int = 0
    number: int = 0
    at: datetime


def choose(
    stages: Sequence[Sequence[Wish]], asked: dict[str, Asked], now: datetime
) -> tuple[list[tuple[Wish, int]], dict[str, Asked], list[str]]:
    """Which wishes to ask for now, each with a number never used before, what was asked then, and what waits in words.

    They are those of the first stage that has any to ask for: later ones may rest on them. What waits holds up nobody.
    """
    wished = {wish.table for stage in stages for wish in stage}
    after = {t: old if t in wished else replace(old, state="", days="", tries=0) for t, old in asked.items()}
    waiting: list[str] = []
    for stage in stages:
        chosen: list[tuple[Wish, int]] = []
        for wish in stage:
            old = asked.get(wish.table, Asked(at=now))
            pause = _pause(wish, old)
            if not has_passed(pause, old.at, now):
                again = old.at + pause
                waiting.append(f"{wish.table} was asked for at {old.at:%H:%M} UTC, again after {again:%d %B %H:%M}")
                continue
            days = _digest_of(wish)
            tries = old.tries + 1 if days == old.days else 1
            after[wish.table] = Asked(state=wish.state, days=days, tries=tries, number=old.number + 1, at=now)
            chosen.append((wish, old.number + 1))
        if chosen:
            return chosen, after, waiting
    return [], after, waiting


def _pause(wish: Wish, old: Asked) -> timedelta:
    """How long after what was asked last a wish has to wait."""
    fresh = _digest_of(wish) != old.days or (wish.state != old.state and old.tries < _TRIES)
    return timedelta(0) if fresh or not old.tries else min(_WAIT * 2 ** min(old.tries, 10), _LONGEST)


def _digest_of(wish: Wish) -> str:
    return digest([f"{day}" for day in wish.days])


def own_checks(assets: Iterable[object]) -> OwnChecks:
    """The checks that assets make themselves. Named in a request, they keep others on the same assets out of the run."""
    definitions = [asset for asset in assets if isinstance(asset, dg.AssetsDefinition)]
    return {key: [c for c in asset.check_keys if c.asset_key == key] for asset in definitions for key in asset.keys}


def run_requests(chosen: Sequence[tuple[Wish, int]], checks: OwnChecks, lake: str) -> list[dg.RunRequest]:
    """One run for each job and contiguous stretch of days; tables of the same stretch share it.

    Args:
        chosen: What to ask for, with a number never used before.
        checks: The checks that assets make themselves.
        lake: What tells the keys of this data folder from those of another under the same Dagster.
    """
    stretches: dict[tuple[str, date, date], list[tuple[Wish, int]]] = {}
    for wish, number in chosen:
        for first, last in contiguous(wish.days):
            stretches.setdefault((wish.job, first, last), []).append((wish, number))
    requests: list[dg.RunRequest] = []
    for (job, first, last), asked in stretches.items():
        tables = [*(wish.table for wish, _ in asked), *(table for wish, _ in asked for table in wish.also)]
        keys = [dg.AssetKey(table.split("/")) for table in dict.fromkeys(tables)]
        request = dg.RunRequest(
            run_key=f"{lake} {job} {first} {last}: {', '.join(f'{wish.table} {number}' for wish, number in asked)}",
            job_name=job,
            asset_selection=keys,
            asset_check_keys=[check for key in keys for check in checks.get(key, [])],
            tags=range_tags(first, last),
        )
        requests.append(request)
    return requests


def range_tags(first: date, last: date) -> dict[str, str]:
    """Tags that make a run one of a day or of a range of days."""
    if first == last:
        return {"dagster/partition": f"{first}"}
    return {"dagster/asset_partition_range_start": f"{first}", "dagster/asset_partition_range_end": f"{last}"}


def runs_under_way(lake: Lake, instance: dg.DagsterInstance, now: datetime) -> list[str]:
    """Jobs on this data folder that are running or about to; they may be writing the tables that a sensor looks at.

    Runs whose process is gone are ended first. Runs of another Dagster show by the locks that they hold in the lake.
    """
    own = {run.job_name for run in end_dead_runs(lake, instance, now) if run.job_name != "freshness_job"}
    others = [run_id for run_id in living_runs(lake.root) if not instance.has_run(run_id)]
    return sorted({*own, *jobs_about_to_start(lake, now), *(["a run of another Dagster"] if others else [])})


def read_asked(records: Mapping[str, Any]) -> dict[str, Asked]:
    """What was asked so far, as the lake keeps it."""
    return {table: Asked(**{**record, "at": datetime.fromisoformat(record["at"])}) for table, record in records.items()}


def write_asked(asked: Mapping[str, Asked]) -> dict[str, Any]:
    """The record of what was asked."""
    return {t: {**asdict(a), "at": a.at.isoformat()} for t, a in asked.items()}
