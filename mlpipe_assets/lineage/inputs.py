"""What a partition was made of: the artifacts that its stage read."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from mlpipe_assets.catalog.declarations import FeatureView, Monitor
from mlpipe_assets.intake.delivery import Delivery
from mlpipe_assets.lineage.holdings import Held, Holdings, type_of, type_of_key
from mlpipe_assets.lineage.terms import FILE, MODEL_VERSION, Key
from mlpipe_assets.monitoring.monitored_table import days_of_windows
from mlpipe_assets.partitions import ONE_DAY
from mlpipe_assets.point_in_time.known_by import near_days
from mlpipe_assets.point_in_time.windows import Inputs
from mlpipe_assets.serving.snapshots.days import read_days
from mlpipe_assets.stages.flow_table import Table
from mlpipe_assets.stages.made_of import training_days
from mlpipe_assets.stages.online.plan import store_of
from mlpipe_assets.store.lake import Lake


@dataclass(kw_only=True)
class Origins:
    """What the partitions of a catalog's tables were made of, by what this run has read, or as things are now."""

    holdings: Holdings
    events: dict[Key, tuple[str, list[Delivery]]] = field(
        default_factory=dict
    )  # source and deliveries of those spoken of

    @property
    def lake(self) -> Lake:
        """The lake."""
        return self.holdings.lake

    def of(self, table: Table, held: Held) -> dict[Key, str]:
        """The artifacts that one partition was made of, each with its type."""
        return dict(_STAGES.get(table.stage, Origins.of_others)(self, table, held))

    def of_events(self, table: Table, held: Held) -> Iterator[tuple[Key, str]]:
        """The files of a day's events."""
        _, counted = self.holdings.events_of(table.name, _day(held))
        yield from ((key, FILE) for key in self.holdings.files_of(table.name, counted))

    def of_clean_rows(self, table: Table, held: Held) -> Iterator[tuple[Key, str]]:
        """The events of a clean day."""
        key, counted = self.holdings.events_of(table.name, _day(held), held.facts.get("deliveries"))
        if counted:
            self.events[key] = table.name, [*counted]
            yield key, type_of(key.table)

    def of_features(self, table: Table, held: Held) -> Iterator[tuple[Key, str]]:
        """The clean days that a feature day looks at, and what it takes of other views."""
        day, inputs = _day(held), self._view_inputs(table.name)
        for other, _ in inputs.joins.views:
            yield from self._partitions(f"features/{other.name}", inputs.joins.day_joined(day))
        for source in inputs.sources:
            days = inputs.days_read(source, day, day)
            if inputs.is_as_known(source):
                first = day - inputs.view.lookback + ONE_DAY
                days = [d for d in near_days(first, day, source.source.dedupe_within) if d in source.present]
            for one in days:
                yield from self._partitions(f"interim/{source.source.name}", one)

    def _view_inputs(self, name: str) -> Inputs:
        if name not in self._views:
            view = self._declared_views[name]
            self._views[name] = Inputs(lake=self.lake, catalog=self.holdings.catalog, view=view)
        return self._views[name]

    @cached_property
    def _views(self) -> dict[str, Inputs]:
        return {}

    @cached_property
    def _declared_views(self) -> Mapping[str, FeatureView]:
        return {view.name: view for view in self.holdings.catalog.feature_views}

    def of_training_set(self, table: Table, held: Held) -> Iterator[tuple[Key, str]]:
        """The feature days of a training set, and the clean days its labels look at."""
        model = self.holdings.catalog.model(table.name)
        for stage, name, day in training_days(model, self.lake, _day(held), ()):
            yield from self._partitions(f"{stage}/{name}", day)

    def of_version(self, table: Table, held: Held) -> Iterator[tuple[Key, str]]:
        """The training set of a version of a model."""
        yield from self._partitions(f"processed/{table.name}", date.fromisoformat(f"{held.facts['as_of']}"))

    def of_validation(self, table: Table, held: Held) -> Iterator[tuple[Key, str]]:
        """The version whose golden answers were asked for."""
        model = next((one for one in self.holdings.catalog.models if one.golden == table.name), None)
        if model is None:
            yield from self.of_others(table, held)
        else:
            yield from self._version(model.name, held.facts.get("champion"))

    def of_predictions(self, table: Table, held: Held) -> Iterator[tuple[Key, str]]:
        """The features and the version that predicted; of served ones those that answered, and the log."""
        day = _day(held)
        model = next((one for one in self.holdings.catalog.models if one.name == table.name), None)
        if model:
            yield from self._partitions(f"features/{model.view.name}", day)
            yield from self._version(model.name, held.facts.get("champion"))
            return
        yield from self.of_others(table, held)
        served = next(one for one in self.holdings.catalog.models if one.served == table.name)
        rows = self.lake.read("predictions", table.name, day, ["model_version", "as_of"]).unique()
        for version in rows["model_version"].drop_nulls().unique().to_list():
            yield from self._version(served.name, version)
        for as_of in rows["as_of"].drop_nulls().unique().to_list():
            yield from self._partitions(f"features/{served.view.name}", as_of.date() - ONE_DAY)

    def _version(self, model: str, version: object) -> Iterator[tuple[Key, str]]:
        table = self.holdings.tables.get(f"models/{model}")
        for known in self.holdings.digests(table) if table else ():
            if version in known:
                yield Key(f"models/{model}", f"{version}", known[f"{version}"]), MODEL_VERSION

    def of_measurements(self, table: Table, held: Held) -> Iterator[tuple[Key, str]]:
        """The days of the windows that were measured."""
        monitor = self._monitors[table.name]
        for day in days_of_windows(monitor, [_day(held)]):
            yield from self._partitions(monitor.table, day)

    @cached_property
    def _monitors(self) -> Mapping[str, Monitor]:
        return {monitor.name: monitor for monitor in self.holdings.catalog.monitors}

    def of_snapshot(self, _: Table, held: Held) -> Iterator[tuple[Key, str]]:
        """The feature days that a snapshot has rows of."""
        present = store_of(self.lake).line().present
        if present is None or present.inputs != held.key.digest:
            return
        for name, view in read_days(self.lake, present.id).items():
            for day in view.days:
                yield from self._partitions(f"features/{name}", day)

    def of_others(self, table: Table, held: Held) -> Iterator[tuple[Key, str]]:
        """Of a stage that declares nothing else: the same day of each table upstream, or what it says itself."""
        day = _day(held)
        places = {known.place: key for key, known in self.holdings.tables.items()}
        if table.made_of:
            for stage, name, other in table.made_of(self.lake, day, ()):
                if other is None:
                    model, _, version = name.partition("/")
                    yield from self._version(model, version)
                elif (stage, name) in places:
                    yield from self._partitions(places[stage, name], other)
            return
        for key in table.upstream:
            yield from self._partitions(key, day)

    def _partitions(self, key: str, day: date | None) -> Iterator[tuple[Key, str]]:
        """The partition of a day, by each state of its table that was read."""
        table = self.holdings.tables.get(key)
        if table is None or day is None:
            return
        if table.stage == "raw":
            found, counted = self.holdings.events_of(table.name, day)
            if counted:
                self.events[found] = table.name, counted
                yield found, type_of(key)
            return
        for known in self._known(table):
            if f"{day}" in known:
                found = Key(key, f"{day}", known[f"{day}"])
                yield found, type_of_key(found, day)

    def _known(self, table: Table) -> list[Mapping[str, str]]:
        if table.key not in self._read:
            self._read[table.key] = self.holdings.digests(table)
        return self._read[table.key]

    @cached_property
    def _read(self) -> dict[str, list[Mapping[str, str]]]:
        return {}


def _day(held: Held) -> date:
    if held.day is None:  # narrowed by the stage; states it for the type checker
        raise ValueError(held.key)
    return held.day


_STAGES: Mapping[str, Callable[[Origins, Table, Held], Iterator[tuple[Key, str]]]] = {
    "raw": Origins.of_events,
    "interim": Origins.of_clean_rows,
    "features": Origins.of_features,
    "processed": Origins.of_training_set,
    "models": Origins.of_version,
    "validation": Origins.of_validation,
    "predictions": Origins.of_predictions,
    "monitoring": Origins.of_measurements,
    "online": Origins.of_snapshot,
}
