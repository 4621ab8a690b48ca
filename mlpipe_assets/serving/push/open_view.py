"""One view on the day that is open: what its rows would be if the day ended now, by its own SQL."""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path

import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, FeatureView, is_snapshot
from mlpipe_assets.catalog.versions import view_version
from mlpipe_assets.engines.engine import Engine, OnlyKeys, Slice
from mlpipe_assets.gate import judge
from mlpipe_assets.join_keys import of_entities
from mlpipe_assets.partitions import ONE_DAY
from mlpipe_assets.point_in_time.source_days import SourceDays
from mlpipe_assets.point_in_time.windows import Inputs
from mlpipe_assets.rules import columns
from mlpipe_assets.serving.push.open_rows import first_moment
from mlpipe_assets.serving.snapshots.snapshot import PublishedView
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake

MOST_OPEN = 2  # days: today, and yesterday until it is built and published
_AT_ONCE = 20_000  # entities of one select


@dataclass(kw_only=True)
class OpenView:
    """A view whose newest published day is `closed`, and the days after it up to `day`, which are open.

    Attributes:
        published: What the snapshot has of it; None when it has nothing.
        refused: Rows that broke the contract of the view, which are not shown.
    """

    lake: Lake
    catalog: Catalog
    view: FeatureView
    published: PublishedView | None
    day: date
    refused: int = 0
    inputs: Inputs = field(init=False)

    def __post_init__(self) -> None:
        """Look at the tables as they are now."""
        self.inputs = Inputs(lake=self.lake, catalog=self.catalog, view=self.view)

    @property
    def closed(self) -> date:
        """The newest day that is published; rows of this day and of those before it change nothing online."""
        if self.published is None:
            return self.day - ONE_DAY
        return datetime.fromisoformat(self.published.as_of).date() - ONE_DAY

    def find_obstacle(self) -> str | None:
        """Why its rows of the open day cannot be computed; None when they can."""
        keys_of = self.view.entity.join_keys
        lacking = [
            source.source.name
            for source in self.event_sources()
            if not {*keys_of} <= {column.name for column in columns(source.source.contract)}
        ]
        if self.published is None:
            return "nothing of it is published"
        if self.view.joins:
            return "it takes features of other views, which are joined by whole days"
        if self.view.scope != "entity":
            return "it looks at all entities, so it is made of whole days"
        if lacking:
            return f"{', '.join(lacking)} lacks its join keys, so the entities of a row are not known"
        if self.published.version != view_version(self.catalog, self.view):
            return "what is published is of another version of it"
        if self.day - self.closed > MOST_OPEN * ONE_DAY:
            return f"its newest day is {self.closed}; the days since are not built"
        return None

    def event_sources(self) -> list[SourceDays]:
        """Its inputs that have an event time."""
        return [source for source in self.inputs.sources if not is_snapshot(source.source)]

    def marks(self) -> list[str | None]:
        """What is another when one of the tables changed that it reads."""
        tables = [f"features/{self.view.name}", *(f"interim/{name}" for name in self.view.inputs)]
        heads = [self.lake.objects.head(keys.manifest(table)) for table in tables]
        return [head.tag if head else None for head in heads]

    def rows(
        self, engine: Engine, open_rows: Mapping[str, pl.DataFrame], entities: pl.DataFrame, moment: datetime
    ) -> Iterator[pl.DataFrame]:
        """The rows of some entities, `as_of` a moment, some thousand at a time; entities without a row are left out.

        Args:
            engine: Runs the SQL of the view.
            open_rows: By source all its rows of the open days that hold, with their `event_date`; sources without any are left out.
            entities: Their join keys.
            moment: When the day is taken to end.

        Raises: MlpipeError when the SQL cannot be run, or a table is damaged.
        """
        for part in entities.iter_slices(_AT_ONCE):
            yield self._rows(engine, open_rows, part, moment)

    def _rows(
        self, engine: Engine, open_rows: Mapping[str, pl.DataFrame], entities: pl.DataFrame, moment: datetime
    ) -> pl.DataFrame:
        view = self.view
        with tempfile.TemporaryDirectory(prefix="mlpipe-open-") as folder:
            tables = dict(self._tables)
            for name, rows in open_rows.items():
                tables |= self._closed_tables[name]
                mine = of_entities(rows.filter(self._is_open), entities, view.entity.join_keys)
                closed = tables[name] if not isinstance(tables[name], pl.DataFrame) else ()
                files = [*closed, *_write(mine, Path(folder) / name)]
                tables[name] = files or mine.rename({"event_date": "date"})
            found = engine.select(
                self.catalog.view_sql(view), tables, self._params, OnlyKeys(rows=entities.select(view.entity.join_keys))
            )
        wanted = [column.name for column in columns(view.contract)]
        frame = found.filter(pl.col("as_of") == first_moment(self.day + ONE_DAY)).select(wanted)
        judgement = judge(frame, view.contract)
        if judgement.refused is not None:
            self.refused += judgement.refused_count
            frame = frame.filter(~judgement.refused)
        return frame.with_columns(as_of=pl.lit(moment.replace(microsecond=0)).cast(pl.Datetime("us", "UTC")))

    @cached_property
    def _held(self) -> Path | None:
        return self.inputs.find_held(self._start)

    @property
    def _start(self) -> date:
        return self.closed + ONE_DAY

    @cached_property
    def _params(self) -> dict[str, object]:
        return self.inputs.params(self._start, self.day, held=self._held is not None)

    @property
    def _is_open(self) -> pl.Expr:
        return (pl.col("event_date") > self.closed) & (pl.col("event_date") <= self.day)

    @cached_property
    def _tables(self) -> dict[str, Slice]:
        """All tables of the SQL as they are in the lake."""
        return self.inputs.tables(self._start, self.day, self._held)

    @cached_property
    def _closed_tables(self) -> dict[str, dict[str, Slice]]:
        """Of each input with an event time what the SQL reads of it of days that are closed."""
        found: dict[str, dict[str, Slice]] = {}
        for source in self.event_sources():
            read = self.inputs.days_read(source, self._start, self.day, held=self._held is not None)
            found[source.source.name] = self.inputs.tables_of(source, [day for day in read if day <= self.closed])
        return found


def _write(rows: pl.DataFrame, folder: Path) -> list[Path]:
    """Rows as the partitions of their days."""
    files: list[Path] = []
    for (day,), part in rows.partition_by("event_date", as_dict=True).items():
        path = folder / keys.name_day(day) / keys.PART
        path.parent.mkdir(parents=True)
        part.drop("event_date").write_parquet(path, compression="lz4")
        files.append(path)
    return sorted(files)


def open_interim(source: SourceDays, after: date, until: date) -> pl.DataFrame | None:
    """What interim holds already of days that are open; None when it holds nothing.

    Raises: DamagedError when a partition does not hold what was written to it.
    """
    days = [day for day in sorted(source.present) if after < day <= until]
    parts = [source.state.read(day).with_columns(event_date=pl.lit(day)) for day in days]
    return pl.concat(parts) if parts else None


def closed_keys(source: SourceDays, until: date, day: date) -> pl.DataFrame | None:
    """The keys of closed days that a row of a day could take the place of; None when it can of none."""
    within: timedelta = source.source.dedupe_within
    days = [one for one in sorted(source.present) if day - within <= one <= until]
    parts = [source.state.read(one, list(source.source.key)) for one in days]
    return pl.concat(parts) if within and parts else None
