"""The proof that features do not know the future: a few entities of every day are recomputed with all later events gone.

What is recomputed: the SQL runs once more over a range that is a day longer at both ends, for some entities of each day.
Of an entity nothing later than its day is left, nothing older than the lookback, and for every second one events are
planted after the day. All rows come in the opposite order. Every value has to be the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import polars as pl

from mlpipe_assets.catalog.aggregates import versions_table
from mlpipe_assets.catalog.declarations import Source, is_snapshot
from mlpipe_assets.engines.engine import Engine, OnlyKeys, Slice
from mlpipe_assets.errors import SqlError, naming, shorten, spell_count
from mlpipe_assets.join_keys import of_entities
from mlpipe_assets.outcome import CheckResult
from mlpipe_assets.partitions import ONE_DAY, START_DATE
from mlpipe_assets.point_in_time.population import cut_after, recompute_days
from mlpipe_assets.point_in_time.sample import (
    CUT,
    MomentReach,
    Reach,
    columns_to_cut,
    cut,
    keys_a_day,
    plan_passes,
    read_entities,
    sample_rows,
)
from mlpipe_assets.point_in_time.windows import Inputs
from mlpipe_assets.quoting import may_quote, quote
from mlpipe_assets.row_times import day_of_row
from mlpipe_assets.rules import Column, Contract, columns

_EQUAL_WITHIN = (
    1e-9  # of the column's largest value; sums of floats may differ in their last bits with the order of rows
)
_DIAGNOSED = 2  # days with differences that are looked into; one cause is enough to stop the table
_TRIES = 3  # of the same query on the same rows, before anything but their order is blamed


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What recomputing came to: the rows compared, where they differ by day, and why; None where all are the same."""

    rows: int
    days: Sequence[date]
    differences: Mapping[date, Sequence[str]]
    cause: str | None = None

    def result(self, check_name: str) -> CheckResult:
        """The proof as a check."""
        lines = [f"{day} {line}" for day, found in self.differences.items() for line in found]
        fine = (
            f"{spell_count(self.rows, 'row')} of {spell_count(len(self.days), 'day')} are the same with later events removed, "
            "others planted, and every row in the opposite order."
            if self.rows or self.differences
            else "There was nothing to recompute: no row, or each is one of another view, which is proved."
        )
        return CheckResult(
            check_name=check_name,
            passed=self.cause is None,
            description=f"{self.cause}: {shorten(lines)}" if self.cause else fine,
            metadata={"rows_compared": self.rows, "days": [f"{day}" for day in self.days], "differences": lines[:50]},
        )


def sample_of_day(rows: pl.DataFrame, keys: Sequence[str], day: date, days: int) -> pl.DataFrame:
    """The rows of a day to recompute when so many days are."""
    return sample_rows(rows, keys, day, keys_a_day(days))


def prove(engine: Engine, inputs: Inputs, rows_of_days: Mapping[date, pl.DataFrame]) -> Proof:
    """Recompute rows as they are about to be written, or were written and are about to be learnt from.

    Args:
        engine: Runs the view's SQL.
        inputs: Where it reads from.
        rows_of_days: Some rows of each day, as `sample_of_day` chooses them.
    """
    view, keys = inputs.view, inputs.view.row_key
    chosen = {day: rows for day, rows in sorted(rows_of_days.items()) if rows.height and not view.rows_of}
    differences: dict[date, list[str]] = {}
    compared = 0
    whole = pl.concat([rows.with_columns(pl.lit(day).alias(CUT)) for day, rows in chosen.items()]) if chosen else None
    for sample, alone in _recompute(engine, inputs, chosen):
        if whole is not None and (same := _count_same(inputs, whole, alone, sample, keys)):
            compared += same
            continue
        for (day,), entities in sample.partition_by(CUT, as_dict=True).items():
            stored = _of_keys(chosen[day], entities, keys)
            again = _of_keys(alone.filter(day == day_of_row(moments=view.moments)), entities, keys)
            compared += stored.height
            if lines := different(*_shared(stored, again, keys), keys, view.contract):
                differences.setdefault(day, []).extend(lines)
    cause = (
        _cause(engine, inputs, {day: chosen[day] for day in list(differences)[:_DIAGNOSED]}) if differences else None
    )
    return Proof(rows=compared, days=list(chosen), differences=differences, cause=cause)


