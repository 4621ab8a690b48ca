"""What lakes say of champions that were written before each model had one record of its decisions.

There the record was `{"version", "as_of", "history"}`, without the versions that were kept, and each row of the registry
had a `status` and a `reason`. The next training of any model writes records of today and takes both columns away.
"""

from typing import Any

from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.model_files import registered_rows

STATUS = ("status", "reason")  # columns that the registry had


def decisions_of_older(lake: Lake, model: str, document: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The decisions of a record of before; None for one of today.

    The version it names leads, whatever its history says: people put it there by hand.
    """
    if not {"version", "history"} <= document.keys():
        return None
    history = [dict(one) for one in document["history"]]
    if document["version"] and (not history or history[-1]["version"] != document["version"]):
        named = {name: document[name] for name in ("version", "as_of")}
        history.append({"action": "promoted", **named, "reason": "named by hand"})
    return [*_kept(lake, model), *history]


def decisions_in_registry(lake: Lake, model: str) -> list[dict[str, Any]]:
    """The decisions by the registry of an older lake; none in one of today."""
    rows = [row for row in registered_rows(lake, model) if row.get("status") in ("champion", "retired")]
    rows.sort(key=lambda row: (row["status"] == "champion", row["as_of"], row["version"]))
    led = rows if rows and rows[-1]["status"] == "champion" else []
    return [*_kept(lake, model), *(_spell("promoted", row) for row in led)]


def _kept(lake: Lake, model: str) -> list[dict[str, Any]]:
    return [_spell("kept", row) for row in registered_rows(lake, model) if row.get("status") == "challenger_kept"]


def _spell(action: str, row: dict[str, Any]) -> dict[str, Any]:
    return {"action": action, "version": row["version"], "as_of": f"{row['as_of']}", "reason": row["reason"]}
