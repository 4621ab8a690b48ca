"""What the runs do that the tests kill: everything up to date, as `mlpipe run` does it, without Dagster's start."""

from dataclasses import replace
from datetime import timedelta

from mlpipe_assets.catalog.contents import CATALOG as BUILT_IN
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.monitoring.building import build_monitoring
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.stages.features.plan import feature_work
from mlpipe_assets.stages.interim.asset import build_interim
from mlpipe_assets.stages.interim.plan import interim_work
from mlpipe_assets.stages.monitoring.plan import monitor_work
from mlpipe_assets.stages.processed.plan import training_work
from mlpipe_assets.stages.raw.taking import ingest
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import build_training_set

# What a server of processes imports before it forks. No catalog: a child that is forked beside threads of polars waits for
# ever, and whoever loads a catalog to work with it starts them.
PRELOADED = ["mlpipe_assets.engines.duckdb_engine", "mlpipe_assets.monitoring.building"]
PRELOADED += [
    f"mlpipe_assets.stages.{stage}" for stage in ("raw", "interim", "features", "processed", "monitoring_plan")
]
ENGINE = DuckDBEngine(memory_limit="400MB")
_DAY = timedelta(days=1)
CATALOG = replace(  # four days are enough for a training set with all three splits
    BUILT_IN,
    sources=BUILT_IN.sources[:2],  # nobody asks a server here
    models=tuple(replace(m, learner=None, horizon=_DAY, embargo=_DAY, every=_DAY) for m in BUILT_IN.models[:1]),
    monitors=tuple(replace(m, retrains=()) for m in BUILT_IN.monitors if m.table == "interim/orders"),
)


def bring_up_to_date(root: str) -> None:
    """Ingest, then build what is behind: interim and feature days, training set, monitoring."""
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
    for model in CATALOG.models:
        with lake.writing("processed", model.name):
            for day in training_work(lake, CATALOG, model, lambda _: True).days:
                build_training_set(lake, ENGINE, CATALOG, model, day)
    for monitor in CATALOG.monitors:
        with lake.writing("monitoring", monitor.table.partition("/")[2]):
            build_monitoring(lake, ENGINE, CATALOG, monitor, monitor_work(lake, CATALOG, monitor, lambda _: True).days)