def _count_same(
    inputs: Inputs, whole: pl.DataFrame, alone: pl.DataFrame, sample: pl.DataFrame, keys: Sequence[str]
) -> int:
    """How many rows of a pass there are, where all days at once are the same to the last bit; 0 where days have to be looked at."""
    on = [*keys, CUT]
    left, right = _shared(whole, alone.with_columns(day_of_row(moments=inputs.view.moments).alias(CUT)), on)
    stored, again = (of_entities(rows, sample, on).sort(on) for rows in (left, right))
    cast = again.select(pl.col(name).cast(dtype, strict=False) for name, dtype in stored.schema.items())
    return stored.height if stored.equals(cast) else 0


def _recompute(
    engine: Engine, inputs: Inputs, rows_of_days: Mapping[date, pl.DataFrame]
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Passes over the days: which entities were cut at which day, and what the SQL says of them."""
    if not rows_of_days:
        return
    if inputs.view.scope == "population":
        yield from recompute_days(engine, inputs, rows_of_days)
        return
    view, keys = inputs.view, inputs.view.entity.join_keys
    sql = inputs.catalog.view_sql(view)
    owned = {s.source.name: s.source for s in inputs.sources if {*keys} <= {*s.source.contract.to_schema().columns}}
    alone = len(owned) < len(view.inputs)  # rows that belong to no entity can only be cut for all: a day at a time
    first, last = min(rows_of_days) - ONE_DAY, max(rows_of_days) + ONE_DAY
    entities = pl.concat([rows.select(keys) for rows in rows_of_days.values()]).unique()
    whole = inputs.tables(first, last)
    history = {
        name: read_entities(paths, entities, columns_to_cut(sql, source, moments=view.moments))
        for name, source in owned.items()
        if not isinstance(paths := whole[name], pl.DataFrame) and paths
    }
    passes = plan_passes(rows_of_days, keys, one_day_each=alone)
    for sample in passes:
        start, end = (first, last) if not alone else (sample[CUT][0], sample[CUT][0])
        tables: dict[str, Slice] = dict(whole if not alone else inputs.tables(start, end))
        for name, rows in history.items():
            reach = _reach(inputs, owned[name])
            tables[name] = cut(rows, keys, sample, reach)
            versions = whole.get(versions_table(name))
            if isinstance(versions, pl.DataFrame):
                tables[versions_table(name)] = cut(versions, keys, sample, reach.without_plants())
        with naming(view.sql_name):
            yield sample, in_utc(engine.select(sql, tables, inputs.params(start, end)))


def _reach(inputs: Inputs, source: Source) -> Reach | MomentReach:
    moments = inputs.view.moments
    if is_snapshot(source):
        return Reach(after=None, until=-1 if moments else 0, plants=(0, 1) if moments else (1,))
    times = (source.event_time,) if source.event_time else ()
    lookback = inputs.view.lookback.days
    if moments and source.event_time:
        plants = (timedelta(seconds=1), *(timedelta(days=n) for n in (1, 2, 7)))
        now, own = timedelta(0), source.key
        return MomentReach(
            after=None, oldest=-lookback, until=now, plants=plants, time=source.event_time, identities=own
        )
    return Reach(after=-lookback, until=0, plants=(1, 2, 7), times=times, identities=source.key)


def _cause(engine: Engine, inputs: Inputs, rows_of_days: Mapping[date, pl.DataFrame]) -> str:
    """Why values differ, found by taking one thing after the other back; asked only where some do."""
    view, keys, on = inputs.view, inputs.view.entity.join_keys, inputs.view.row_key
    name, sql = view.entity.name, inputs.catalog.view_sql(view)
    far = replace(inputs.view, lookback=timedelta(days=max(1, (max(rows_of_days) - START_DATE).days + 1)))
    longer = replace(inputs, view=far)

    def alone(day: date, source: Inputs, only: OnlyKeys | None = None) -> pl.DataFrame:
        tables = source.tables(day, day) | inputs.totals(None)  # of the view whose SQL it is
        found = in_utc(engine.select(sql, tables, source.params(day, day), only))
        return _of_keys(found, rows_of_days[day], on)

    try:
        for day, rows in rows_of_days.items():
            only = OnlyKeys(rows=rows.select(keys)) if view.scope == "entity" else None
            whole, own = alone(day, inputs), alone(day, inputs, only)
            if any(
                different(*_shared(own, again, on), on, view.contract)
                for _ in range(_TRIES)  # a tie may fall the same way by luck
                for again in (
                    _turned_round(engine, inputs, day, rows.select(on)),
                    alone(day, inputs, only),
                )
            ):
                return (
                    f"{view.sql_name} depends on the order of rows, which is another one each time. Name an order that leaves no "
                    "ties, in each window and in each first(), mode() or the like"
                )
            if different(*_shared(whole, own, on), on, view.contract):
                return (
                    f"{view.sql_name} looks at other {name} rows: a view is per entity, and what it says of a {name} may come "
                    f'from the rows of its own {", ".join(keys)} only. Declare scope="population" if it is to describe each by all'
                )
            if different(*_shared(whole, alone(day, longer), on), on, view.contract):
                return (
                    f"{view.sql_name} reads further back than the lookback of {view.lookback.days} days of {view.name}. Declare a "
                    "longer lookback, or bound the window in the SQL"
                )
    except SqlError as error:
        return f"{view.sql_name} fails on one day alone ({error})"
    return f"{view.sql_name} knows the future: its values change with events after the day. It would leak"


def _turned_round(engine: Engine, inputs: Inputs, day: date, entities: pl.DataFrame) -> pl.DataFrame:
    """Some entities on a day alone, their rows in the opposite order, nothing removed and nothing planted."""
    keys, sql, on = inputs.view.entity.join_keys, inputs.catalog.view_sql(inputs.view), inputs.view.row_key
    if inputs.view.scope == "population":
        with cut_after(inputs, day, plant=False) as turned:
            return _of_keys(engine.select(sql, turned, {"start": day, "end": day}), entities, keys)
    tables = inputs.tables(day, day)
    for s in inputs.sources:
        paths = tables[s.source.name]
        if not isinstance(paths, pl.DataFrame) and paths and {*keys} <= {*s.source.contract.to_schema().columns}:
            tables[s.source.name] = read_entities(paths, entities.select(keys), None).reverse()
    return _of_keys(in_utc(engine.select(sql, tables, inputs.params(day, day))), entities, on)


def different(stored: pl.DataFrame, alone: pl.DataFrame, keys: Sequence[str], contract: Contract) -> list[str]:
    """Where two versions of the same rows differ, one line a column; with a value that may be quoted, and never of the key."""
    declared = {column.name: column for column in columns(contract)}
    if stored.height != alone.height or not stored.select(keys).equals(alone.select(keys)):
        both = set(stored.select(keys).rows()) & set(alone.select(keys).rows())
        return [f"{', '.join(keys)}: {stored.height} rows against {alone.height} recomputed, {len(both)} in both"]
    lines: list[str] = []
    for name in stored.columns:
        left, right = stored[name], alone[name].cast(stored[name].dtype, strict=False)
        same = left.eq_missing(right)
        if left.dtype.is_float():
            largest = max(abs(float(value)) for value in (left.max() or 0, left.min() or 0))  # type: ignore[arg-type]
            same = same | ((left - right).abs() <= _EQUAL_WITHIN * largest).fill_null(value=False)
        if not same.all():
            rows = (~same).arg_true()
            shown = _example(left[rows[0]], right[rows[0]], declared.get(name)) if name not in keys else ""
            lines.append(f"{name}: {rows.len()} of {stored.height} differ{shown}")
    return lines


def _example(left: object, right: object, column: Column | None) -> str:
    if column is None or not may_quote(column):
        return ""
    shown = ["null" if value is None else quote(value, column) for value in (left, right)]
    return f" (e.g. {shown[0]} against {shown[1]})" if all(shown) else ""


def _shared(stored: pl.DataFrame, again: pl.DataFrame, on: Sequence[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Both in the columns that both have; `as_of` only where it tells rows apart."""
    names = [name for name in again.columns if name in stored.columns and (name != "as_of" or name in on)]
    return stored.select(names), again.select(names)


def in_utc(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of a select with `as_of` as tables have it: a time without a zone is in UTC."""
    if isinstance(dtype := rows.schema["as_of"], pl.Datetime) and dtype.time_zone is None:
        return rows.with_columns(pl.col("as_of").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))
    return rows


def _of_keys(rows: pl.DataFrame, entities: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    return of_entities(rows, entities, keys).sort(keys)
