"""The tables of a catalog in the order data flows, with what everyone needs to know of each. Written once, here.

Planner, `mlpipe run`, sensors, jobs, schedules, freshness, alerts, `mlpipe status`, `mlpipe sql` and `mlpipe verify` go over
this list. A stage is a function that gives the tables of a catalog, and a line in `STAGES`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

from mlpipe_assets.catalog.declarations import Catalog, Model, Source, is_snapshot
from mlpipe_assets.catalog.joined_views import views_joined
from mlpipe_assets.catalog.served_contracts import served_contract
from mlpipe_assets.catalog.serving_log import find_serving_log
from mlpipe_assets.catalog.tasks import TASKS
from mlpipe_assets.contracts.model_files import ModelFiles
from mlpipe_assets.flow_services import catalog_tables, online_tables, warehouse_tables
from mlpipe_assets.freshness.rules import TableFreshness
from mlpipe_assets.monitoring.building import REPORT
from mlpipe_assets.stages.flow_table import Table, behind, held_back, later
from mlpipe_assets.store import keys
from mlpipe_assets.store.keys import DRIFT, EVENTS, META, PROFILES
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.transforms.splits import SPLITS

_DELIVER = "correct and deliver the file again, or take the day as it is with `mlpipe accept SOURCE DATE --reason …`"


def tables_of(catalog: Catalog) -> list[Table]:
    """Every table of a catalog, each after those it is made of."""
    return [held_back(table) for stage in STAGES.values() for table in stage(catalog)]


def stage_names() -> tuple[str, ...]:
    """Every stage in the order data flows, whether a catalog has tables of it or not."""
    return tuple(STAGES)


def written_folders() -> tuple[str, ...]:
    """Every folder that we write, by key. The drop zone is its senders', so of raw it is the events; a warehouse is no folder."""
    return (EVENTS, *(stage for stage in stage_names() if stage not in ("raw", META, "warehouse")), META)


def _raw(catalog: Catalog) -> Iterator[Table]:
    for source in catalog.sources:
        yield Table(
            stage="raw",
            name=source.name,
            make=later("stages.raw.asset.raw_asset", source),
            jobs=("ingest_job", "daily_job"),
            to_do=_DELIVER,
            healed_at_once=True,
            fresh=_promised("freshness.tables.judge_events", source),
            folder=(EVENTS, source.name),
            files=(),
        )


def _interim(catalog: Catalog) -> Iterator[Table]:
    for source in catalog.sources:
        yield Table(
            stage="interim",
            name=source.name,
            make=later("stages.interim.asset.interim_asset", source),
            jobs=("daily_job",),
            upstream=(f"raw/{source.name}",),
            behind=behind(f"stages.interim.plan.{_interim_work(catalog, source)}", source),
            to_do=_DELIVER,
            made_of=later("stages.made_of.events_of_day", source),
            fresh=_promised("freshness.tables.judge_clean", source),
            each_day=not is_snapshot(source) and source.fresh_within is not None,
            schema="stg",
            contract=source.contract,
        )


def _promised(function: str, source: Source) -> Callable[[Lake, datetime], TableFreshness] | None:
    """What judges whether a source is late; None for one that nobody has to deliver."""
    return later(function, source, source.fresh_within) if source.fresh_within is not None else None


def _interim_work(catalog: Catalog, source: Source) -> str:
    """What finds the days of a source to build: more is kept of one that some view reads as it was known."""
    asked = any(view.is_as_known and source.name in view.inputs for view in catalog.feature_views)
    return "interim_work_with_history" if asked else "interim_work"


def _features(catalog: Catalog) -> Iterator[Table]:
    for view in catalog.feature_views:
        yield Table(
            stage="features",
            name=view.name,
            make=later("stages.features.asset.feature_asset", catalog, view),
            jobs=("daily_job",),
            upstream=(
                *(f"interim/{name}" for name in view.inputs),
                *(f"features/{other.name}" for other in views_joined(catalog, view)),
            ),
            behind=behind("stages.features.plan.feature_work", catalog, view),
            made_of=later("stages.made_of.windows_of_day", catalog, view),
            fresh=later("freshness.tables.judge_features", view),
            each_day=True,
            schema="feats",
            contract=view.contract,
        )


def _processed(catalog: Catalog) -> Iterator[Table]:
    retrained = any(model.learner for model in catalog.models)
    for model in catalog.models:
        yield Table(
            stage="processed",
            name=model.name,
            make=later("stages.processed.asset.training_asset", catalog, model),
            jobs=("training_job", *(["retraining_job"] if retrained else [])),
            upstream=(f"features/{model.view.name}", *(f"interim/{name}" for name in model.inputs)),
            behind=behind("stages.processed.plan.training_work", catalog, model),
            asked="first",
            also=(f"models/{model.name}", f"validation/{model.golden}") if model.learner else (),
            follows=True,
            blocked="warning",
            healed_at_once=True,
            made_of=later("stages.made_of.training_days", model),
            fresh=later("freshness.tables.judge_training_set", model),
            files=tuple(map(keys.split, SPLITS)),
            schema="training",
            contract=model.contract,
        )


