"""The shapes of declarations: frozen, keyword-only values that say what exists."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Literal

import pandera.polars as pa
import polars as pl

from mlpipe_assets.catalog.aggregates import Aggregate, From, inputs_of, longest_window
from mlpipe_assets.catalog.columns import read_sql_file
from mlpipe_assets.catalog.entity import Entity as Entity  # noqa: PLC0414 (declared with the others)
from mlpipe_assets.catalog.feeds import Feed, Files
from mlpipe_assets.catalog.learners import Learner, Promotion
from mlpipe_assets.catalog.monitor import Monitor as Monitor  # noqa: PLC0414 (declared with the others)
from mlpipe_assets.catalog.older_spelling import with_older_spelling
from mlpipe_assets.catalog.places import Declared, find_named, is_judged, sql_folder
from mlpipe_assets.catalog.tasks import TaskName
from mlpipe_assets.catalog.tolerance import Tolerance as Tolerance  # noqa: PLC0414 (declared with the others)
from mlpipe_assets.errors import CatalogError

ROWS = "rows"  # what the SQL of a view calls the rows of another one, where it has these


@with_older_spelling
@dataclass(frozen=True, kw_only=True)
class Source(Declared):
    """An upstream table, and where its rows come from.

    Attributes:
        contract: What its clean table promises; inherits `Sourced`.
        key: Columns that identify a row; the delivery known last wins.
        event_time: Column of the event time; None for a full snapshot, whose event date is that of its delivery.
        feed: Where its rows come from: files under data/raw/<name>/, unless another feed is declared.
        ahead_within: How long after a delivery was known its events may be dated; later ones are kept and not processed.
        dedupe_within: How far apart the event dates of two rows with one key may lie.
        tolerance: Refused rows a day may hold and still be written.
        duplicate_tolerance: Duplicate rows a day may hold and still be written.
        empty_days: Whether a day on which nothing came is legal.
        time_formats: strptime formats of event times and dates, tried in order; None for ISO 8601.
        time_zone: Zone of times that carry no offset.
        nulls: Texts that mean null, after trimming.
        prepare: A pure function from the text columns as received to the text columns of the contract.
        fresh_within: How old the newest partition may be; None where nothing has to come.
        owners: E-mail addresses or `team:` names shown in the UI.
        tags: Words that people find it by in the data catalog.
        show_rows: How many of its rows the catalog's site shows; none unless declared, and never a personal column.
    """

    name: str
    contract: type[pa.DataFrameModel]
    key: tuple[str, ...]
    event_time: str | None = None
    feed: Feed = Files()  # noqa: RUF009 (it is frozen)
    ahead_within: timedelta = timedelta(days=1)
    dedupe_within: timedelta = timedelta(0)
    tolerance: Tolerance = Tolerance(share=0.0)  # noqa: RUF009 (it is frozen)
    duplicate_tolerance: Tolerance = Tolerance(share=0.75, rows=1000)  # noqa: RUF009 (as above)
    empty_days: bool = False
    time_formats: tuple[str, ...] | None = None
    time_zone: str = "UTC"
    nulls: tuple[str, ...] = ("",)
    prepare: Callable[[pl.DataFrame], pl.DataFrame] | None = None
    fresh_within: timedelta | None = timedelta(hours=30)
    owners: tuple[str, ...] = ("team:data",)
    tags: tuple[str, ...] = ()
    show_rows: int = 0


@dataclass(frozen=True, kw_only=True)
class FeatureView(Declared):
    """Features of an entity as of the end of each day: declared by aggregates and attributes, or by one SQL file.

    Attributes:
        source: The source with the rows that aggregates are made of; an entity is described while it has one in the lookback.
        aggregates, attributes: Functions over windows of those rows; columns of snapshots.
        inputs: Names of sources the SQL reads; with `aggregates` they follow.
        sql: Path below the catalog's SQL folder; binds $start and $end, the first and last day wanted.
        lookback: How far back a row may look, and how long a key is described; with `aggregates` the longest window unless given.
        joins: Features of views declared before it, such as `spend:*`, of the same day; null for a key they do not describe.
        scope: "population" where a row may look at all entities up to its day, as a rank or a share does; SQL only.
        late: "as_known": a row of a day is made of what was known by then, and never changes; the default of aggregates.
            "correct": a correction reaches back, and the days it touches are built again; SQL reads the rows that hold now.
        settle: How long after the end of a day something may become known and still be in its row as known.
        ttl: How old a row may be when it is joined to a later time, this age included; None for any age.
        rows_of: A view whose rows it has, where neither SQL nor aggregates say which; the view of a model without a spine.
        moments: Whether a row is as of a moment within its day, and an entity may have several; the spine of a model may be.
        tags, show_rows: As of a source.
    """

    name: str
    entity: Entity
    contract: type[pa.DataFrameModel]
    source: str = ""
    aggregates: tuple[Aggregate, ...] = ()
    attributes: tuple[From, ...] = ()
    inputs: tuple[str, ...] = ()
    sql: str = ""
    lookback: timedelta = timedelta(0)
    joins: tuple[str, ...] = ()
    scope: str = "entity"
    late: Literal["as_known", "correct", ""] = ""
    settle: timedelta = timedelta(hours=6)
    ttl: timedelta | None = None
    rows_of: str = ""
    moments: bool = False
    fresh_within: timedelta = timedelta(hours=30)
    owners: tuple[str, ...] = ("team:ml",)
    tags: tuple[str, ...] = ()
    show_rows: int = 0

    def __post_init__(self) -> None:
        """Fill in what follows from the aggregates; what they lack is said when the catalog is made."""
        super().__post_init__()
        if self.is_declared and not self.inputs:
            object.__setattr__(self, "inputs", inputs_of(self.source, self.attributes))
        if self.is_declared and not self.lookback:
            object.__setattr__(self, "lookback", longest_window(self.aggregates))

    @property
    def is_declared(self) -> bool:
        """Whether its SQL is written from aggregates, and not read from a file."""
        return bool(self.source or self.aggregates or self.attributes)

    @property
    def is_as_known(self) -> bool:
        """Whether a row of a day is made of what was known by then."""
        return self.late == "as_known" or (self.is_declared and not self.late)

    @property
    def row_key(self) -> tuple[str, ...]:
        """The columns that tell its rows of one day apart."""
        return (*self.entity.join_keys, "as_of") if self.moments else self.entity.join_keys

    @property
    def sql_name(self) -> str:
        """What errors call its SQL: the file, or the command that prints it."""
        return self.sql or f"`mlpipe show-sql {self.name}`"


@dataclass(frozen=True, kw_only=True)
class Model(Declared):
    """A training set (features of past days with the label that followed, split by time), and what learns from it.

    Attributes:
        task: What the label is: `binary` (did it happen), `multiclass` (which of several) or `regression` (how much).
        view: The feature view it learns from; left away where `features` of several are named, and made of these.
        features, spine: Such as `a_view:*`; SQL over `inputs` with the rows to join them to, as a view's: join keys and as_of.
            Without a spine these are the rows of the first view named.
        spine_at: "day_end": the spine's rows are as of the end of each day. "any_time": each is as of a moment, its `as_of`: it knows
            what had happened by then, takes features of the day before, and its label looks at what comes after it.
        inputs: Sources the label reads.
        sql: Adds the label to feature rows; binds $horizon, in days.
        label: Name of the label column.
        horizon: The label of day D looks at the days after D up to and including D + horizon; of a moment at the time after it.
        embargo: Days between the last feature day of one split and the first of the next; not below the horizon.
        every: Distance between feature days of the spine, counted from the first partition.
        split: Shares of the feature days for train, validation and test.
        suspect_above: How well (ROC AUC; of a number rank correlation) a feature may tell the label alone unreported.
        learner: How it is fitted; None makes the training set only.
        predictions: What its batch predictions promise; needed where there is a learner.
        promotion: What a challenger must show.
        slices: SQL that gives join key, as_of and a text column per slice to report metrics by, from `features` and inputs.
        tags: As of a source.
    """

    name: str
    task: TaskName = "binary"
    view: FeatureView = None  # type: ignore[assignment]  # a catalog makes it of features and spine
    features: tuple[str, ...] = ()
    spine: str = ""
    spine_at: Literal["day_end", "any_time"] = "day_end"
    inputs: tuple[str, ...]
    sql: str
    contract: type[pa.DataFrameModel]
    label: str = "label"
    horizon: timedelta
    embargo: timedelta
    every: timedelta = timedelta(days=7)
    split: tuple[float, float, float] = (0.6, 0.2, 0.2)
    suspect_above: float = 0.95
    learner: Learner | None = None
    predictions: type[pa.DataFrameModel] | None = None
    promotion: Promotion = Promotion()  # noqa: RUF009 (it is frozen)
    slices: str | None = None
    fresh_within: timedelta = timedelta(days=8)
    owners: tuple[str, ...] = ("team:ml",)
    tags: tuple[str, ...] = ()

    @property
    def golden(self) -> str:
        """Name of the table of its golden answers."""
        return f"{self.name}_golden"

    @property
    def served(self) -> str:
        """Name of the table of what it said online."""
        return f"{self.name}_served"


@dataclass(frozen=True, kw_only=True)
class Catalog(Declared):
    """Everything that exists, and where its SQL lives.

    Attributes:
        sql_dir: The folder of its SQL files; unless given, `sql` in the package that declares the catalog, or beside that package.
    """

    sources: tuple[Source, ...] = ()
    feature_views: tuple[FeatureView, ...] = ()
    models: tuple[Model, ...] = ()
    monitors: tuple[Monitor, ...] = ()
    sql_dir: Path = field(default_factory=sql_folder)

    def __post_init__(self) -> None:
        """Refuse a catalog that does not hold together, with every reason at once; its rules are judged when it is loaded."""
        from mlpipe_assets.catalog.model_views import with_views_of_models  # noqa: PLC0415 (as below)
        from mlpipe_assets.catalog.validation.catalog import problems_of  # noqa: PLC0415 (it reads the shapes declared here)

        super().__post_init__()
        for name, items in with_views_of_models(self).items():
            object.__setattr__(self, name, items)
        if is_judged() and (problems := problems_of(self)):
            raise CatalogError(problems)

    def source(self, name: str) -> Source:
        """The source of that name."""
        return find_named("source", name, self.sources)

    def view(self, name: str) -> FeatureView:
        """The feature view of that name."""
        return find_named("feature view", name, self.feature_views)

    @property
    def online_views(self) -> list[FeatureView]:
        """Views that are published for online answers: the last moment of an entity is not what it is now."""
        return [view for view in self.feature_views if not view.moments]

    def model(self, name: str) -> Model:
        """The model of that name."""
        return find_named("model", name, self.models)

    def contract(self, table: str) -> type[pa.DataFrameModel]:
        """The contract of `interim/<source>`, `features/<view>` or `predictions/<model>`."""
        from mlpipe_assets.catalog.table_contracts import contract_of  # noqa: PLC0415 (as below)

        return contract_of(self, table)

    def view_sql(self, view: FeatureView) -> str:
        """The SQL of a feature view: written from what it declares, or the text of its file."""
        from mlpipe_assets.catalog.sql_words import spell_name  # noqa: PLC0415 (as below)
        from mlpipe_assets.catalog.view_sql.text import write_view  # noqa: PLC0415 (it reads the shapes declared here)

        if view.rows_of:
            return f"select {', '.join(map(spell_name, view.entity.join_keys))}, as_of\nfrom {ROWS}\n"
        return write_view(self, view) if view.is_declared else self.read_sql(view.sql)

    def read_sql(self, path: str) -> str:
        """The text of a SQL file as this process first read it, so that a run's version is that of the SQL it ran."""
        return _read_once(self.sql_dir / path)


_read_once = cache(read_sql_file)


def is_snapshot(source: Source) -> bool:
    """Whether a source has no event time of its own."""
    return source.event_time is None
