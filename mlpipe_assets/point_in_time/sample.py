"""Entities to recompute: a few of each day, their events cut off where that day may look, and others planted beyond.

An entity is cut at one day only in each pass, so that one pass over a range shows every day of it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.catalog.lineage import columns_read
from mlpipe_assets.engines.engine import DAY_OF_A_FILE
from mlpipe_assets.join_keys import hash_entity, of_entities

CUT, PLANT, MOMENT = "_cut", "_plant", "_moment"
_PAIRS = 2000  # entities over all days of one proof
_MOST, _LEAST, _MUST = 200, 4, 2  # of one day: at most, at least where they are free, and in any case
_NEWEST = 5  # events of an entity that are planted again


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What a row of a day may see of an input, in days from that day on: -1 is the day before.

    Attributes:
        after: The last day that is too old; None where nothing is.
        until: The last day it may see.
        plants: Days outside on which events are planted.
        times: Columns of time that move along with a planted event.
        identities: Columns that tell one event from another.
    """

    after: int | None
    until: int
    plants: tuple[int, ...]
    times: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()

    def without_plants(self) -> "Reach":
        """The same, and nothing is planted."""
        return replace(self, plants=())

    def sees(self) -> pl.Expr:
        """Whether an event may be seen."""
        days = _days_away()
        return (days <= self.until) if self.after is None else (days <= self.until) & (days > self.after)

    def moved(self, after: int, columns: Collection[str]) -> list[pl.Expr]:
        """The day and the times of an event that is planted so many days after the cut."""
        move = pl.col(CUT) - pl.col("date") + pl.duration(days=after)
        return [(pl.col(name) + move).alias(name) for name in ("date", *self.times) if name in columns]


@dataclass(frozen=True, kw_only=True)
class MomentReach:
    """What a row as of a moment may see of an input, in time from that moment on; what happens at the moment itself is seen.

    Attributes:
        after: What is as old as that, or older, is too old; None where nothing is.
        oldest: The same in days from the day of the moment on.
        until: The last it may see.
        plants: Times outside at which events are planted.
        time: The column of time.
        identities: Columns that tell one event from another.
    """

    after: timedelta | None
    until: timedelta
    plants: tuple[timedelta, ...]
    time: str
    oldest: int | None = None
    identities: tuple[str, ...] = ()

    @property
    def times(self) -> tuple[str, ...]:
        """Columns of time that move along with a planted event."""
        return (self.time,)

    def without_plants(self) -> "MomentReach":
        """The same, and nothing is planted."""
        return replace(self, plants=())

    def sees(self) -> pl.Expr:
        """Whether an event may be seen."""
        away = pl.col(self.time) - pl.col(MOMENT)
        seen = away <= self.until
        if self.after is not None:
            seen &= away > self.after
        return seen if self.oldest is None else seen & (_days_away() > self.oldest)

    def moved(self, after: timedelta, _: Collection[str]) -> list[pl.Expr]:
        """The day and the time of an event that is planted so long after the moment."""
        at = pl.col(MOMENT) + after
        return [at.alias(self.time), at.dt.date().alias("date")]


def _days_away() -> pl.Expr:
    return (pl.col("date") - pl.col(CUT)).dt.total_days()