def _models(catalog: Catalog) -> Iterator[Table]:
    for model in _learners(catalog):
        yield Table(
            stage="models",
            name=model.name,
            make=later("stages.models.asset.model_asset", catalog, model),
            jobs=("training_job", "retraining_job"),
            upstream=(f"processed/{model.name}",),
            behind=behind("stages.models.plan.model_work", catalog, model),
            asked="never",
            blocked="warning",
            to_do="see the card of the version, in models/; mend the data or the declaration, then train again",
            healed_at_once=True,
            fresh=later("freshness.tables.judge_model", model),
            schema="models",
            contract=ModelFiles,
        )


def _validation(catalog: Catalog) -> Iterator[Table]:
    for model in _learners(catalog):
        yield Table(
            stage="validation",
            name=model.golden,
            make=later("stages.validation.asset.golden_asset", catalog, model),
            jobs=("prediction_job", "training_job", "retraining_job"),
            upstream=(f"models/{model.name}",),
            behind=behind("stages.validation.plan.golden_work", catalog, model),
            to_do="train a new model, go back with `mlpipe rollback`, or take the change back",
            healed_at_once=True,
            made_of=later("stages.made_of.version_asked", model),
            schema="validation",
            contract=TASKS[model.task].golden,
        )


def _predictions(catalog: Catalog) -> Iterator[Table]:
    for model in _learners(catalog):
        yield Table(
            stage="predictions",
            name=model.name,
            make=later("stages.predictions.asset.prediction_asset", catalog, model),
            jobs=("prediction_job",),
            upstream=(f"features/{model.view.name}", f"models/{model.name}"),
            behind=behind("stages.predictions.plan.prediction_work", catalog, model),
            to_do="do what the objection says: build the features, or train; leave the day as it is where the champion learnt from "
            "labels after it",
            made_of=later("stages.made_of.features_and_version", model),
            fresh=later("freshness.tables.judge_predictions", model),
            schema="predictions",
            contract=model.predictions,
        )
        if log := find_serving_log(catalog):
            yield Table(
                stage="predictions",
                name=model.served,
                make=later("stages.predictions.served.served_asset", log, model),
                jobs=("prediction_job",),
                upstream=(f"interim/{log.name}",),
                behind=behind("stages.predictions.served.served_work", log, model),
                to_do="see which answers break the contract of the model's predictions: mend the contract, then `mlpipe run`",
                schema="predictions",
                contract=served_contract(model),
            )


def _monitoring(catalog: Catalog) -> Iterator[Table]:
    for monitor in sorted(catalog.monitors, key=lambda monitor: monitor.stage == "predictions"):
        yield Table(
            stage="monitoring",
            name=monitor.name,
            make=later("stages.monitoring.asset.monitor_asset", catalog, monitor),
            jobs=("prediction_job" if monitor.stage == "predictions" else "daily_job",),
            upstream=(monitor.table,),
            behind=behind("stages.monitoring.plan.monitor_work", catalog, monitor),
            also=(f"monitoring/{REPORT}",),
            follows=True,
            to_do=f"see {keys.REPORT_PAGE}",
            fresh=later("freshness.tables.judge_measurements", monitor),
            folder=(DRIFT, monitor.folder),
            beside=((PROFILES, monitor.folder),),
        )
    if catalog.monitors:
        jobs = {"prediction_job" if monitor.stage == "predictions" else "daily_job" for monitor in catalog.monitors}
        yield Table(
            stage="monitoring",
            name=REPORT,
            make=later("stages.monitoring.asset.report_asset", catalog),
            jobs=tuple(sorted(jobs)),
            upstream=tuple(f"monitoring/{monitor.name}" for monitor in catalog.monitors),
            behind=behind("stages.monitoring.plan.report_work", catalog),
            asked="last",
            follows=True,
            to_do=f"see {keys.REPORT_PAGE}",
            state=lambda lake: later("monitoring.read_back.inputs_of_report")(lake, catalog),
            files=(),
        )


def _meta(catalog: Catalog) -> Iterator[Table]:
    return catalog_tables(catalog, _of_the_data(catalog))


def _warehouse(catalog: Catalog) -> Iterator[Table]:
    return warehouse_tables(catalog, _of_the_data(catalog))


def _of_the_data(catalog: Catalog) -> Iterable[Table]:
    """Every table but those that say, or show, what the others hold."""
    return (table for name, stage in STAGES.items() if name not in (META, "warehouse") for table in stage(catalog))


def _learners(catalog: Catalog) -> Iterable[Model]:
    return (model for model in catalog.models if model.learner)


STAGES: Mapping[str, Callable[[Catalog], Iterable[Table]]] = {
    "raw": _raw,
    "interim": _interim,
    "features": _features,
    "online": online_tables,
    "processed": _processed,
    "models": _models,
    "validation": _validation,
    "predictions": _predictions,
    "monitoring": _monitoring,
    META: _meta,
    "warehouse": _warehouse,
}
