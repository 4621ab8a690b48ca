"""Table of contents: the stages in flow order, the jobs, and the policies that hold for all of them."""

import dagster as dg

from mlpipe_assets.automation.jobs import jobs_of
from mlpipe_assets.catalog.contents import load_catalog
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.resources.engine import Engine
from mlpipe_assets.resources.lake import Lake
from mlpipe_assets.settings import Settings, read_settings
from mlpipe_assets.stages.features import feature_asset
from mlpipe_assets.stages.interim import interim_asset
from mlpipe_assets.stages.processed import training_asset
from mlpipe_assets.stages.raw import raw_asset


def build_definitions(catalog: Catalog, settings: Settings) -> dg.Definitions:
    """The asset graph of a catalog. Steps run in one process: small days cost the work, not the start of workers."""
    return dg.Definitions(
        assets=[
            *map(raw_asset, catalog.sources),
            *map(interim_asset, catalog.sources),
            *(feature_asset(catalog, view) for view in catalog.feature_views),
            *(training_asset(catalog, model) for model in catalog.models),
        ],
        jobs=jobs_of(catalog),
        resources={
            "lake": Lake(data_dir=str(settings.data_dir)),
            "engine": Engine(memory_limit=settings.memory_limit),
        },
        executor=dg.in_process_executor,
    )


SETTINGS = read_settings()
defs = build_definitions(load_catalog(SETTINGS.catalog), SETTINGS)
