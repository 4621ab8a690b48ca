"""Whether the online snapshot is of what the features hold now, and where it is kept."""

from datetime import UTC, datetime

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.partitions import last_partition
from mlpipe_assets.serving.addresses import open_store
from mlpipe_assets.serving.online_store import OnlineStore
from mlpipe_assets.serving.selection import plan_snapshot
from mlpipe_assets.settings import read_settings
from mlpipe_assets.stages.work import Wanted, Work, or_unreadable
from mlpipe_assets.store.lake import Lake

ONLINE = "features"


def store_of(lake: Lake) -> OnlineStore:
    """The online store of a lake: that of MLPIPE_ONLINE_URL for the data folder, files of its own for any other lake.

    Raises: SettingsError for an address that no store knows.
    """
    settings = read_settings()
    return open_store(lake, settings.online_url if lake.root == settings.data_dir else "")


@or_unreadable(lambda _: f"online/{ONLINE}")
def online_work(lake: Lake, catalog: Catalog, _: Wanted) -> Work:
    """A snapshot of today, when the features are not those that were published, or taken back."""
    table = f"online/{ONLINE}"
    plan = plan_snapshot(lake, catalog, datetime.now(tz=UTC))
    if plan.obstacles:
        return Work(table=table, blocked=plan.obstacles)
    if not plan.views or store_of(lake).line().is_published(plan.inputs):
        return Work(table=table)
    return Work(table=table, days=(last_partition(),))


def inputs_of_snapshot(lake: Lake, catalog: Catalog) -> str:
    """Digest of what a snapshot would be made of now."""
    return plan_snapshot(lake, catalog, datetime.now(tz=UTC)).inputs
