"""What the person on duty accepted: days of a source that may be written although they break its tolerance."""

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path

from mlpipe_assets.errors import LakeError
from mlpipe_assets.resources.lake import UNREADABLE, Lake, spell_reason


def accept(lake: Lake, source: str, days: Iterable[date], reason: str) -> None:
    """Record that days of a source are taken as they are, and why. The newest record of a day counts.

    Raises: LakeError when a record made before cannot be read; nothing is added to it then.
    """
    path = _path(lake)
    _records(path)
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    if old and not old.endswith("\n"):  # an editor left it so: a line of its own for what comes
        old += "\n"
    at = datetime.now(tz=UTC).isoformat(timespec="seconds")
    new = (json.dumps({"source": source, "date": f"{day}", "reason": reason, "accepted_at": at}) for day in days)
    lake.commit(lake.stage_bytes(path, (old + "".join(f"{line}\n" for line in new)).encode()))


def accepted_days(lake: Lake, source: str) -> dict[date, str]:
    """Accepted days of a source, with the reason given.

    Raises: LakeError when a record cannot be read, whichever source it is of.
    """
    return {day: reason for name, day, reason in _records(_path(lake)) if name == source}


def _records(path: Path) -> list[tuple[str, date, str]]:
    """Source, day and reason of every record, the oldest first."""
    try:
        lines = path.read_bytes().splitlines() if path.exists() else []
    except OSError as error:
        raise LakeError(f"{path} cannot be read: {spell_reason(error)}. Let this user read it.") from error
    found: list[tuple[str, date, str]] = []
    for number, line in enumerate(lines, start=1):
        try:
            if line.strip():
                record = json.loads(line.decode())
                found.append((record["source"], date.fromisoformat(record["date"]), record["reason"]))
        except UNREADABLE as error:
            reason = (
                f"{error.msg}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else spell_reason(error)
            )
            raise LakeError(
                f"{path} cannot be read: line {number}: {reason}. Mend that line by hand, or take it out and "
                "accept its days again with `mlpipe accept`: it is the record of what a person decided."
            ) from error
    return found


def _path(lake: Lake) -> Path:
    return lake.root / "meta" / "acceptances.jsonl"
