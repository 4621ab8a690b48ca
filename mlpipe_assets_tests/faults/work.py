"""What the runs do that the tests kill: everything up to date, as `mlpipe run` does it, without Dagster's start."""

from mlpipe_assets.automation.plan import feature_work, interim_work
from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.resources.deliveries import Ledger
from mlpipe_assets.resources.engine import Engine
from mlpipe_assets.resources.lake import Lake
from mlpipe_assets.stages.features import build_features
from mlpipe_assets.stages.interim import build_interim
from mlpipe_assets.stages.raw import ingest

ENGINE = Engine(memory_limit="400MB")


def bring_up_to_date(root: str) -> None:
    """Ingest, then build the interim and feature days that are behind."""
    lake = Lake(data_dir=root)
    for source in CATALOG.sources:
        with lake.writing("raw", source.name):
            ingest(lake, source, Ledger.load(lake, source.name))
    for source in CATALOG.sources:
        with lake.writing("interim", source.name):
            build_interim(lake, ENGINE, source, interim_work(lake, source, lambda _: True).days)
    for view in CATALOG.feature_views:
        with lake.writing("features", view.name):
            build_features(lake, ENGINE, CATALOG, view, feature_work(lake, CATALOG, view, lambda _: True).days)
