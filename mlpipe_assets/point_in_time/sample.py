"""Entities to recompute: a few of each day, their events cut off where that day may look, and others planted beyond.

An entity is cut at one day only in each pass, so that one pass over a range shows every day of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from mlpipe_assets.engines.engine import DAY_OF_A_FILE
from mlpipe_assets.join_keys import hash_entity, of_entities

CUT, PLANT = "_cut", "_plant"
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
    """Passes over the days: the keys, `_cut` (its day) and `_plant`; no entity twice in a pass, every day in some pass.

    Where entities are few, days wait for passes of their own, with two entities each.
    """
    passes: list[dict[tuple[object, ...], date]] = []
    days_of: list[date | None] = []
    schema: dict[str, pl.DataType] = {}
    for day, rows in rows_of_days.items():
        schema = schema or {key: rows.schema[key] for key in keys}
        for place, key in enumerate(rows.select(keys).rows()):
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
            passes[at][key] = day
    return [
        pl.DataFrame(list(one), schema=schema, orient="row")
        .with_columns(pl.Series(CUT, list(one.values()), dtype=pl.Date))
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


def cut(rows: pl.DataFrame, keys: Sequence[str], sample: pl.DataFrame, reach: Reach) -> pl.DataFrame:
    """Events of the sampled entities that their day may see, with planted ones that it may not, last events first.

    Args:
        rows: Events, by `date`.
        keys: Join keys.
        sample: One pass of `plan_passes`.
        reach: What a day may see.
    """
    cuts = sample.select(*(pl.col(key).cast(rows.schema[key], strict=False) for key in keys), CUT, PLANT)
    placed = rows.join(cuts, on=list(keys), how="inner", maintain_order="left")
    away = (pl.col("date") - pl.col(CUT)).dt.total_days()
    seen = away <= reach.until
    if reach.after is not None:
        seen &= away > reach.after
    kept = placed.filter(seen)
    own = kept if kept.height else placed
    newest = (
        own.filter(pl.col(PLANT)).sort("date", descending=True, maintain_order=True).group_by(keys, maintain_order=True)
    )
    planted = [_planted(newest.head(_NEWEST), keys, days, reach).select(kept.columns) for days in reach.plants]
    return pl.concat([kept, *planted]).drop(CUT, PLANT).reverse()


def _planted(events: pl.DataFrame, keys: Sequence[str], days: int, reach: Reach) -> pl.DataFrame:
    """Events moved so many days after the cut, with values that such events have, and other ones than before."""
    move = pl.col(CUT) - pl.col("date") + pl.duration(days=days)
    values: list[pl.Expr] = []
    for name, dtype in events.schema.items():
        if name in (*keys, CUT, PLANT, "date", *reach.times):
            continue
        if dtype.is_numeric():
            values.append((pl.col(name) + 1).cast(dtype, strict=False))
        elif dtype == pl.String and name in reach.identities:
            values.append(pl.col(name) + f"~{days}")
        elif dtype == pl.String:
            values.append(pl.col(name).shift(1, fill_value=pl.col(name).last()))
    moved = [(pl.col(name) + move).alias(name) for name in reach.times if name in events.columns]
    return events.with_columns(*values, *moved, (pl.col("date") + move).alias("date"))
