"""What a lake calls when a run has written a table: lineage is recorded, and whatever keeps it from that fails no run."""

import logging
from dataclasses import dataclass
from functools import cached_property

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import MlpipeError
from mlpipe_assets.flow import tables_of
from mlpipe_assets.lineage.database import is_kept, open_database
from mlpipe_assets.lineage.telling import Teller
from mlpipe_assets.store.lake import Lake

_log = logging.getLogger("mlpipe")


@dataclass(frozen=True, kw_only=True)
class Recorder:
    """Records lineage for a catalog.

    Attributes:
        address: Of PostgreSQL; empty for SQLite in the lake.
        run: The id of the run; empty for none.
    """

    catalog: Catalog
    address: str = ""
    run: str = ""

    @cached_property
    def _tables(self) -> frozenset[str]:
        return frozenset(table.key for table in tables_of(self.catalog))

    def __call__(self, lake: Lake, stage: str, name: str) -> None:
        """Record what a table holds now and what it was made of; the next run does so where it cannot be done now."""
        if f"{stage}/{name}" not in self._tables or not is_kept(lake, self.address):
            return
        try:
            Teller(lake=lake, catalog=self.catalog, database=open_database(lake, self.address), run=self.run).tell(
                [f"{stage}/{name}"]
            )
        except MlpipeError as error:
            _log.warning("%s/%s: its lineage is not on record yet, the next run records it. %s", stage, name, error)
