"""The tables of a catalog in the order data flows, with what everyone needs to know of each. Written once, here.

Planner, `mlpipe run`, sensors, jobs, schedules, freshness, alerts, `mlpipe status`, `mlpipe sql` and `mlpipe verify` go over
this list. A stage is a function that gives the tables of a catalog, and a line in `STAGES`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from mlpipe_assets.catalog.declarations import Catalog, Model, is_snapshot
from mlpipe_assets.freshness.rules import TableFreshness
from mlpipe_assets.monitoring.building import REPORT
from mlpipe_assets.store import keys
from mlpipe_assets.store.keys import DRIFT, EVENTS, META, PART, PROFILES
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.transforms.splits import SPLITS

if TYPE_CHECKING:
    import dagster as dg

    from mlpipe_assets.stages.work import Work

Wanted = Callable[[date], bool]
Place = tuple[str, str, date | None]  # stage, table, day; a version of a model has no day, and is part of the name
_MEND = "see the breaches, mend the inputs, the SQL or the contract they name, then `mlpipe run`"
_DELIVER = "correct and deliver the file again, or take the day as it is with `mlpipe accept`"


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table of the flow.

    Attributes:
        stage: The first part of its asset's key.
        name: The second one.
        make: Gives its Dagster asset.
        jobs: Jobs that its asset takes part in; the first is the one that builds days that are behind.
        upstream: Tables it is made of, as `stage/name`.
        behind: Gives its days to build, and those that cannot be; None where files decide, or nothing.
        asked: When sensors ask for it: whenever days are behind; for the first training only, since schedules and drift ask
            for the others; when nothing else is behind; or never.
        also: Tables that a sensor asks for in the same run, because they follow from it.
        follows: Whether it is built without being asked for once what it is made of is there, so that a list of what is behind
            can leave it out.
        blocked: Whether days that cannot be built are an error of a run, or a warning.
        to_do: What a person does about days that were refused, or checks that failed.
        healed_at_once: Whether one success makes up for every failure before. Of other tables each day that failed must pass.
        made_of: Gives the partitions that a day is built from, where these are not that day of the tables upstream; it is told
            which partitions are damaged.
        fresh: Says whether it is as new as declared; None where nothing is promised.
        each_day: Whether the day's job has something left to do while a day that is over has no partition.
        folder: Stage and name of the folder of its partitions, where these are not those of the table.
        beside: Other folders that its runs write partitions into.
        state: Gives a digest of what it is made of, where it has no partitions that tell what has changed.
        files: Files of a partition, each shown by its own name where there are several; none where it has no partitions.
        schema: Its schema in SQL; None where SQL does not show it as a table of its own.
    """

    stage: str
    name: str
    make: "Callable[[], dg.AssetsDefinition]"
    jobs: tuple[str, ...]
    upstream: tuple[str, ...] = ()
    behind: "Callable[[Lake, Wanted], Work] | None" = None
    asked: Literal["always", "first", "last", "never"] = "always"
    also: tuple[str, ...] = ()
    follows: bool = False
    blocked: Literal["error", "warning"] = "error"
    to_do: str = _MEND
    healed_at_once: bool = False
    made_of: Callable[[Lake, date, Collection[Place]], Iterable[Place]] | None = None
    fresh: Callable[[Lake, datetime], TableFreshness] | None = None
    each_day: bool = False
    folder: tuple[str, str] | None = None
    beside: tuple[tuple[str, str], ...] = ()
    state: Callable[[Lake], str] | None = None
    files: tuple[str, ...] = (PART,)
    schema: str | None = None

    @property
    def key(self) -> str:
        """`stage/name`."""
        return f"{self.stage}/{self.name}"

    @property
    def place(self) -> tuple[str, str]:
        """Stage and name of the folder of its partitions."""
        return self.folder or (self.stage, self.name)


def tables_of(catalog: Catalog) -> list[Table]:
    """Every table of a catalog, each after those it is made of."""
    return [table for stage in STAGES.values() for table in stage(catalog)]


