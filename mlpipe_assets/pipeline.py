"""Table of contents: the stages in flow order, the jobs, and the policies that hold for all of them.

A Dagster project of your own takes the pipeline from here; nothing is read or loaded by the import.
"""

from dataclasses import replace

import dagster as dg

from mlpipe_assets.automation.freshness_checks import freshness_check, with_freshness_job
from mlpipe_assets.automation.jobs import jobs_of
from mlpipe_assets.automation.prototype import prototype_job
from mlpipe_assets.automation.requests import own_checks
from mlpipe_assets.automation.schedules import schedules_of
from mlpipe_assets.automation.sensors import sensors_of
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.resources.engine import SqlEngine
from mlpipe_assets.resources.run_lake import LakeResource
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


def build_definitions(catalog: Catalog, settings: Settings | None = None) -> dg.Definitions:
    """Everything Dagster needs to run a catalog: assets, checks, jobs, schedules, sensors, resources.

    Args:
        catalog: What exists.
        settings: Where the data is, and the other values of the environment; unless given, those of this process.

    Raises: SettingsError when the environment holds a value we cannot use.
    """
    settings = settings or read_settings()
    graph = build_graph(catalog, settings)
    jobs = with_freshness_job(graph.jobs or [], catalog, owner_tags(settings.data_dir))
    prototype = prototype_job(catalog, lambda some, root: build_graph(some, replace(settings, data_dir=root)))
    return dg.Definitions(
        assets=graph.assets,
        asset_checks=[freshness_check(catalog)] if catalog.sources else [],
        jobs=[*jobs, prototype],
        schedules=schedules_of(catalog, jobs),
        sensors=sensors_of(catalog, settings, jobs, own_checks(graph.assets or [])),
        resources=graph.resources,
        executor=graph.executor,
    )


def build_graph(catalog: Catalog, settings: Settings) -> dg.Definitions:
    """The same without what runs by itself, for `mlpipe run`.

    Steps run in one process: small days cost the work, not the start of workers.
    """
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
            "lake": LakeResource(data_dir=str(settings.data_dir)),
            "engine": SqlEngine(memory_limit=settings.memory_limit),
        },
        executor=dg.in_process_executor,
    )
