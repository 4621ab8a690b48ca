"""Contents that neither a tag nor the newest state names are taken away."""

from collections.abc import Iterator
from dataclasses import dataclass

from mlpipe_assets.errors import BusyError
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.table import Unnamed


@dataclass(frozen=True, kw_only=True)
class Collected:
    """What became of one table.

    Attributes:
        found: What nothing names; None where the table was left.
        left: Why it was left.
    """

    table: str
    found: Unnamed | None = None
    left: str = ""


def collect(lake: Lake, now: float, *, remove: bool) -> Iterator[Collected]:
    """Go over all tables, and take away what nothing names; a table that a run writes is left.

    Args:
        lake: The lake.
        now: In seconds since 1970.
        remove: Take it away; else it is only counted.

    Raises: LakeError when a tag or a manifest cannot be read; nothing was taken away of its table, or of those after it.
    """
    for name in sorted(_tables(lake)):
        try:
            yield Collected(table=name, found=lake.table(*name.rsplit("/", 1)).collect(now, remove=remove))
        except BusyError as error:
            yield Collected(table=name, left=f"{error}")


def _tables(lake: Lake) -> set[str]:
    """Tables with a manifest, and those of which only contents are there."""
    found = {keys.table_of_manifest(path.name) for path in (lake.root / keys.TABLES).glob("*.json")}
    store = lake.root / keys.CONTENTS
    return found | {f"{day.parent.relative_to(store)}" for day in store.rglob(keys.ANY_DAY)}