def stage_names() -> tuple[str, ...]:
    """Every stage in the order data flows, whether a catalog has tables of it or not."""
    return tuple(STAGES)


def written_folders() -> tuple[str, ...]:
    """Every folder that we write, by key. The drop zone is its senders', so of raw it is the events."""
    return (EVENTS, *(stage for stage in stage_names() if stage != "raw"), META)


def _later(function: str, *args: object) -> Callable[..., Any]:
    """A function of a module that is imported when it is called: who reads tables need not load what builds them."""
    module, _, name = function.rpartition(".")
    return lambda *more: getattr(import_module(f"mlpipe_assets.{module}"), name)(*args, *more)


def _behind(function: str, *args: object) -> "Callable[[Lake, Wanted], Work]":
    find = _later(function)
    return lambda lake, wanted: find(lake, *args, wanted)


def _raw(catalog: Catalog) -> Iterator[Table]:
    for source in catalog.sources:
        yield Table(
            stage="raw",
            name=source.name,
            make=_later("stages.raw.raw_asset", source),
            jobs=("ingest_job", "daily_job"),
            to_do=_DELIVER,
            healed_at_once=True,
            fresh=_later("freshness.tables.judge_events", source),
            folder=(EVENTS, source.name),
            files=(),
        )


def _interim(catalog: Catalog) -> Iterator[Table]:
    for source in catalog.sources:
        yield Table(
            stage="interim",
            name=source.name,
            make=_later("stages.interim.interim_asset", source),
            jobs=("daily_job",),
            upstream=(f"raw/{source.name}",),
            behind=_behind("stages.interim_plan.interim_work", source),
            to_do=_DELIVER,
            made_of=_later("stages.made_of.events_of_day", source),
            fresh=_later("freshness.tables.judge_clean", source),
            each_day=not is_snapshot(source),
            schema="stg",
        )


def _features(catalog: Catalog) -> Iterator[Table]:
    for view in catalog.feature_views:
        yield Table(
            stage="features",
            name=view.name,
            make=_later("stages.features.feature_asset", catalog, view),
            jobs=("daily_job",),
            upstream=tuple(f"interim/{name}" for name in view.inputs),
            behind=_behind("stages.features_plan.feature_work", catalog, view),
            made_of=_later("stages.made_of.windows_of_day", catalog, view),
            fresh=_later("freshness.tables.judge_features", view),
            each_day=True,
            schema="feats",
        )


def _online(catalog: Catalog) -> Iterator[Table]:
    if catalog.feature_views:
        yield Table(
            stage="online",
            name="features",
            make=_later("stages.online.online_asset", catalog),
            jobs=("daily_job",),
            upstream=tuple(f"features/{view.name}" for view in catalog.feature_views),
            behind=_behind("stages.online_plan.online_work", catalog),
            follows=True,
            blocked="warning",
            to_do="see what is wrong with the features, or with the online store; the snapshot before goes on answering",
            healed_at_once=True,
            state=lambda lake: _later("stages.online_plan.inputs_of_snapshot")(lake, catalog),
            files=(),
        )


def _processed(catalog: Catalog) -> Iterator[Table]:
    retrained = any(model.learner for model in catalog.models)
    for model in catalog.models:
        yield Table(
            stage="processed",
            name=model.name,
            make=_later("stages.processed.training_asset", catalog, model),
            jobs=("training_job", *(["retraining_job"] if retrained else [])),
            upstream=(f"features/{model.view.name}", *(f"interim/{name}" for name in model.inputs)),
            behind=_behind("stages.processed_plan.training_work", catalog, model),
            asked="first",
            also=(f"models/{model.name}", f"validation/{model.golden}") if model.learner else (),
            follows=True,
            blocked="warning",
            healed_at_once=True,
            made_of=_later("stages.made_of.training_days", model),
            fresh=_later("freshness.tables.judge_training_set", model),
            files=tuple(map(keys.split, SPLITS)),
            schema="training",
        )


