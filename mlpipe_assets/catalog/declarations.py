"""The shapes of declarations: frozen, keyword-only values that say what exists."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import pandera.polars as pa
import polars as pl

from mlpipe_assets.errors import SettingsError
from mlpipe_assets.settings import PROJECT_ROOT


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """How many rows of a day may be refused: a share of those received, and a floor in rows."""

    share: float
    rows: int = 0

    def allows(self, refused: int, received: int) -> bool:
        """Whether `refused` of `received` rows is still within the tolerance."""
        return refused <= max(self.rows, self.share * received)


@dataclass(frozen=True, kw_only=True)
class Entity:
    """A thing features describe, and the column that identifies it."""

    name: str
    join_key: str


@dataclass(frozen=True, kw_only=True)
class Source:
    """An upstream table that arrives as files under data/raw/<name>/.

    Attributes:
        contract: What its clean table promises; inherits `Sourced`.
        key: Columns that identify a row; the delivery known last wins.
        event_time: Column of the event time; None for a full snapshot, whose event date is that of its delivery.
        dedupe_within: How far apart the event dates of two rows with one key may lie.
        tolerance: Refused rows a day may hold and still be written.
        duplicate_tolerance: Duplicate rows a day may hold and still be written.
        empty_days: Whether a day on which nothing came is legal.
        known_at: Pattern in the file name whose first group is the date or time the file was known; else its mtime.
        time_formats: strptime formats of event times and dates, tried in order; None for ISO 8601.
        time_zone: Zone of times that carry no offset.
        nulls: Texts that mean null, after trimming.
        delimiter: Of delimited files; None sniffs it from the header.
        prepare: A pure function from the text columns as received to the text columns of the contract.
        fresh_within: How old the newest partition may be.
        owners: E-mail addresses or `team:` names shown in the UI.
    """

    name: str
    contract: type[pa.DataFrameModel]
    key: tuple[str, ...]
    event_time: str | None = None
    dedupe_within: timedelta = timedelta(0)
    tolerance: Tolerance = Tolerance(share=0.0)
    duplicate_tolerance: Tolerance = Tolerance(share=0.75, rows=1000)
    empty_days: bool = False
    known_at: str = r"(\d{4}-?\d{2}-?\d{2}(?:[T_ ]?\d{2}[:-]?\d{2}(?:[:-]?\d{2})?Z?)?)"
    time_formats: tuple[str, ...] | None = None
    time_zone: str = "UTC"
    nulls: tuple[str, ...] = ("",)
    delimiter: str | None = None
    prepare: Callable[[pl.DataFrame], pl.DataFrame] | None = None
    fresh_within: timedelta = timedelta(hours=30)
    owners: tuple[str, ...] = ("team:data",)


@dataclass(frozen=True, kw_only=True)
class FeatureView:
    """Features of an entity as of the end of each day, by one SQL file over interim tables.

    Attributes:
        inputs: Names of sources the SQL reads.
        sql: Path below the catalog's SQL folder; binds $start and $end, the first and last day wanted.
        lookback: How far back a row may look, and how long a join key is described after its last event.
        ttl: How long after as_of a feature row may still be used.
    """

    name: str
    entity: Entity
    inputs: tuple[str, ...]
    sql: str
    contract: type[pa.DataFrameModel]
    lookback: timedelta
    ttl: timedelta = timedelta(days=1)
    fresh_within: timedelta = timedelta(hours=30)
    owners: tuple[str, ...] = ("team:ml",)


@dataclass(frozen=True, kw_only=True)
class Model:
    """A training set: features of past days with the label that followed, split by time.

    Attributes:
        view: The feature view it learns from.
        inputs: Sources the label reads.
        sql: Adds the label to feature rows; binds $horizon, in days.
        label: Name of the label column.
        horizon: The label of day D looks at the days after D up to and including D + horizon.
        embargo: Days between the last feature day of one split and the first of the next.
        every: Distance between feature days of the spine, counted from the first partition.
        split: Shares of the feature days for train, validation and test.
    """

    name: str
    view: FeatureView
    inputs: tuple[str, ...]
    sql: str
    contract: type[pa.DataFrameModel]
    label: str = "label"
    horizon: timedelta
    embargo: timedelta
    every: timedelta = timedelta(days=7)
    split: tuple[float, float, float] = (0.6, 0.2, 0.2)
    fresh_within: timedelta = timedelta(days=8)
    owners: tuple[str, ...] = ("team:ml",)


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """Everything that exists, and where its SQL lives."""

    sources: tuple[Source, ...] = ()
    feature_views: tuple[FeatureView, ...] = ()
    models: tuple[Model, ...] = ()
    sql_dir: Path = field(default=PROJECT_ROOT / "sql")

    def __post_init__(self) -> None:
        """Refuse a catalog whose names clash or point nowhere."""
        names = [*(source.name for source in self.sources), *(view.name for view in self.feature_views)]
        problems = [f"{name!r} is declared twice" for name in sorted({n for n in names if names.count(n) > 1})]
        known = {source.name for source in self.sources}
        readers: list[FeatureView | Model] = [*self.feature_views, *self.models]
        for reader in readers:
            problems += [f"{reader.name}: input {n!r} is no source" for n in reader.inputs if n not in known]
            if not (self.sql_dir / reader.sql).is_file():
                problems.append(f"{reader.name}: no SQL file {self.sql_dir / reader.sql}")
        views = {view.name for view in self.feature_views}
        problems += [
            f"{model.name}: view {model.view.name!r} is not in the catalog"
            for model in self.models
            if model.view.name not in views
        ]
        if problems:
            raise SettingsError(f"The catalog does not hold together: {'; '.join(problems)}.")

    def source(self, name: str) -> Source:
        """The source of that name."""
        found = [source for source in self.sources if source.name == name]
        if not found:
            raise SettingsError(f"No source {name!r}; there are {', '.join(s.name for s in self.sources) or 'none'}.")
        return found[0]

    def read_sql(self, path: str) -> str:
        """The text of a SQL file as this process first read it, so that a run's version is that of the SQL it ran."""
        return _read_once(self.sql_dir / path)


@cache
def _read_once(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def is_snapshot(source: Source) -> bool:
    """Whether a source has no event time of its own."""
    return source.event_time is None


def window(view: FeatureView, day: date) -> tuple[date, date]:
    """First and last day a feature row of `day` may look at."""
    return day - view.lookback + timedelta(days=1), day
