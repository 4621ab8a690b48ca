"""What the person on duty accepted: days of a source, or of a table that judges, which may be written although they were refused."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.records import Log

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

    Args:
        lake: The lake.
        source: Its name; of a table that is none the stage too, as `validation/online_parity`.
        days: What was refused.
        reason: Why it is right as it is.

    Raises: LakeError when a record made before cannot be read; nothing is added to it then.
    """
    log = _log(lake)
    log.read()
    at = datetime.now(tz=UTC).isoformat(timespec="seconds")
    more = {"reason": reason, "accepted_at": at}
    log.append({"source": source, "date": f"{day}", **more, "inputs": _seen(lake, source, day)} for day in days)


def acceptances(lake: Lake, source: str) -> dict[date, Acceptance]:
    """What is on record of a source's days, the newest of each.

    Raises: LakeError when a record cannot be read, whichever source it is of.
    """
    return {day: accepted for name, day, accepted in _log(lake).read() if name == source}


def _seen(lake: Lake, source: str, day: date) -> str | None:
    """What a person who accepts a day sees of it: what was refused, or that nothing came."""
    stage, _, name = source.rpartition("/")
    refusal = lake.state(stage or "interim", name).refused.get(day)
    return refusal.get("accepts") if refusal else NOTHING_CAME


def _log(lake: Lake) -> Log[tuple[str, date, Acceptance]]:
    """Source, day and acceptance of every record."""
    cure = (
        "Mend that line by hand, or take it out and accept its days again with `mlpipe accept`: it is the record of what a "
        "person decided."
    )
    return Log(objects=lake.objects, key=keys.ACCEPTANCES, parse=_parse, cure=cure)


def _parse(record: dict[str, Any]) -> tuple[str, date, Acceptance]:
    accepted = Acceptance(reason=record["reason"], inputs=record.get("inputs"), at=record.get("accepted_at", ""))
    return record["source"], date.fromisoformat(record["date"]), accepted
