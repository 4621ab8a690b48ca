"""The day that is open over one snapshot: which pushed rows are of it, and the views whose rows follow from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import numpy as np
import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, Source
from mlpipe_assets.engines.engine import Engine
from mlpipe_assets.errors import MlpipeError
from mlpipe_assets.partitions import ONE_DAY
from mlpipe_assets.point_in_time.source_days import SourceDays
from mlpipe_assets.serving.push.open_rows import OpenRows, winners
from mlpipe_assets.serving.push.open_view import OpenView, closed_keys, open_interim
from mlpipe_assets.serving.push.pushed_rows import is_followed, why_not
from mlpipe_assets.serving.snapshots.rows import spell_keys, spell_rows
from mlpipe_assets.serving.snapshots.snapshot import Generation
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.transforms.staging import key_hash


@dataclass(kw_only=True)
class OpenSource:
    """One source on the days that are open.

    Attributes:
        closed: The newest day that is closed for every view of it; its rows, and older ones, change no row online.
        day: Today.
        problem: Why its table cannot be read; its rows are taken all the same.
    """

    days: SourceDays
    closed: date
    day: date
    problem: str | None = None
    _hashes: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64))
    _interim: pl.DataFrame | None = None

    def __post_init__(self) -> None:
        """Read what interim holds of the days that are open, and the keys of those before."""
        try:
            keys = closed_keys(self.days, self.closed, self.day)
            self._interim = open_interim(self.days, self.closed, self.day)
        except MlpipeError as error:
            self.problem = f"{error}"
            return
        if keys is not None:
            self._hashes = np.unique(key_hash(keys, self.source.key).to_numpy())

    @property
    def source(self) -> Source:
        """The source."""
        return self.days.source

    def find_late(self, rows: pl.DataFrame) -> pl.Series:
        """Which rows are of days that are closed, or take the place of a row of one."""
        late = rows["event_date"] <= self.closed
        hashes = self._hashes
        if not hashes.size or not rows.height:
            return late
        wanted = key_hash(rows, self.source.key).to_numpy()
        found = hashes[np.minimum(np.searchsorted(hashes, wanted), hashes.size - 1)] == wanted
        return late | pl.Series(found)

    def select(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows that are not late."""
        return rows.filter(~self.find_late(rows))

    def rows(self, pushed: OpenRows) -> pl.DataFrame | None:
        """All rows of open days: those pushed, and what interim holds of others; of one key there may be several."""
        found = [rows for rows in (self._interim, pushed.rows) if rows is not None]
        return pl.concat(found) if pushed.rows is not None else None

    def winners(self, rows: pl.DataFrame, pushed: OpenRows) -> pl.DataFrame:
        """Of rows that share a key the one that interim would keep."""
        known = {name: delivery.place for name, delivery in self.days.ledger.deliveries.items()}
        return winners(self.source, rows, {**known, **pushed.places()})


@dataclass(kw_only=True)
class OpenDay:
    """What the rows of a day are computed from, as the lake is now.

    Attributes:
        generation: The snapshot that they lie over.
        views: Views whose rows of the day can be computed.
        not_online: Why those of others cannot, by view.
        sources: Sources that rows can be pushed to, or that are followed.
        reading: All views of these sources.
        marks: What is another when a table changed that one of them reads.
    """

    generation: Generation | None
    day: date
    views: tuple[OpenView, ...]
    not_online: Mapping[str, str]
    sources: Mapping[str, OpenSource]
    reading: tuple[OpenView, ...] = ()
    marks: list[list[str | None]] = field(default_factory=list)

    @classmethod
    def find(cls, lake: Lake, catalog: Catalog, generation: Generation | None, day: date) -> "OpenDay":
        """The day as the lake is now."""
        taking = [source for source in catalog.sources if why_not(source) is None or is_followed(source)]
        candidates: list[OpenView] = []
        not_online: dict[str, str] = {}
        for view in catalog.online_views:
            if not {source.name for source in taking} & {*view.inputs}:
                continue
            published = generation.views.get(view.name) if generation else None
            one = OpenView(lake=lake, catalog=catalog, view=view, published=published, day=day)
            candidates.append(one)
            if problem := one.find_obstacle():
                not_online[view.name] = problem
        views = [view for view in candidates if view.view.name not in not_online]
        sources: dict[str, OpenSource] = {}
        for source in taking:
            closed = [view.closed for view in views if source.name in view.view.inputs]
            days = SourceDays(lake=lake, source=source)
            found = OpenSource(days=days, closed=min(closed, default=day - ONE_DAY), day=day)
            sources[source.name] = found
            if found.problem:
                broken = [view for view in views if source.name in view.view.inputs]
                not_online |= {view.view.name: found.problem for view in broken}
                views = [view for view in views if view not in broken]
        return cls(
            generation=generation,
            day=day,
            views=tuple(views),
            not_online=not_online,
            sources=sources,
            reading=tuple(candidates),
            marks=[view.marks() for view in candidates],
        )

    def is_changed(self) -> bool:
        """Whether a table changed that a view reads, or one that cannot be read may be whole again."""
        broken = any(source.problem for source in self.sources.values())
        return broken or self.marks != [view.marks() for view in self.reading]

    def touched(
        self, view: OpenView, changed: Mapping[str, Sequence[pl.DataFrame]], pushed: Mapping[str, OpenRows]
    ) -> pl.DataFrame | None:
        """The entities whose row of a view follows from changed rows, also by another row of the same key; None for none."""
        keys = list(view.view.entity.join_keys)
        found: list[pl.DataFrame] = []
        for name in {*changed} & {*view.view.inputs}:
            new = pl.concat(changed[name])
            rows = self.sources[name].rows(pushed[name])
            found.append(new.select(keys))
            if rows is not None:
                found.append(rows.join(new, on=list(self.sources[name].source.key), how="semi").select(keys))
        return pl.concat(found).unique().drop_nulls() if found else None

    def rows(
        self,
        engine: Engine,
        view: OpenView,
        entities: pl.DataFrame,
        pushed: Mapping[str, OpenRows],
        moment: datetime,
    ) -> dict[str, bytes]:
        """By key the rows of some entities as a store keeps them.

        Raises: MlpipeError when the SQL of the view cannot be run, or a table is damaged.
        """
        keys = list(view.view.entity.join_keys)
        tables = self.tables(view, entities, pushed)
        found: dict[str, bytes] = {}
        for frame in view.rows(engine, tables, entities, moment):
            features = view.published.features if view.published else ()
            found.update(zip(spell_keys(frame, keys).to_list(), spell_rows(frame, features), strict=True))
        return found

    def tables(self, view: OpenView, entities: pl.DataFrame, pushed: Mapping[str, OpenRows]) -> dict[str, pl.DataFrame]:
        """By source the rows of open days that hold, of some entities and of whoever had one of their keys; without any none.

        Raises: MlpipeError when a table is damaged.
        """
        keys = list(view.view.entity.join_keys)
        tables: dict[str, pl.DataFrame] = {}
        for name in view.view.inputs:
            rows = self.sources[name].rows(pushed[name]) if name in pushed else None
            if rows is not None:
                source = self.sources[name]
                of_key = list(source.source.key)
                near = rows.join(entities, on=keys, how="semi").select(of_key).unique()
                tables[name] = source.winners(rows.join(near, on=of_key, how="semi"), pushed[name])
        return tables
