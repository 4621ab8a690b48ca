"""Valid rows of a day that are not the ones known last: kept beside its partition, so that the past can be read as it was known.

A partition and the rows beside it are together all valid rows that came for a day, whatever became of them since.
"""

from collections.abc import Sequence
from datetime import date

import polars as pl

from mlpipe_assets.stages.interim.day import Day
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.staging import Staged
from mlpipe_assets.store.table_state import TableState
from mlpipe_assets.transforms.staging import RECORD


def find_dead(
    valid: pl.DataFrame, winners: pl.DataFrame, replaced: pl.DataFrame, days: Sequence[Day]
) -> list[pl.DataFrame]:
    """Of each day the valid rows that lost to others of that day, or to a later version of their file.

    Args:
        valid: Valid rows of the days, with `event_date`.
        winners: Those of them that are known last on their day.
        replaced: Rows with the moment at which a later version of their file took their place, as `find_replaced` gives them.
        days: The days.

    Returns: a frame for each day, in the columns of the contract and `replaced_at`.
    """
    lost = valid.clear() if winners.height == valid.height else valid.join(winners, on=list(RECORD), how="anti")
    dead = lost.join(replaced.select(*RECORD, "replaced_at"), on=list(RECORD), how="left")
    return [dead.filter(event_date=entry.day).drop("event_date") for entry in days]


def stage_dead(lake: Lake, source: str, entry: Day, superseded: pl.DataFrame, facts: dict[str, object]) -> list[Staged]:
    """Write the rows beside a partition, to be published with it; nothing where there are none.

    Args:
        lake: Where.
        source: Name of the source.
        entry: The day.
        superseded: Rows that lost to another day's, in the columns of the contract.
        facts: Those of the partition.
    """
    if entry.dead is None:
        return []
    rows = pl.concat([entry.dead, _not_replaced(superseded)]) if superseded.height else entry.dead
    return _stage(lake, source, entry.day, rows, facts)


def add_dead(
    lake: Lake, state: TableState, source: str, day: date, moved: pl.DataFrame, facts: dict[str, object]
) -> list[Staged]:
    """The same of a day that is not being built, whose rows `moved` lost to another day's just now."""
    known = state.read(day, file=keys.SUPERSEDED) if state.has(day, keys.SUPERSEDED) else None
    rows = _not_replaced(moved)
    return _stage(lake, source, day, rows if known is None else pl.concat([known, rows]), facts)


def _not_replaced(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(replaced_at=pl.lit(None, dtype=pl.Datetime("us", "UTC")))


def _stage(lake: Lake, source: str, day: date, rows: pl.DataFrame, facts: dict[str, object]) -> list[Staged]:
    if not rows.height:
        return []
    ordered = rows.sort("known_at", *RECORD)
    return [lake.table("interim", source).stage(day, ordered, facts, keys.SUPERSEDED)]
