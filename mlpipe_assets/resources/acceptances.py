"""What the person on duty accepted: days of a source that may be written although they break its tolerance."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from mlpipe_assets.errors import LakeError
from mlpipe_assets.resources.documents import UNREADABLE, spell_reason
from mlpipe_assets.resources.lake import Lake
from mlpipe_assets.resources.refusals import refusal_of

NOTHING_CAME = "nothing came"


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """What a person accepted of a day.

    Attributes:
        inputs: Digest of the day's deliveries and of what was refused of them, or that nothing came; it holds for these
            alone. None in records of an earlier version, which hold for days on which nothing came.
        at: When, in UTC.
    """

    reason: str
    inputs: str | None
    at: str

    def holds_for(self, inputs: str) -> bool:
        """Whether this is what the person saw."""
        return (self.inputs or NOTHING_CAME) == inputs


def accept(lake: Lake, source: str, days: Iterable[date], reason: str) -> None:
    """Record that days of a source are taken as they are now, and why. The newest record of a day counts.

    Raises: LakeError when a record made before cannot be read; nothing is added to it then.
    """
    path = _path(lake)
    _records(path)
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    if old and not old.endswith("\n"):  # an editor left it so: a line of its own for what comes
        old += "\n"
    at = datetime.now(tz=UTC).isoformat(timespec="seconds")
    new = (
        json.dumps(
            {
                "source": source,
                "date": f"{day}",
                "reason": reason,
                "accepted_at": at,
                "inputs": _seen(lake, source, day),
            }
        )
        for day in days
    )
    lake.commit(lake.stage_bytes(path, (old + "".join(f"{line}\n" for line in new)).encode()))


def acceptances(lake: Lake, source: str) -> dict[date, Acceptance]:
    """What is on record of a source's days, the newest of each.

    Raises: LakeError when a record cannot be read, whichever source it is of.
    """
    return {day: accepted for name, day, accepted in _records(_path(lake)) if name == source}


def _seen(lake: Lake, source: str, day: date) -> str | None:
    """What a person who accepts a day sees of it: what was refused, or that nothing came."""
    refusal = refusal_of(lake, "interim", source, day)
    return refusal.get("accepts") if refusal else NOTHING_CAME


def _records(path: Path) -> list[tuple[str, date, Acceptance]]:
    """Source, day and acceptance of every record, the oldest first."""
    try:
        lines = path.read_bytes().splitlines() if path.exists() else []
    except OSError as error:
        raise LakeError(f"{path} cannot be read: {spell_reason(error)}. Let this user read it.") from error
    found: list[tuple[str, date, Acceptance]] = []
    for number, line in enumerate(lines, start=1):
        try:
            if line.strip():
                record = json.loads(line.decode())
                accepted = Acceptance(
                    reason=record["reason"], inputs=record.get("inputs"), at=record.get("accepted_at", "")
                )
                found.append((record["source"], date.fromisoformat(record["date"]), accepted))
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
