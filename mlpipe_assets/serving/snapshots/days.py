"""Which partitions an online snapshot was made of: on record before it answers, and long after its rows are gone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from mlpipe_assets.partitions import ONE_DAY
from mlpipe_assets.serving.snapshots.selection import Plan
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.records import Record

_KEPT = 200  # snapshots: parity judges a day soon after it, and a day has a few
_DIGITS = 16  # of a digest; it only tells two contents of one partition apart
_CURE = "Delete it: answers of that snapshot then count as different where the lake says something else."


@dataclass(frozen=True, kw_only=True)
class ViewMade:
    """What the rows of one view in a snapshot were made of.

    Attributes:
        version: Feature version of its rows.
        ttl_seconds: How old a row might be when it was asked for; None for any age.
        days: The beginning of the digest of each partition.
    """

    version: str
    ttl_seconds: float | None
    days: Mapping[date, str]

    @property
    def end(self) -> datetime:
        """The moment that the newest of its rows can be of."""
        return datetime.combine(max(self.days) + ONE_DAY, time(), tzinfo=UTC)


def note_days(lake: Lake, plan: Plan) -> None:
    """Put on record what the snapshot of a plan is made of."""
    views = {
        one.view.name: {
            "version": one.version,
            "ttl_seconds": one.view.ttl.total_seconds() if one.view.ttl else None,
            "days": {f"{day}": short_digest(one.inputs.made.digest(day)) for day in one.days},
        }
        for one in plan.views
    }
    _record(lake, plan.inputs).write({"inputs": plan.inputs, "views": views})
    found = sorted(lake.objects.list(keys.SNAPSHOTS), key=lambda head: head.modified)
    for head in found[:-_KEPT]:
        lake.objects.delete(head.key)


def read_days(lake: Lake, snapshot: str) -> Mapping[str, ViewMade]:
    """What a snapshot was made of, by view; empty where that is not on record any more. Raises: LakeError."""
    _, _, rest = snapshot.partition("-")  # its id is a number, the beginning of the digest of its inputs, and a token
    return _record(lake, rest.partition("-")[0]).read() or {}


def short_digest(digest: str) -> str:
    """As much of the digest of a partition as is on record."""
    return digest[:_DIGITS]


def _record(lake: Lake, inputs: str) -> Record[Mapping[str, ViewMade]]:
    return Record(objects=lake.objects, key=keys.snapshot_made(inputs[:8]), parse=_parse, cure=_CURE)


def _parse(document: dict[str, Any]) -> Mapping[str, ViewMade]:
    return {
        name: ViewMade(
            version=view["version"],
            ttl_seconds=view["ttl_seconds"],
            days={date.fromisoformat(day): digest for day, digest in view["days"].items()},
        )
        for name, view in document["views"].items()
    }
