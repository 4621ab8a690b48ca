"""What a lake calls when a run has written a table: lineage is recorded, and whatever keeps it from that fails no run."""

import logging
from dataclasses import dataclass
from functools import cached_property

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import MlpipeError
from mlpipe_assets.flow import tables_of
from mlpipe_assets.lineage.database import Database, is_kept, open_database
from mlpipe_assets.lineage.metadata_log import MetadataLog
from mlpipe_assets.lineage.receiver import Receiver
from mlpipe_assets.lineage.telling import Teller
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake

_log = logging.getLogger("mlpipe")


@dataclass(frozen=True, kw_only=True)
class Recorder:
    """Records lineage for a catalog.

    Attributes:
        address: Of PostgreSQL; empty for SQLite in the lake.
        run: The id of the run; empty for none.
        receiver: Is sent what is on record; None for nobody.
    """

    catalog: Catalog
    address: str = ""
    run: str = ""
    receiver: Receiver | None = None

    @cached_property
    def _tables(self) -> frozenset[str]:
        return frozenset(table.key for table in tables_of(self.catalog))

    def __call__(self, lake: Lake, stage: str, name: str) -> None:
        """Record what a table holds now and what it was made of; the next run does so where it cannot be done now."""
        if f"{stage}/{name}" not in self._tables or not is_kept(lake, self.address):
            return
        try:
            database = open_database(lake, self.address)
            Teller(lake=lake, catalog=self.catalog, database=database, run=self.run).tell([f"{stage}/{name}"])
        except MlpipeError as error:
            _log.warning("%s/%s: its lineage is not on record yet, the next run records it. %s", stage, name, error)
            return
        try:
            MetadataLog(lake=lake, database=database).bring_up_to_date()
        except MlpipeError as error:
            _log.warning("%s is behind, the next run adds what it lacks. %s", keys.LINEAGE_LOG, error)
        if self.receiver:
            self._send(lake, database, self.receiver)

    def _send(self, lake: Lake, database: Database, receiver: Receiver) -> None:
        from mlpipe_assets.lineage.sending import Sender  # noqa: PLC0415 (few lakes have a receiver)

        try:
            Sender(lake=lake, catalog=self.catalog, database=database, receiver=receiver).send()
        except MlpipeError as error:
            _log.warning("lineage: nothing is sent to MLPIPE_OPENLINEAGE_URL for now. %s", error)
