"""Predictions beyond their own distribution: were they made on rows like those learnt from, and did they come true."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, Model, Monitor
from mlpipe_assets.engines.engine import Engine
from mlpipe_assets.errors import LakeError
from mlpipe_assets.executors.executor import THREADS, Executor
from mlpipe_assets.learning.tasks.registry import task_of
from mlpipe_assets.learning.tasks.task import Task
from mlpipe_assets.monitoring.bases import against_frozen
from mlpipe_assets.monitoring.champions import Champion, Tested, champion_of
from mlpipe_assets.monitoring.histograms import Histogram, compare_shapes
from mlpipe_assets.monitoring.profiles import ProfileStore, only_columns
from mlpipe_assets.monitoring.ranking import is_worse_without, measure_realised
from mlpipe_assets.monitoring.realised import Realised
from mlpipe_assets.monitoring.references import ProfiledColumns, choose_columns, freeze, read_reference, write_reference
from mlpipe_assets.monitoring.table_days import TableDays, windows_of
from mlpipe_assets.partitions import spell_days
from mlpipe_assets.statistics.measurements import Measurement
from mlpipe_assets.statistics.pairs import DECIDING
from mlpipe_assets.statistics.verdicts import compare
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.slice_names import Named, name_slices, nameable


@dataclass(kw_only=True)
class Serving:
    """Skew and performance of a model's predictions."""

    lake: Lake
    catalog: Catalog
    model: Model
    monitor: Monitor
    predictions: TableDays
    executor: Executor = THREADS

    def __post_init__(self) -> None:
        """Hold nothing yet."""
        self._champions: dict[str, Champion | None] = {}
        self._stores: dict[str, ProfileStore | None] = {}

    @cached_property
    def task(self) -> Task:
        """What its answers are."""
        return task_of(self.model)

    @cached_property
    def features(self) -> TableDays:
        """What predictions are made on."""
        return TableDays(lake=self.lake, stage="features", name=self.model.view.name)

    @cached_property
    def realised(self) -> Realised:
        """What came of them."""
        return Realised(
            lake=self.lake,
            catalog=self.catalog,
            model=self.model,
            predictions=self.predictions,
            features=self.features,
        )

    @cached_property
    def profiled(self) -> ProfiledColumns:
        """The columns of the feature view that have a threshold."""
        whole = choose_columns(
            self.model.view.contract, entity=self.model.view.entity.join_keys, window=self.monitor.window
        )
        return replace(whole, kinds={name: kind for name, kind in whole.kinds.items() if name in whole.thresholds})

    @cached_property
    def named_slices(self) -> Named:
        """Which values of slices may be named."""
        return nameable(self.catalog, self.model)

    def inputs(self, day: date) -> list[object]:
        """What skew and performance of a day are made of, besides the predictions of its window."""
        champion = self._champion(day)
        served = self._served(day)
        past = [d for d in self._past(day) if self.realised.complete(d)]
        return [
            [champion.version, champion.training_set] if champion else "no champion",
            self.features.fingerprints(served),
            [[f"{d}", self.realised.inputs(d)] for d in past],
        ]

    def expect_own_answers(self) -> None:
        """Make sure that the predictions are answers of the task the model has.

        Raises: LakeError for those that a model of another task has left under this name.
        """
        answers = self.task.shape.answers
        for day in sorted({*self.predictions.present[:1], *self.predictions.present[-1:]}):
            (path,) = self.predictions.state.files([day])
            held = pl.read_parquet_schema(path)
            other = [name for name, (_, fits) in answers.items() if name not in held or not fits(held[name])]
            if other:
                raise LakeError(
                    f"predictions/{self.model.name} [{day}] has no {', '.join(other)} as a {self.model.task} model answers it: a model "
                    "of another task had this name then, and the two cannot be judged together. Another task is another model: "
                    "give it a name of its own, and the old one its task back."
                )

    def prepare(self, engine: Engine, days: Sequence[date]) -> None:
        """Store what the days' windows need and nobody stored yet."""
        self.realised.prepare(engine, [past for day in days for past in self._past(day)])
        wanted: dict[str, list[date]] = {}
        for day in days:
            if (champion := self._champion(day)) is not None:
                wanted.setdefault(champion.version, []).extend(self._served(day))
        for version, served in wanted.items():
            if (store := self._store(version)) is not None:
                store.prepare(served)

    def measure(self, day: date) -> dict[str, list[Measurement]]:
        """Skew and performance of a day."""
        return {"skew": self._skew(day), "performance": self._performance(day)}

    def answered(self, day: date) -> str:
        """The version whose predictions a day's performance speaks of; empty while none of them has complete labels."""
        known = [d for d in self._past(day) if self.realised.complete(d)]
        return str(self.predictions.facts(known[-1]).get("champion", "")) if known else ""

    def _skew(self, day: date) -> list[Measurement]:
        champion = self._champion(day)
        if champion is None:
            return self._no_skew("the registry does not know the version that answered")
        store = self._store(champion.version)
        if store is None:
            return self._no_skew(
                f"the training set of {champion.version}, as of {champion.as_of}, is not there any more"
            )
        thresholds = self.profiled.thresholds
        served = store.by_day(self._served(day))
        learnt, window = store.reference.profile, store.window([*served])
        return compare(
            only_columns(learnt, thresholds),
            only_columns(window, thresholds),
            thresholds,
            basis=against_frozen(store.reference, served),
            labels=self.profiled.labels,
        )

    def shapes(self, day: date) -> dict[str, Histogram]:
        """Training set beside the rows predicted on, by feature column; none where nothing can be compared."""
        champion = self._champion(day)
        store = self._store(champion.version) if champion else None
        served = self._served(day)
        if store is None or not served:
            return {}
        learnt, current = store.reference.profile.columns, store.stored_window(served).columns
        found = {
            name: compare_shapes(learnt[name], current[name], store.reference.bins[name], self.profiled.labels[name])
            for name in self.profiled.thresholds
            if name in current
        }
        return {name: shape for name, shape in found.items() if shape}

    def _no_skew(self, why: str) -> list[Measurement]:
        return [
            Measurement(
                column=name, method=DECIDING, value=math.nan, threshold=bound, n_reference=0, n_current=0, note=why
            )
            for name, bound in self.profiled.thresholds.items()
        ]

    def _performance(self, day: date) -> list[Measurement]:
        past = self._past(day)
        rows = self.realised.window(past)
        if rows is None or not rows.height:
            return [self._not_known_yet(day)]
        answered, same, tested = self._of_newest(rows)
        slices, keys_of = self.realised.slices_of(same), self.model.view.entity.join_keys
        same = same.with_columns(name_slices(same.select(slices), self.named_slices))
        found = measure_realised(same, tested, slices, self.model.promotion.tolerance, keys=keys_of, task=self.task)
        known = [d for d in past if self.realised.complete(d)]
        covers = f"predictions of {spell_days(known)} by {answered}"
        left_out = rows.height - same.height
        more = f"{covers}, {left_out:,} by other versions left out" if left_out else covers
        return [replace(found[0], note="; ".join(filter(None, [found[0].note, more]))), *found[1:]]

    def stays_worse(self, day: date) -> bool:
        """Whether the predictions that a day's performance speaks of are worse than tested without their oddest days too."""
        rows = self.realised.window(self._past(day))
        if rows is None or not rows.height:
            return False
        _, same, tested = self._of_newest(rows)
        keys_of, tolerance = self.model.view.entity.join_keys, self.model.promotion.tolerance
        odd, moments = self.monitor.odd_days, self.model.view.moments
        return is_worse_without(same, tested, tolerance, odd, keys=keys_of, task=self.task, moments=moments)

    def _of_newest(self, rows: pl.DataFrame) -> tuple[str, pl.DataFrame, Tested]:
        """The version that answered last, its rows, and how it did on its test set."""
        answered = str(rows["model_version"][-1])
        champion = self._known(answered)
        return answered, rows.filter(model_version=answered), champion.tested if champion else {}

    def _not_known_yet(self, day: date) -> Measurement:
        first = next((d for d in self.predictions.present if d <= day), day)
        known_from = first + self.model.horizon
        why = f"known from {known_from} on, when the labels of {first} are complete"
        if known_from <= day:
            past = self._past(day)
            why = f"no predictions of {past[0]} to {past[-1]} have complete labels"
        return Measurement(
            column="overall", method=self.task.realised_by, value=math.nan, n_reference=0, n_current=0, note=why
        )

    def _past(self, day: date) -> list[date]:
        """Days whose labels are complete by a day: a window as long as the current one, a horizon ago."""
        return windows_of(day - self.model.horizon, self.monitor.window).current

    def _served(self, day: date) -> list[date]:
        """Days of the current window that were predicted."""
        return [d for d in windows_of(day, self.monitor.window).current if d in self.predictions.present_days]

    def _champion(self, day: date) -> Champion | None:
        return self._known(str(self.predictions.facts(day).get("champion", "")))

    def _known(self, version: str) -> Champion | None:
        if version not in self._champions:
            self._champions[version] = champion_of(self.lake, self.model.name, version) if version else None
        return self._champions[version]

    def _store(self, version: str) -> ProfileStore | None:
        """Profiles of feature days in bins of a version's training set; None when that is gone, or was built again since."""
        if version not in self._stores:
            self._stores[version] = self._open(version)
        return self._stores[version]

    def _open(self, version: str) -> ProfileStore | None:
        champion = self._known(version)
        if champion is None:
            return None
        name = f"training.{self.model.name}.{version}"
        origin = champion.training_set
        cure = f"Delete it and run again: it is made anew from the training set of {version}, if that is still there."
        reference = read_reference(self.lake, name, cure=cure)
        if reference is None or (reference.profiled, reference.origin) != (self.profiled.digest, origin):
            sets = self.lake.state("processed", self.model.name)
            facts = sets.facts(champion.as_of, keys.TRAIN)
            if facts is None or facts.get("fingerprint") != origin:
                return None
            train = sets.files([champion.as_of], keys.TRAIN)
            reference = freeze(self.profiled, train, days=[champion.as_of], origin=origin)
            write_reference(self.lake, name, reference)
        days = self.features
        return ProfileStore(
            lake=self.lake,
            name=f"training.{self.model.name}",
            reference=reference,
            table=days,
            executor=self.executor,
        )
