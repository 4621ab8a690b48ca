"""What is behind in every table of a catalog, in the order data flows; nothing is built."""

from collections.abc import Callable
from datetime import date

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.flow import tables_of
from mlpipe_assets.stages.work import Work
from mlpipe_assets.store.lake import Lake


def pending(lake: Lake, catalog: Catalog, wanted: Callable[[date], bool], *, everything: bool = False) -> list[Work]:
    """Days to build and days that cannot be, per table, as things are now: what new files would add is not known yet.

    Args:
        lake: The lake.
        catalog: What exists.
        wanted: Which days may be built.
        everything: Tables too that follow by themselves: training sets wait for their day, measurements come with what they
            measure.
    """
    return [
        table.behind(lake, wanted) for table in tables_of(catalog) if table.behind and (everything or not table.follows)
    ]
