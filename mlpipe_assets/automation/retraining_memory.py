"""The retrainings that were asked for, as the lake keeps them: Dagster's records may be thrown away.

A request is met when there is a model as of its day or a later one: the lake tells, whichever run made it. Of one that is
not, a run failed or never started. Dagster's run key is the second guard against two runs of one request.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import dagster as dg
from dagster._core.storage.tags import RUN_KEY_TAG

from mlpipe_assets.automation.clock import has_passed
from mlpipe_assets.automation.memory import recall
from mlpipe_assets.automation.retraining import Request, Retraining
from mlpipe_assets.resources.run_owner import mark_of, own_runs, place_of
from mlpipe_assets.store.lake import Lake

DOCUMENT = "retrainings"
_ELSEWHERE = timedelta(hours=6)  # how long another Dagster has for its request: it may be waiting in the queue there


def requests_so_far(lake: Lake, model: str) -> list[Request]:
    """Retrainings of a model that drift has asked for, each with whether it was met.

    Raises: LakeError when the record of them cannot be read: to ask again would train again.
    """
    records = recall(lake, DOCUMENT).get("asked", [])
    return [
        Request(reference=reference, day=date.fromisoformat(record["day"]), met=_is_met(lake, record))
        for record in records
        if record["model"] == model
        for reference in record["references"]
    ]


def note_requests(
    memory: dict[str, Any], lake: Lake, instance: dg.DagsterInstance, wanted: Sequence[Retraining], now: datetime
) -> None:
    """Write retrainings down before they are asked for."""
    memory.setdefault("asked", []).extend(
        {
            "model": one.model,
            "references": [*one.references],
            "day": f"{one.day}",
            "evidence": [*one.evidence][:5],
            "at": now.isoformat(timespec="seconds"),
            "run_key": run_key(lake, one),
            "place": place_of(instance),
            "run_id": None,
        }
        for one in wanted
    )


def never_started(memory: dict[str, Any], lake: Lake, instance: dg.DagsterInstance, now: datetime) -> list[Retraining]:
    """Requests that no run took up: Dagster was stopped in between, or thrown away with what it was given.

    Those that this Dagster was given are marked with the run it made of them, or asked for again under the same key. Those
    given to another are its own for six hours; if there is no model by then, this one takes them over.
    """
    lost: list[Retraining] = []
    for record in memory.get("asked", []):
        if record["run_id"] is not None or _is_met(lake, record):
            continue
        if record["place"] != place_of(instance):
            if has_passed(_ELSEWHERE, datetime.fromisoformat(record.get("given_at", record["at"])), now):
                record |= {"place": place_of(instance), "given_at": now.isoformat(timespec="seconds")}
                lost.append(_read(record))
            continue
        runs = own_runs(instance.get_runs(dg.RunsFilter(tags={RUN_KEY_TAG: record["run_key"]}), limit=5), lake.root)
        if runs:
            record["run_id"] = runs[0].run_id
        else:
            lost.append(_read(record))
    return lost


def run_key(lake: Lake, wanted: Retraining) -> str:
    """What Dagster runs once: a retraining of a model of this data folder."""
    return f"{mark_of(lake.root)} {wanted.model} {wanted.day} {', '.join(wanted.references)}"


def _is_met(lake: Lake, record: Mapping[str, Any]) -> bool:
    return any(day >= date.fromisoformat(record["day"]) for day in lake.days("models", record["model"]))


def _read(record: Mapping[str, Any]) -> Retraining:
    return Retraining(
        model=record["model"],
        references=tuple(record["references"]),
        day=date.fromisoformat(record["day"]),
        evidence=tuple(record["evidence"]),
    )
