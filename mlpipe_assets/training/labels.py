"""What labels look at, by experiment: a few of every day are made again from events cut to their window, or planted."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

import polars as pl

from mlpipe_assets.catalog.declarations import Model, Source
from mlpipe_assets.engines.engine import Engine, Slice
from mlpipe_assets.errors import naming
from mlpipe_assets.join_keys import of_entities
from mlpipe_assets.partitions import ONE_DAY, days_between
from mlpipe_assets.point_in_time.proof import different, in_utc
from mlpipe_assets.point_in_time.sample import (
    CUT,
    PLANT,
    MomentReach,
    Reach,
    columns_to_cut,
    cut,
    plan_passes,
    read_entities,
)
from mlpipe_assets.point_in_time.source_days import SourceDays
from mlpipe_assets.point_in_time.windows import Inputs
from mlpipe_assets.row_times import day_of_row

_A_MOMENT = timedelta(microseconds=1)


def find_outside_looks(
    engine: Engine, inputs: Inputs, model: Model, rows_of_days: Mapping[date, pl.DataFrame]
) -> list[str]:
    """Labels that come out otherwise when only events of their window are there, and some are planted beside it."""
    keys, horizon = model.view.row_key, model.horizon.days
    problems: list[str] = []
    for sample, again in _labels(engine, inputs, model, rows_of_days, after=0, until=horizon, plants=(0, horizon + 1)):
        for (day,), entities in sample.partition_by(CUT, as_dict=True).items():
            stored = of_entities(rows_of_days[day], entities, keys).sort(keys)
            found = of_entities(again.filter(day == day_of_row(moments=model.view.moments)), entities, keys).sort(keys)
            problems += [
                f"{day} {line}" for line in different(stored.select(*keys, model.label), found, keys, model.contract)
            ]
    return problems


def find_unused_horizon(
    engine: Engine, inputs: Inputs, model: Model, rows_of_days: Mapping[date, pl.DataFrame]
) -> list[str]:
    """Days at the end of the horizon on which no event changes a label, though the same event changes it on the first day.

    A label that takes several events, or something rarer than was sampled, says nothing on the first day either.
    """
    horizon = model.horizon.days
    few = dict(list(rows_of_days.items())[-3:])

    def answers(on: int | None) -> list[pl.DataFrame]:
        plants = () if on is None else (on,)
        passes = _labels(engine, inputs, model, few, after=horizon, until=horizon, plants=plants, every_one=True)
        return [again for _, again in passes]

    if horizon <= 1:
        return []
    none = answers(None)

    def counts(on: int) -> bool:
        return any(not a.equals(b, null_equal=True) for a, b in zip(answers(on), none, strict=True))

    if counts(horizon) or not counts(1):
        return []
    used = next(day for day in range(horizon - 1, 0, -1) if counts(day))
    found = (
        f"{model.sql} looks at {used} of the {horizon} days of the horizon: no event of a later one changes a label. Declare "
        f"horizon=timedelta(days={used}), or bind $horizon in the SQL; as it is, the newest {horizon - used} days are left out "
        "of training for nothing"
    )
    return [found]


def _labels(
    engine: Engine,
    inputs: Inputs,
    model: Model,
    rows_of_days: Mapping[date, pl.DataFrame],
    *,
    after: int,
    until: int,
    plants: Sequence[int],
    every_one: bool = False,
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Passes over the days: the entities of each, and their labels by the events of some days only."""
    view, lake, keys = model.view, inputs.lake, model.view.entity.join_keys
    chosen = {day: rows for day, rows in sorted(rows_of_days.items()) if rows.height and model.label in rows.columns}
    if not chosen:
        return
    sql = inputs.catalog.read_sql(model.sql)
    entities = pl.concat([rows.select(keys) for rows in chosen.values()]).unique()
    described = read_entities(lake.state("features", view.name).files(chosen), entities, None)
    sources = [SourceDays(lake=lake, source=inputs.catalog.source(name)) for name in model.inputs]
    owned = {s.source.name for s in sources if {*keys} <= {*s.source.contract.to_schema().columns}}
    first_seen = timedelta(0) if view.moments else ONE_DAY
    ahead = days_between(min(chosen) + first_seen, max(chosen) + model.horizon)
    around = days_between(min(chosen), max(chosen) + model.horizon + ONE_DAY)
    history = {
        s.source.name: read_entities(paths, entities, columns_to_cut(sql, s.source, moments=view.moments))
        for s in sources
        if s.source.name in owned and (paths := s.paths(d for d in around if d in s.present))
    }
    alone = len(owned) < len(sources)
    for sample in plan_passes(chosen, keys, one_day_each=alone):
        marked = sample.with_columns(pl.lit(value=True).alias(PLANT)) if every_one else sample
        first = sample[CUT][0]
        window = days_between(first + first_seen, first + model.horizon) if alone else ahead
        tables: dict[str, Slice] = {
            s.source.name: s.paths(d for d in window if d in s.present) for s in sources if s.source.name not in history
        }
        tables["features"] = cut(described, keys, sample, _own_rows(model))
        for s in sources:
            if s.source.name in history:
                reach = _reach(model, s.source, after=after, until=until, plants=plants)
                tables[s.source.name] = cut(history[s.source.name], keys, marked, reach)
        with naming(model.sql):
            found = engine.select(sql, tables, {"horizon": model.horizon.days})
        yield sample, in_utc(found).select(*keys, "as_of", model.label).sort(*keys, "as_of")


def _own_rows(model: Model) -> Reach | MomentReach:
    """The feature row of an entity that is asked about, and no other one."""
    if not model.view.moments:
        return Reach(after=-1, until=0, plants=())
    return MomentReach(after=-_A_MOMENT, until=timedelta(0), plants=(), time="as_of")


def _reach(model: Model, source: Source, *, after: int, until: int, plants: Sequence[int]) -> Reach | MomentReach:
    """What a label may see, in days from its own on; of a moment in time from it on, the moment itself and the end left out.

    On the day 0, or on one after the horizon, an event is planted at the very moment, or at the very end; else half a day before the
    end of its day.
    """
    if model.view.moments and source.event_time:
        horizon = model.horizon.days
        half = timedelta(days=0.5)
        times = (timedelta(days=min(n, horizon)) if n in (0, horizon + 1) else timedelta(days=n) - half for n in plants)
        until_then = model.horizon - _A_MOMENT
        start = timedelta(days=after) if after < horizon else model.horizon
        return MomentReach(
            after=start, until=until_then, plants=tuple(times), time=source.event_time, identities=source.key
        )
    of_time = (source.event_time,) if source.event_time else ()
    return Reach(after=after, until=until, plants=tuple(plants), times=of_time, identities=source.key)