def _models(catalog: Catalog) -> Iterator[Table]:
    for model in _learners(catalog):
        yield Table(
            stage="models",
            name=model.name,
            make=_later("stages.models.model_asset", catalog, model),
            jobs=("training_job", "retraining_job"),
            upstream=(f"processed/{model.name}",),
            behind=_behind("stages.models_plan.model_work", catalog, model),
            asked="never",
            blocked="warning",
            to_do="see the card of the version, in models/; mend the data or the declaration, then train again",
            healed_at_once=True,
            fresh=_later("freshness.tables.judge_model", model),
            schema="models",
        )


def _validation(catalog: Catalog) -> Iterator[Table]:
    for model in _learners(catalog):
        yield Table(
            stage="validation",
            name=model.golden,
            make=_later("stages.validation.golden_asset", catalog, model),
            jobs=("prediction_job", "training_job", "retraining_job"),
            upstream=(f"models/{model.name}",),
            behind=_behind("stages.validation_plan.golden_work", catalog, model),
            to_do="train a new model, go back with `mlpipe rollback`, or take the change back",
            healed_at_once=True,
            made_of=_later("stages.made_of.version_asked", model),
            schema="validation",
        )


def _predictions(catalog: Catalog) -> Iterator[Table]:
    for model in _learners(catalog):
        yield Table(
            stage="predictions",
            name=model.name,
            make=_later("stages.predictions.prediction_asset", catalog, model),
            jobs=("prediction_job",),
            upstream=(f"features/{model.view.name}", f"models/{model.name}"),
            behind=_behind("stages.predictions_plan.prediction_work", catalog, model),
            to_do="do what the objection says: build the features, or train; leave the day as it is where the champion learnt from "
            "labels after it",
            made_of=_later("stages.made_of.features_and_version", model),
            fresh=_later("freshness.tables.judge_predictions", model),
            schema="predictions",
        )


def _monitoring(catalog: Catalog) -> Iterator[Table]:
    for monitor in sorted(catalog.monitors, key=lambda monitor: monitor.stage == "predictions"):
        yield Table(
            stage="monitoring",
            name=monitor.name,
            make=_later("stages.monitoring.monitor_asset", catalog, monitor),
            jobs=("prediction_job" if monitor.stage == "predictions" else "daily_job",),
            upstream=(monitor.table,),
            behind=_behind("stages.monitoring_plan.monitor_work", catalog, monitor),
            also=(f"monitoring/{REPORT}",),
            follows=True,
            to_do=f"see {keys.REPORT_PAGE}",
            fresh=_later("freshness.tables.judge_measurements", monitor),
            folder=(DRIFT, monitor.folder),
            beside=((PROFILES, monitor.folder),),
        )
    if catalog.monitors:
        jobs = {"prediction_job" if monitor.stage == "predictions" else "daily_job" for monitor in catalog.monitors}
        yield Table(
            stage="monitoring",
            name=REPORT,
            make=_later("stages.monitoring.report_asset", catalog),
            jobs=tuple(sorted(jobs)),
            upstream=tuple(f"monitoring/{monitor.name}" for monitor in catalog.monitors),
            behind=_behind("stages.monitoring_plan.report_work", catalog),
            asked="last",
            follows=True,
            to_do=f"see {keys.REPORT_PAGE}",
            state=lambda lake: _later("monitoring.read_back.inputs_of_report")(lake, catalog),
            files=(),
        )


def _learners(catalog: Catalog) -> Iterable[Model]:
    return (model for model in catalog.models if model.learner)


STAGES: Mapping[str, Callable[[Catalog], Iterable[Table]]] = {
    "raw": _raw,
    "interim": _interim,
    "features": _features,
    "online": _online,
    "processed": _processed,
    "models": _models,
    "validation": _validation,
    "predictions": _predictions,
    "monitoring": _monitoring,
}
