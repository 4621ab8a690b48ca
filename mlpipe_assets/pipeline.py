"""A catalog as Dagster runs it: the tables of its flow, the jobs, and the policies that hold for all of them.

A Dagster project of your own takes the pipeline from here; nothing is read or loaded by the import.
"""

from functools import partial

import dagster as dg

from mlpipe_assets.automation.freshness_checks import freshness_check, with_freshness_job
from mlpipe_assets.automation.jobs import jobs_of
from mlpipe_assets.automation.prototype import prototype_job
from mlpipe_assets.automation.requests import own_checks
from mlpipe_assets.automation.schedules import schedules_of
from mlpipe_assets.automation.sensors import sensors_of
from mlpipe_assets.automation.tag_job import tag_job
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.loading import settings_of
from mlpipe_assets.catalog.validation.judgeable import expect_judgeable
from mlpipe_assets.catalog.validation.readable import expect_readable
from mlpipe_assets.engines.registry import open_engine_on
from mlpipe_assets.executors.registry import open_executor
from mlpipe_assets.flow import tables_of
from mlpipe_assets.lineage.receiver import Receiver
from mlpipe_assets.lineage.recording import Recorder
from mlpipe_assets.resources.engine import SqlEngine
from mlpipe_assets.resources.run_lake import LakeResource
from mlpipe_assets.resources.run_owner import owner_tags
from mlpipe_assets.settings import Settings
from mlpipe_assets.store import keys


def build_definitions(catalog: Catalog, settings: Settings | None = None) -> dg.Definitions:
    """Everything Dagster needs to run a catalog: assets, checks, jobs, schedules, sensors, resources.

    Args:
        catalog: What exists.
        settings: Where the data is, and the other values of the environment; unless given, those of this process for the
            project that the catalog is declared in.

    Raises: SettingsError when the environment holds a value we cannot use; CatalogError when a rule of a contract cannot be
        judged, or the engine would read a SQL text otherwise.
    """
    expect_judgeable(catalog)
    settings = settings or settings_of(catalog)
    expect_readable(catalog, settings.engine)
    graph = build_graph(catalog, settings)
    jobs = with_freshness_job(graph.jobs or [], catalog, owner_tags(settings.data_dir))
    prototype = prototype_job(catalog, lambda some, root: build_graph(some, settings.for_lake(root)))
    return dg.Definitions(
        assets=graph.assets,
        asset_checks=[freshness_check(catalog)] if catalog.sources else [],
        jobs=[*jobs, prototype, tag_job(catalog, settings.project.root)],
        schedules=schedules_of(catalog, jobs),
        sensors=sensors_of(catalog, settings, jobs, own_checks(graph.assets or [])),
        resources=graph.resources,
        executor=graph.executor,
    )


def build_graph(catalog: Catalog, settings: Settings) -> dg.Definitions:
    """The same without what runs by itself, for `mlpipe run`.

    Steps run in one process: small days cost the work, not the start of workers.
    """
    executor = open_executor(settings.executor)
    engine = open_engine_on(executor, settings.memory_limit, settings.data_dir / keys.ASIDE, settings.engine)
    here = executor.is_here
    return dg.Definitions(
        assets=[table.make() for table in tables_of(catalog)],
        jobs=jobs_of(catalog, owner_tags(settings.data_dir)),
        resources={
            "lake": LakeResource(
                data_dir=str(settings.data_dir),
                address=settings.lake_address,
                recording=dg.ResourceDefinition.hardcoded_resource(partial(_recorder, catalog, settings)),
            ),
            "engine": SqlEngine(memory_limit=settings.memory_limit) if here else engine,
            "executor": executor,
        },
        executor=dg.in_process_executor,
    )


def _recorder(catalog: Catalog, settings: Settings, run: str) -> Recorder:
    url, api_key = settings.openlineage_url, settings.openlineage_api_key
    receiver = Receiver(url=url, api_key=api_key) if url else None
    return Recorder(catalog=catalog, address=settings.metadata_url, run=run, receiver=receiver)
