"""Days whose newest attempt was refused: a marker in meta/refused/ that outlives the run, so that any later one can read it."""

from datetime import date
from pathlib import Path
from typing import Any

from mlpipe_assets.resources.documents import read_json
from mlpipe_assets.resources.lake import Lake


def refuse(lake: Lake, stage: str, name: str, day: date, *, problem: str, inputs: str, **more: object) -> None:
    """Put on record that a day was refused, why, and over which inputs."""
    lake.write_json(_path(lake, stage, name, day), {"problem": problem, "inputs": inputs, **more})


def refusal_of(lake: Lake, stage: str, name: str, day: date) -> dict[str, Any] | None:
    """Why the newest attempt at a day was refused, and over which inputs; None when it was not.

    Raises: LakeError when the marker cannot be read: nobody could tell whether the day has been mended.
    """
    cure = f"Delete it and run again: {stage}/{name} [{day}] is tried again, and refused again if it is still at fault."
    return read_json(_path(lake, stage, name, day), _parse, cure=cure)


def clear(lake: Lake, stage: str, name: str, day: date) -> None:
    """Take a refusal back: the day was written since, or there is nothing to refuse any more."""
    lake.remove(_path(lake, stage, name, day))


def refused_days(lake: Lake, stage: str, name: str) -> set[date]:
    """Days of a table whose newest attempt was refused."""
    return {date.fromisoformat(path.stem) for path in (lake.root / "meta" / "refused" / stage / name).glob("*.json")}


def _parse(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "problem": record["problem"], "inputs": record["inputs"]}


def _path(lake: Lake, stage: str, name: str, day: date) -> Path:
    return lake.root / "meta" / "refused" / stage / name / f"{day}.json"
