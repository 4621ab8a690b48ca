"""The retrainings that were asked for, as the lake keeps them: Dagster's records may be thrown away."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import dagster as dg
from dagster._core.storage.tags import RUN_KEY_TAG

from mlpipe_assets.automation.memory import recall
from mlpipe_assets.automation.retraining import Request, Retraining
from mlpipe_assets.resources.run_owner import mark_of, own_runs, place_of
from mlpipe_assets.store.lake import Lake

DOCUMENT = "retrainings"


def requests_so_far(lake: Lake, model: str) -> list[Request]:
    """Retrainings of a model that drift has asked for, whatever became of them.

    Raises: LakeError when the record of them cannot be read: to ask again would train again.
    """
    records = recall(lake, DOCUMENT).get("asked", [])
    return [
        Request(reference=reference, day=date.fromisoformat(record["day"]))
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


def never_started(memory: dict[str, Any], lake: Lake, instance: dg.DagsterInstance) -> list[Retraining]:
    """Requests that this Dagster was given and of which it made no run: it was stopped in between.

    Those of which it did are marked with the run. Those given to another Dagster are its own, or lost with it: they count.
    """
    waiting = [r for r in memory.get("asked", []) if r["run_id"] is None and r["place"] == place_of(instance)]
    lost: list[Retraining] = []
    for record in waiting:
        runs = own_runs(instance.get_runs(dg.RunsFilter(tags={RUN_KEY_TAG: record["run_key"]}), limit=5), lake.root)
        if runs:
            record["run_id"] = runs[0].run_id
        else:
            lost.append(_read(record))
    return lost


def run_key(lake: Lake, wanted: Retraining) -> str:
    """What Dagster runs once: a retraining of a model of this data folder."""
    return f"{mark_of(lake.root)} {wanted.model} {wanted.day} {', '.join(wanted.references)}"


def _read(record: Mapping[str, Any]) -> Retraining:
    return Retraining(
        model=record["model"],
        references=tuple(record["references"]),
        day=date.fromisoformat(record["day"]),
        evidence=tuple(record["evidence"]),
    )
