"""Some rows of a table, where it is declared to show them; personal columns, and what is made of them, are never read."""

from collections.abc import Collection, Sequence
from datetime import date

import polars as pl

from mlpipe_assets.data_catalog.entry import Entry
from mlpipe_assets.store.lake import Lake


def personal_columns(entries: Sequence[Entry]) -> set[str]:
    """Every personal column, as `interim/customers.email`, and every column that comes from one, however far."""
    origins = {f"{entry.name}.{column.name}": column.made_of for entry in entries for column in entry.columns}
    found = {f"{entry.name}.{column.name}" for entry in entries for column in entry.columns if column.personal}
    while more := {name for name, above in origins.items() if name not in found and not found.isdisjoint(above)}:
        found |= more
    return found


def sample_of(lake: Lake, entry: Entry, personal: Collection[str]) -> pl.DataFrame | None:
    """The first rows of the newest partition without the columns in `personal`; None where the table shows none.

    Raises: DamagedError when the partition does not hold what was written to it.
    """
    names = [column.name for column in entry.columns if f"{entry.name}.{column.name}" not in personal]
    if not entry.show_rows or not entry.newest or not names:
        return None
    rows = lake.state(*entry.name.split("/")).read(date.fromisoformat(entry.newest), names)
    return rows.head(entry.show_rows)
