"""Table of contents: the stages in flow order, the jobs, and the policies that hold for all of them."""

import sys
from dataclasses import replace

import dagster as dg

from mlpipe_assets.automation.freshness_checks import freshness_check, with_freshness_job
from mlpipe_assets.automation.jobs import jobs_of
from mlpipe_assets.automation.prototype import prototype_job
from mlpipe_assets.automation.requests import own_checks
from mlpipe_assets.automation.schedules import schedules_of
from mlpipe_assets.automation.sensors import sensors_of
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.loading import load_catalog
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.resources.engine import SqlEngine
from mlpipe_assets.resources.lake import Lake
from mlpipe_assets.resources.run_owner import owner_tags
from mlpipe_assets.settings import Settings, read_settings
from mlpipe_assets.stages.features import feature_asset
from mlpipe_assets.stages.interim import interim_asset
from mlpipe_assets.stages.models import model_asset
from mlpipe_assets.stages.monitoring import monitor_asset, report_asset
from mlpipe_assets.stages.predictions import prediction_asset
from mlpipe_assets.stages.processed import training_asset
from mlpipe_assets.stages.raw import raw_asset
from mlpipe_assets.stages.validation import golden_asset


def build_definitions(catalog: Catalog, settings: Settings) -> dg.Definitions:
    """The asset graph of a catalog. Steps run in one process: small days cost the work, not the start of workers."""
    learners = [model for model in catalog.models if model.learner]
    return dg.Definitions(
        assets=[
            *map(raw_asset, catalog.sources),
            *map(interim_asset, catalog.sources),
            *(feature_asset(catalog, view) for view in catalog.feature_views),
            *(training_asset(catalog, model) for model in catalog.models),
            *(model_asset(catalog, model) for model in learners),
            *(golden_asset(catalog, model) for model in learners),
            *(prediction_asset(catalog, model) for model in learners),
            *(monitor_asset(catalog, monitor) for monitor in catalog.monitors),
            *([report_asset(catalog)] if catalog.monitors else []),
        ],
        jobs=jobs_of(catalog, owner_tags(settings.data_dir)),
        resources={
            "lake": Lake(data_dir=str(settings.data_dir)),
            "engine": SqlEngine(memory_limit=settings.memory_limit),
        },
        executor=dg.in_process_executor,
    )


def automate(definitions: dg.Definitions, catalog: Catalog, settings: Settings) -> dg.Definitions:
    """The same with what runs by itself: freshness checks, schedules and sensors. `mlpipe run` does without."""
    jobs = with_freshness_job(definitions.jobs or [], catalog, owner_tags(settings.data_dir))
    prototype = prototype_job(catalog, lambda some, root: build_definitions(some, replace(settings, data_dir=root)))
    return dg.Definitions(
        assets=definitions.assets,
        asset_checks=[freshness_check(catalog)] if catalog.sources else [],
        jobs=[*jobs, prototype],
        schedules=schedules_of(catalog, jobs),
        sensors=sensors_of(catalog, settings, jobs, own_checks(definitions.assets or [])),
        resources=definitions.resources,
        executor=definitions.executor,
    )


SETTINGS = read_settings()
try:
    CATALOG = load_catalog(SETTINGS.catalog)
except SettingsError:
    sys.tracebacklimit = 0  # the message names file and line; Dagster would print its own thirty frames around it
    raise
defs = automate(build_definitions(CATALOG, SETTINGS), CATALOG, SETTINGS)
