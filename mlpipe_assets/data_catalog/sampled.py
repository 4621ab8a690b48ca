"""Some rows of a table, where it is declared to show them; personal columns are never read."""

from datetime import date

import polars as pl

from mlpipe_assets.data_catalog.entry import Entry
from mlpipe_assets.store.lake import Lake


def sample_of(lake: Lake, entry: Entry) -> pl.DataFrame | None:
    """The first rows of the newest partition without personal columns; None where the table shows none.

    Raises: DamagedError when the partition does not hold what was written to it.
    """
    names = [column.name for column in entry.columns if not column.personal]
    if not entry.show_rows or not entry.newest or not names:
        return None
    rows = lake.state(*entry.name.split("/")).read(date.fromisoformat(entry.newest), names)
    return rows.head(entry.show_rows)