def keys_a_day(days: int) -> int:
    """How many entities of each day to recompute."""
    return min(_MOST, max(_LEAST, _PAIRS // max(1, days)))


def sample_rows(rows: pl.DataFrame, keys: Sequence[str], day: date, count: int) -> pl.DataFrame:
    """Up to `count` rows of a day, one an entity: the same ones each time, others on other days."""
    chosen = rows.bottom_k(count, by=hash_entity(keys, seed=day.toordinal()))
    return chosen.unique(list(keys), keep="first").sort(keys)


def plan_passes(
    rows_of_days: Mapping[date, pl.DataFrame], keys: Sequence[str], *, one_day_each: bool
) -> list[pl.DataFrame]:
    """Passes over the days: the keys, `_cut` (its day), its `as_of`, and `_plant`; no entity twice in a pass, every day in some pass.

    Where entities are few, days wait for passes of their own, with two entities each.
    """
    passes: list[dict[tuple[object, ...], tuple[date, object]]] = []
    days_of: list[date | None] = []
    schema: dict[str, pl.DataType] = {}
    at_of: pl.DataType | None = None
    for day, rows in rows_of_days.items():
        schema = schema or {key: rows.schema[key] for key in keys}
        moments = rows["as_of"].to_list() if "as_of" in rows.columns else [None] * rows.height
        at_of = at_of or rows.schema.get("as_of")
        for place, (key, moment) in enumerate(zip(rows.select(keys).rows(), moments, strict=True)):
            free = (
                i for i, one in enumerate(passes) if key not in one and (not one_day_each or days_of[i] in (None, day))
            )
            at = next(free, None)
            if at is None and place >= _MUST:
                continue
            if at is None:
                at = len(passes)
                passes.append({})
                days_of.append(day)
            passes[at][key] = (day, moment)
    return [
        pl.DataFrame(list(one), schema=schema, orient="row")
        .with_columns(
            pl.Series(CUT, [day for day, _ in one.values()], dtype=pl.Date),
            pl.Series("as_of", [moment for _, moment in one.values()], dtype=at_of or pl.Null()),
        )
        .with_columns((pl.int_range(pl.len()) % 2 == 0).over(CUT).alias(PLANT))
        for one in passes
    ]


def scan_days(paths: Sequence[Path]) -> pl.LazyFrame:
    """Rows of partitions, with the day of each as `date`; there is a file at least."""
    if any("=" in part for path in paths[:1] for part in path.parts[:-2]):  # polars takes those folders for columns too
        day = pl.col("date").str.extract(DAY_OF_A_FILE).str.to_date()
        plain = pl.scan_parquet(
            list(paths), hive_partitioning=False, include_file_paths="date", glob=False, missing_columns="insert"
        )
        return plain.with_columns(day)
    return pl.scan_parquet(
        list(paths), hive_partitioning=True, hive_schema={"date": pl.Date}, glob=False, missing_columns="insert"
    )


def read_entities(paths: Sequence[Path], entities: pl.DataFrame, names: Iterable[str] | None) -> pl.DataFrame:
    """All rows of some entities, given by their keys, with the day of their partition as `date`."""
    table = scan_days(paths)
    schema = table.collect_schema()
    chosen = [name for name in schema.names() if names is None or name in {*names, *entities.columns, "date"}]
    wanted = entities.select(pl.col(key).cast(schema[key], strict=False) for key in entities.columns).drop_nulls()
    rows = table.select(chosen)
    for key in wanted.columns:  # read with the file, where a join is not
        rows = rows.filter(pl.col(key).is_in(wanted[key].unique().implode()))
    found = rows.collect(engine="streaming")
    return found if wanted.width == 1 else of_entities(found, wanted, wanted.columns)


def columns_to_cut(sql: str, source: Source, *, moments: bool) -> frozenset[str] | None:
    """The columns of a source that a select reads, and its time, which says what a moment may see; None when it may be any."""
    read = columns_read(sql, source.name)
    return read | {source.event_time} if read is not None and moments and source.event_time else read


def cut(rows: pl.DataFrame, keys: Sequence[str], sample: pl.DataFrame, reach: Reach | MomentReach) -> pl.DataFrame:
    """Events of the sampled entities that their day may see, with planted ones that it may not, last events first.

    Args:
        rows: Events, by `date`.
        keys: Join keys.
        sample: One pass of `plan_passes`.
        reach: What a day may see.
    """
    at = [pl.col("as_of").cast(rows.schema[reach.time]).alias(MOMENT)] if isinstance(reach, MomentReach) else []
    cuts = sample.select(*(pl.col(key).cast(rows.schema[key], strict=False) for key in keys), CUT, PLANT, *at)
    placed = rows.join(cuts, on=list(keys), how="inner", maintain_order="left")
    kept = placed.filter(reach.sees())
    own = kept.filter(PLANT)  # of an entity that may see none of its events, others serve
    further = placed.filter(PLANT).join(own.select(keys).unique(), on=list(keys), how="anti", maintain_order="left")
    newest = pl.concat([own, further]).sort("date", descending=True, maintain_order=True)
    newest = newest.group_by(keys, maintain_order=True).head(_NEWEST)
    moves = [(after, reach.moved(after, newest.columns)) for after in reach.plants]  # type: ignore[arg-type]  # its own kind
    planted = [_planted(newest, keys, after, reach, moved).select(kept.columns) for after, moved in moves]
    return pl.concat([kept, *planted]).drop(CUT, PLANT, MOMENT, strict=False).reverse()


def _planted(
    events: pl.DataFrame, keys: Sequence[str], after: object, reach: Reach | MomentReach, moved: Sequence[pl.Expr]
) -> pl.DataFrame:
    """Events moved to another time, with values that such events have, and other ones than before."""
    values: list[pl.Expr] = []
    for name, dtype in events.schema.items():
        if name in (*keys, CUT, PLANT, MOMENT, "date", *reach.times):
            continue
        if dtype.is_numeric():
            values.append((pl.col(name) + 1).cast(dtype, strict=False))
        elif dtype == pl.String and name in reach.identities:
            values.append(pl.col(name) + f"~{after}")
        elif dtype == pl.String:
            values.append(pl.col(name).shift(1, fill_value=pl.col(name).last()))
    return events.with_columns(*values, *moved)
