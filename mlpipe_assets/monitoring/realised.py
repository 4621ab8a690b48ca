"""Predictions beside what came of them, stored once their labels are complete: the label is that of the training set."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, Model, is_snapshot
from mlpipe_assets.catalog.versions import sql_digest
from mlpipe_assets.engines.engine import DayRows, Engine, Slice
from mlpipe_assets.learning.tasks.registry import task_of
from mlpipe_assets.learning.tasks.task import Task
from mlpipe_assets.monitoring.table_days import TableDays
from mlpipe_assets.partitions import ONE_DAY, days_between
from mlpipe_assets.point_in_time.source_days import SourceDays
from mlpipe_assets.rules import digest
from mlpipe_assets.store.keys import REALISED
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.staging import Staged
from mlpipe_assets.store.table_state import TableState
from mlpipe_assets.training.plan import label_days


@dataclass(kw_only=True)
class Realised:
    """Predictions of a model with their labels, day by day."""

    lake: Lake
    catalog: Catalog
    model: Model
    predictions: TableDays
    features: TableDays
    _frames: dict[date, pl.DataFrame] = field(default_factory=dict)
    _inputs: dict[date, str] = field(default_factory=dict)

    @cached_property
    def task(self) -> Task:
        """What the answers are."""
        return task_of(self.model)

    @cached_property
    def sources(self) -> list[SourceDays]:
        """What the labels are read from."""
        return [SourceDays(lake=self.lake, source=self.catalog.source(name)) for name in self.model.inputs]

    def label_days(self, day: date) -> list[date]:
        """The days that decide what a prediction of a day comes to."""
        return label_days(self.model, [day])

    def complete(self, day: date) -> bool:
        """Whether a day was predicted, and everything its labels and features are read from is there."""
        read = [s for s in self.sources if not is_snapshot(s.source)]
        known = day in self.predictions.present_days and day in self.features.present_days
        return known and all(d in s.present for s in read for d in self.label_days(day))

    def inputs(self, day: date) -> str:
        """Digest of what a day's realised predictions are made of."""
        if day not in self._inputs:
            self._inputs[day] = self._digest(day)
        return self._inputs[day]

    def _digest(self, day: date) -> str:
        model = self.model
        code = [sql_digest(self.catalog.read_sql(path)) for path in (model.sql, model.slices) if path]
        made_of = [self.predictions.fingerprint(day), self.features.fingerprint(day)]
        labels = [
            [s.source.name, [[f"{d}", s.fact(d, "fingerprint")] for d in self.label_days(day) if d in s.present]]
            for s in self.sources
        ]
        return digest([code, model.horizon, made_of, labels])

    def prepare(self, engine: Engine, days: Sequence[date]) -> None:
        """Store what is not stored yet of complete days, all of them in one pass over the labels."""
        stored = self.lake.state(REALISED, self.model.name)
        due = [day for day in sorted(set(days)) if self.complete(day) and not self._fits(stored, day)]
        if not due:
            return
        ahead = sorted({d for day in due for d in self.label_days(day)})
        back = days_between(due[0] - self.model.view.lookback + ONE_DAY, due[-1])
        with self._select(engine, self.model.sql, due, ahead) as labels:
            if self.model.slices is None:
                staged = [self._join(day, labels, None) for day in due]
            else:
                with self._select(engine, self.model.slices, due, back) as slices:
                    staged = [self._join(day, labels, slices) for day in due]
        change = self.lake.change(REALISED, self.model.name)
        change.put(*staged)
        change.publish()

    def window(self, days: Sequence[date]) -> pl.DataFrame | None:
        """Realised predictions of those of the days that are complete; None when none is."""
        known = [day for day in days if self.complete(day)]
        for day in known:
            if day not in self._frames:
                self._frames[day] = self.lake.read(REALISED, self.model.name, day)
        for day in [d for d in self._frames if d < days[0]]:
            del self._frames[day]
        return pl.concat([self._frames[day] for day in known]) if known else None

    def slices_of(self, rows: pl.DataFrame) -> list[str]:
        """Columns to report by."""
        own = {*self.model.view.entity.join_keys, "as_of", "model_version", *self.task.realised_columns, "label"}
        return [name for name in rows.columns if name not in own]

    def _fits(self, stored: TableState, day: date) -> bool:
        facts = stored.facts(day)
        return facts is not None and facts["inputs"] == self.inputs(day)

    def _select(self, engine: Engine, sql: str, days: Sequence[date], read: Sequence[date]) -> DayRows:
        tables: dict[str, Slice] = {"features": self.features.state.files(days)}
        for source in self.sources:
            tables[source.source.name] = source.paths(d for d in read if d in source.present)
        rows = sum(s.rows(d for d in read if d in s.present) for s in self.sources)
        params = {"horizon": self.model.horizon.days}
        keys = self.model.view.entity.join_keys
        text, moments = self.catalog.read_sql(sql), self.model.view.moments
        return engine.select_by_day(text, tables, params, rows=rows, keys=keys, days=len(days), moments=moments)

    def _join(self, day: date, labels: DayRows, slices: DayRows | None) -> Staged:
        keys = self.model.view.row_key
        answers = self.lake.read(self.predictions.stage, self.predictions.name, day)
        joined = answers.select(
            *self.model.view.entity.join_keys, "as_of", "model_version", *self.task.realised_columns
        )
        known = labels.day(day, keys)
        came = joined.clear().with_columns(pl.lit(None).alias(self.model.label)) if known is None else known
        label = pl.col(self.model.label).cast(self.task.realised_label).alias("label")
        joined = joined.join(came.select(*keys, label), on=list(keys), how="inner")
        groups = slices.day(day, keys) if slices else None
        if groups is not None:
            joined = joined.join(groups.drop({"as_of"} - {*keys}), on=list(keys), how="left")
        inputs = self.inputs(day)
        facts = {
            "table": f"{REALISED}/{self.model.name}",
            "date": f"{day}",
            "inputs": inputs,
            "fingerprint": inputs,
            "rows": joined.height,
            "known_on": f"{day + self.model.horizon}",
        }
        return self.lake.table(REALISED, self.model.name).stage(day, joined.sort(keys), facts)
