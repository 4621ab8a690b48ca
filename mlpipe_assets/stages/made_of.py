"""The partitions that a day of a table is built from, stage by stage: what must be whole before a damaged one is built again."""

from collections.abc import Collection, Iterator
from datetime import date

from mlpipe_assets.catalog.declarations import Catalog, FeatureView, Model, Source, is_snapshot
from mlpipe_assets.partitions import ONE_DAY, days_between
from mlpipe_assets.point_in_time.windows import Inputs
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.champions import champion_of
from mlpipe_assets.training.plan import plan_training_set

_Place = tuple[str, str, date | None]  # as in flow, which looks in here
_Damaged = Collection[_Place]


def events_of_day(source: Source, _: Lake, day: date, damaged: _Damaged) -> Iterator[_Place]:
    """The events of a day, and of the days near it whose clean table is damaged too: duplicates are known by them."""
    yield keys.EVENTS, source.name, day
    for stage, name, other in damaged:
        near = other is not None and not is_snapshot(source) and abs(other - day) <= source.dedupe_within
        if (stage, name) == ("interim", source.name) and near:
            yield keys.EVENTS, name, other


def log_of_day(log: Source, _: Lake, day: date, damaged: _Damaged) -> Iterator[_Place]:  # noqa: ARG001 (as of all)
    """The answers of a day."""
    yield "interim", log.name, day


def windows_of_day(catalog: Catalog, view: FeatureView, lake: Lake, day: date, _: _Damaged) -> Iterator[_Place]:
    """The clean days that a feature day looks at, the snapshots in force, and the features that it takes of other views."""
    inputs = Inputs(lake=lake, catalog=catalog, view=view)
    yield from (("features", other.name, inputs.joins.day_joined(day)) for other, _ in inputs.joins.views)
    for source in inputs.sources:
        window = days_between(day - view.lookback + ONE_DAY, day)
        days = [inputs.snapshot_read(source, day)] if is_snapshot(source.source) else window
        yield from (("interim", source.source.name, d) for d in days)


def training_days(model: Model, lake: Lake, day: date, _: _Damaged) -> Iterator[_Place]:
    """The feature days of a training set, and the clean days that its labels look at."""
    plan = plan_training_set(model, day, next(iter(lake.days("features", model.view.name)), None))
    yield from (("features", model.view.name, d) for d in plan.used)
    yield from (("interim", source, d) for source in model.inputs for d in plan.label_days())


def version_asked(model: Model, lake: Lake, day: date, _: _Damaged) -> Iterator[_Place]:
    """The version of a model that answers for a day; none while there is none."""
    if led := champion_of(lake, model.name, day):
        yield keys.MODELS, f"{model.name}/{led.version}", None


def features_and_version(model: Model, lake: Lake, day: date, damaged: _Damaged) -> Iterator[_Place]:
    """The features of a day, and the version that predicts on them."""
    yield "features", model.view.name, day
    yield from version_asked(model, lake, day, damaged)
