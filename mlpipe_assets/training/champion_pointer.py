"""Which version is champion, by its file, or by the registry where that file was lost.

    meta/champions/<model>.json   the champion, and every promotion and rollback so far, with its reason

The pointer is one small file, replaced by a rename: whoever reads it sees the old champion or the new one.
"""

import json
from typing import Any

from mlpipe_assets.errors import LakeError
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.objects import MissingError
from mlpipe_assets.store.records import UNREADABLE, spell_document, spell_reason
from mlpipe_assets.training.model_files import registered_rows


def pointer_path(lake: Lake, model: str) -> str:
    """The file that says who is champion, as messages name it."""
    return lake.objects.locate(keys.champion(model))


def read_pointer(lake: Lake, model: str) -> dict[str, Any]:
    """The champion's version and as_of, None for no champion, and the history of promotions and rollbacks.

    Raises: LakeError when the file is damaged and the registry knows no champion either.
    """
    found, lost = _stored_pointer(lake, model)
    return found or _pointer_of_registry(lake, model, lost)


def write_pointer(lake: Lake, model: str, pointer: dict[str, Any]) -> None:
    """Replace the pointer, whole."""
    lake.objects.put(keys.champion(model), spell_document(pointer))


def lost_pointer(lake: Lake, model: str) -> str | None:
    """What to tell where the pointer was lost and the registry stands in for it; None where nothing was."""
    stored, lost = _stored_pointer(lake, model)
    if stored or (leading := _pointer_of_registry(lake, model, lost)["version"]) is None:
        return None
    return (
        f"models/{model}: {lost}. By the registry {leading} is champion, and is taken for it; restore the file, or let the next "
        "promotion write it."
    )


def champion_history(lake: Lake, model: str) -> list[dict[str, Any]]:
    """Every promotion and rollback of a model, oldest first: action, version, as_of, reason."""
    history: list[dict[str, Any]] = read_pointer(lake, model)["history"]
    return history


def line_of_champions(history: list[dict[str, Any]]) -> list[str]:
    """Champions in the order they would be returned to, the present one last."""
    line: list[str] = []
    for entry in history:
        if entry["action"] == "rolled_back":
            line.pop()
        else:
            line = [*(v for v in line if v != entry["version"]), entry["version"]]
    return line


def _stored_pointer(lake: Lake, model: str) -> tuple[dict[str, Any] | None, str]:
    """What the pointer says, or why it says nothing."""
    path = pointer_path(lake, model)
    try:
        found = json.loads(lake.objects.get(keys.champion(model)).content)
    except MissingError:
        return None, f"{path} is gone"
    except UNREADABLE as error:
        return None, f"{path} cannot be read: {spell_reason(error)}"
    if not isinstance(found, dict) or not {"version", "history"} <= set(found):
        return None, f"{path} is not what was written there"
    return found, ""


def _pointer_of_registry(lake: Lake, model: str, lost: str) -> dict[str, Any]:
    """Who leads by what the registry says, for a pointer that was lost: it is told after the pointer has moved."""
    rows = [row for row in registered_rows(lake, model) if row["status"] in ("champion", "retired")]
    rows.sort(key=lambda row: (row["status"] == "champion", row["as_of"], row["version"]))
    if not rows or rows[-1]["status"] != "champion":
        if lake.objects.head(keys.champion(model)):
            raise LakeError(
                f"{lost}. The registry knows no champion of {model} either: restore the file, or delete it."
            )
        return {"version": None, "as_of": None, "history": []}
    history = [
        {"action": "promoted", "version": row["version"], "as_of": f"{row['as_of']}", "reason": row["reason"]}
        for row in rows
    ]
    return {"version": rows[-1]["version"], "as_of": f"{rows[-1]['as_of']}", "history": history}
