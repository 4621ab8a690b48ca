"""What a damaged partition would be built again from, and whether something of that is lost itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from mlpipe_assets.catalog.declarations import Catalog, Source, is_snapshot
from mlpipe_assets.partitions import ONE_DAY, days_between
from mlpipe_assets.point_in_time.windows import Inputs
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.champions import champion_of
from mlpipe_assets.training.model_files import MODEL_FILE
from mlpipe_assets.training.plan import plan_training_set

_FLOW = (
    keys.EVENTS,
    "interim",
    "features",
    "processed",
    keys.MODELS,
    "predictions",
    keys.PROFILES,
    keys.DRIFT,
)
Place = tuple[str, str, date | None]  # stage, table, day; models have no day, and their version is part of the name


@dataclass(kw_only=True)
class Rebuilds:
    """Which damaged partitions no run can build again, because of others."""

    lake: Lake
    catalog: Catalog
    _lost: dict[Place, str] = field(default_factory=dict)

    def find_hindered(self, damaged: Mapping[str, bool]) -> dict[str, str]:
        """Of damaged files that a run builds again, those it cannot, each with the lost file that is in the way.

        Args:
            damaged: Damaged files by path below the data folder, and whether a run makes them again, other damage aside.
        """
        hindered: dict[str, str] = {}
        broken = {place for name in damaged if (place := place_of(name))}
        for name in sorted(damaged, key=_stage_of):
            place = place_of(name)
            if place is None:
                continue
            if not damaged[name]:
                self._lost[place] = name
            elif cause := next((self._lost[p] for p in self._made_of(place, broken) if p in self._lost), None):
                hindered[name] = self._lost[place] = cause
        return hindered

    def _made_of(self, place: Place, broken: set[Place]) -> Iterator[Place]:
        """The partitions a rebuild reads."""
        stage, name, day = place
        sources = {source.name: source for source in self.catalog.sources}
        views = {view.name: view for view in self.catalog.feature_views}
        models = {model.name: model for model in self.catalog.models}
        if day is None:
            return
        if stage == "interim" and name in sources:
            yield keys.EVENTS, name, day
            yield from _neighbours(sources[name], day, broken)
        elif stage == "features" and name in views:
            for source in Inputs(lake=self.lake, catalog=self.catalog, view=views[name]).sources:
                window = days_between(day - views[name].lookback + ONE_DAY, day)
                days = [source.snapshot_in_force(day)] if is_snapshot(source.source) else window
                yield from (("interim", source.source.name, d) for d in days)
        elif stage == "processed" and name in models:
            first = next(iter(self.lake.days("features", models[name].view.name)), None)
            plan = plan_training_set(models[name], day, first)
            yield from (("features", models[name].view.name, d) for d in plan.used)
            yield from (("interim", source, d) for source in models[name].inputs for d in plan.label_days())
        elif stage == "predictions" and name in models:
            yield "features", models[name].view.name, day
            led = champion_of(self.lake, name, day)
            yield from [(keys.MODELS, f"{name}/{led.version}", None)] if led else []
        elif stage.startswith("monitoring"):
            watched, _, table = name.partition(".")
            yield watched, table, day


def _neighbours(source: Source, day: date, broken: set[Place]) -> Iterator[Place]:
    """Events of other days that a day needs to know its duplicates: of those whose clean table is damaged too."""
    for stage, name, other in broken:
        near = other is not None and not is_snapshot(source) and abs(other - day) <= source.dedupe_within
        if (stage, name) == ("interim", source.name) and near:
            yield keys.EVENTS, name, other


def place_of(name: str) -> Place | None:
    """The partition that a file is in, or the version of a model; None for files of neither."""
    stage = next((stage for stage in _FLOW if name.startswith(f"{stage}/")), None)
    if stage is None:
        return None
    table, _, rest = name.removeprefix(f"{stage}/").partition("/")
    folder, _, file = rest.partition("/")
    if keys.is_day(folder) and (day := keys.read_day(folder)):
        return stage, table, day
    return (stage, f"{table}/{folder}", None) if stage == keys.MODELS and file == MODEL_FILE else None


def _stage_of(name: str) -> tuple[int, str]:
    return next((n for n, stage in enumerate(_FLOW) if name.startswith(f"{stage}/")), len(_FLOW)), name
