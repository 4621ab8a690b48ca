"""Days whose newest attempt was refused: a record in meta/refused/ that outlives the run, so that any later one can read it."""

from datetime import date
from typing import Any

from mlpipe_assets.errors import LakeError
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.records import Record, list_documents


def refuse(lake: Lake, stage: str, name: str, day: date, *, problem: str, inputs: str, **more: object) -> None:
    """Put on record that a day was refused, why, and over which inputs."""
    _record(lake, stage, name, day).write({"problem": problem, "inputs": inputs, **more})


def refusal_of(lake: Lake, stage: str, name: str, day: date) -> dict[str, Any] | None:
    """Why the newest attempt at a day was refused, and over which inputs; None when it was not.

    Raises: LakeError when the record cannot be read: nobody could tell whether the day has been mended.
    """
    return _record(lake, stage, name, day).read()


def clear(lake: Lake, stage: str, name: str, day: date) -> None:
    """Take a refusal back: the day was written since, or there is nothing to refuse any more."""
    _record(lake, stage, name, day).delete()


def refused_days(lake: Lake, stage: str, name: str) -> set[date]:
    """Days of a table whose newest attempt was refused."""
    folder = keys.refusals(stage, name)
    found = {record: keys.read_day(record) for record in list_documents(lake.objects, folder)}
    if strange := sorted(record for record, day in found.items() if day is None):
        raise LakeError(
            f"{lake.objects.locate(folder)}/{strange[0]}.json is not the record of a refused day, which is called 2026-01-31.json. "
            "Move it away, then run again."
        )
    return {day for day in found.values() if day}


def refused_tables(lake: Lake, stage: str) -> list[str]:
    """Tables of a stage that have refused days, by name."""
    folder = f"{keys.REFUSALS}/{stage}"
    return sorted({head.key.removeprefix(f"{folder}/").partition("/")[0] for head in lake.objects.list(folder)})


def _record(lake: Lake, stage: str, name: str, day: date) -> Record[dict[str, Any]]:
    cure = f"Delete it and run again: {stage}/{name} [{day}] is tried again, and refused again if it is still at fault."
    return Record(objects=lake.objects, key=keys.refusal(stage, name, day), parse=_parse, cure=cure)


def _parse(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "problem": record["problem"], "inputs": record["inputs"]}
