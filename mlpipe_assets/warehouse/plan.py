"""Whether the warehouse has what the lake has, and which warehouse that is."""

from collections.abc import Sequence
from uuid import uuid4

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import MlpipeError, SettingsError
from mlpipe_assets.partitions import last_partition
from mlpipe_assets.rules import digest
from mlpipe_assets.settings import read_settings
from mlpipe_assets.stages.flow_table import Holding
from mlpipe_assets.stages.work import Wanted, Work, or_unreadable
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.records import Record
from mlpipe_assets.warehouse.postgres import Behind, Published, Warehouse
from mlpipe_assets.warehouse.tables import WarehouseTable, warehouse_tables

POSTGRES = "postgres"


def warehouse_of(lake: Lake) -> Warehouse | None:
    """The warehouse of MLPIPE_POSTGRES_URL for the data folder, to look at; None without one, and for any other lake, as a prototype's.

    Raises: SettingsError for an address that is none.
    """
    settings = read_settings()
    if not settings.postgres_url or lake.root != settings.data_dir:
        return None
    return Warehouse(settings.postgres_url, _name_record(lake).read() or "")


def expect_warehouse(lake: Lake, *, writing: bool = True) -> Warehouse:
    """The same, which has to be there; to publish to, the data folder gets a name, once.

    Raises: SettingsError where none is declared.
    """
    if writing and warehouse_of(lake) and _name_record(lake).read() is None:
        _name_record(lake).write({"name": uuid4().hex})
    found = warehouse_of(lake)
    if found is None:
        raise SettingsError(
            "There is no warehouse to publish to. Set MLPIPE_POSTGRES_URL, as postgresql://USER:PASSWORD@HOST/DATABASE."
        )
    return found


@or_unreadable(lambda _: f"warehouse/{POSTGRES}")
def warehouse_work(lake: Lake, catalog: Catalog, _: Wanted) -> Work:
    """Something to publish today, when the warehouse is not what the lake is."""
    table = f"warehouse/{POSTGRES}"
    warehouse = warehouse_of(lake)
    if warehouse is None or not warehouse.find_behind(warehouse_tables(lake, catalog)):
        return Work(table=table)
    return Work(table=table, days=(last_partition(),))


def inputs_of_warehouse(lake: Lake, catalog: Catalog) -> str:
    """Digest of what the warehouse would hold now."""
    tables = warehouse_tables(lake, catalog)
    return digest([[one.full_name, one.shape, [[part.name, part.digest] for part in one.parts]] for one in tables])


def warehouse_held(lake: Lake) -> Holding | None:
    """What is published; None where nothing is, or no warehouse answers."""
    try:
        warehouse = warehouse_of(lake)
        rows, parts = warehouse.held() if warehouse else (0, "")
    except MlpipeError:  # `warehouse_work` says so
        return None
    return Holding(day=last_partition(), rows=rows, digest=parts) if parts else None


def publish_behind(warehouse: Warehouse, behind: Sequence[Behind]) -> tuple[list[Published], list[str]]:
    """Publish what is behind, table by table: what was published, and why other tables were not. One does not keep the others."""
    published: list[Published] = []
    problems: list[str] = []
    for one in behind:
        try:
            published.append(warehouse.publish(one.table))
        except MlpipeError as error:
            named = one.table.full_name
            problems.append(f"{error}" if named in f"{error}" else f"{named}: {error}")
    return published, problems


def tables_named(tables: Sequence[WarehouseTable], names: Sequence[str]) -> list[WarehouseTable]:
    """Some tables by `schema.name`; all without names.

    Raises: SettingsError for a name that none has.
    """
    known = {table.full_name: table for table in tables}
    if lacking := [name for name in names if name not in known]:
        raise SettingsError(f"No table is called {lacking[0]!r}. There are: {', '.join(known)}")
    return [known[name] for name in names] or [*tables]


def _name_record(lake: Lake) -> Record[str]:
    """By which name a data folder publishes: made up once, so that two of them do not overwrite each other."""
    return Record(objects=lake.objects, key=keys.WAREHOUSE, parse=lambda found: str(found["name"]))
