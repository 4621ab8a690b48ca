"""Deliveries that were taken between two runs, which the next run of raw tells of: in its report, its checks and to Dagster."""

from collections.abc import Iterable

from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.records import list_documents

_HOW = "untold"
HEALED = "healed"  # a mark without a delivery: what could not be read before is gone


def mark_untold(lake: Lake, source: str, name: str) -> None:
    """Say that a run has to tell of a delivery, before it is on record: one that is cut off then leaves a mark, and no gap."""
    lake.objects.put(keys.marked_delivery(source, name, _HOW), b"")


def list_untold(lake: Lake, source: str) -> list[str]:
    """What no run has told of yet: deliveries, and marks of what never came to be one."""
    return list_documents(lake.objects, keys.deliveries(source), f".{_HOW}")


def forget_untold(lake: Lake, source: str, names: Iterable[str]) -> None:
    """Take marks away once a run has told of them."""
    for name in names:
        lake.objects.delete(keys.marked_delivery(source, name, _HOW))
