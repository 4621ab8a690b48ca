"""What a frozen baseline knows of each column beyond its profile: its weekdays, how rows hang together, what is still unseen."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property

import numpy as np
import polars as pl

from mlpipe_assets.statistics.bins import Bins, place_numbers
from mlpipe_assets.statistics.columns import numbers_of
from mlpipe_assets.statistics.distances import Vector
from mlpipe_assets.statistics.effects import Codes, DayEffect, Effects, effect_of_days, effects_of_entities
from mlpipe_assets.statistics.noise import group_ordered, group_rare
from mlpipe_assets.statistics.profiles import ColumnProfile
from mlpipe_assets.statistics.unseen import UnseenShare, expect_unseen, expect_unseen_by_day

VERSION = 3  # counted up when the same rows would be described or binned differently

_WEEK = 7
_MOST_GROUPS = 16
_MOST_ENTITIES = 10_000  # of more a sample tells how alike rows of an entity are


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """Where each row of a baseline belongs.

    Attributes:
        days: Day of each row, from 0.
        weekdays: Weekday of each day, Monday 0; empty for a training set, which takes its days from far apart. How alike rows
            of one week are is not to be seen in it: they count as one row of their entity.
        window: Days of a window.
        entities: Entity of each row, from 0; None where the rows of a table are independent.
    """

    days: Codes
    weekdays: Codes
    window: int = _WEEK
    entities: Codes | None = None

    @cached_property
    def sample(self) -> tuple[Codes, Codes, Codes]:
        """Rows of at most 10,000 entities: where they are, their entity, and the window they lie in; -1 behind the last."""
        entities = np.zeros_like(self.days) if self.entities is None else self.entities
        every = int(entities.max(initial=-1)) + 1
        at = np.arange(len(entities))
        if every > _MOST_ENTITIES:
            order = np.random.default_rng(0).permutation(every)
            at = np.flatnonzero(order[entities] < _MOST_ENTITIES)
            entities = order[entities[at]]
        if not len(self.weekdays):
            return at, entities, np.zeros_like(at)
        periods = self.days[at] // self.window
        whole = max(1, len(self.weekdays) // self.window)
        return at, entities, np.where(periods < whole, periods, -1)


@dataclass(frozen=True, kw_only=True)
class ColumnBaseline:
    """Of one column.

    Attributes:
        by_weekday: Of each weekday, the rows in every bin, null and NaN; of no weekday where rows have no day.
        effects: How rows hang together.
        unseen: Of a category, what is to be expected outside the kept ones.
        rows_of_a_day: How many rows the day of a row had, on average over the rows.
        days_a_window: How many days of a window had rows.
    """

    by_weekday: tuple[tuple[tuple[int, int], ...], ...] = ()
    effects: Effects = field(default_factory=Effects)
    unseen: UnseenShare | None = None
    rows_of_a_day: float = 0.0
    days_a_window: float = 0.0


def mass_of(column: ColumnProfile, bins: Bins) -> Vector:
    """Rows in every bin, null and NaN; of a column without bins, with a value, null and NaN."""
    held = column.histogram(bins) if bins.count else np.array([column.rows - column.nulls - column.nans], dtype=float)
    return np.append(held, [column.nulls, column.nans])


def describe_column(series: pl.Series, bins: Bins, rows: Rows) -> ColumnBaseline:
    """What the rows of a baseline tell of one column."""
    places = _places(series, bins)
    width = max(bins.count, 1) + 2
    days = len(rows.weekdays) or 1
    by_day = np.bincount(rows.days * width + places, minlength=days * width).reshape(days, width)
    groups = _groups(by_day.sum(axis=0).astype(np.float64), bins, max(1, days // rows.window))
    grouped = np.zeros((days, int(groups.max()) + 1))
    for bin_, group in enumerate(groups.tolist()):
        grouped[:, group] += by_day[:, bin_]
    alone = int(groups[-2]) if np.count_nonzero(groups == groups[-2]) == 1 else None
    varied = effect_of_days(grouped, rows.weekdays, alone) if len(rows.weekdays) else DayEffect()
    effects = Effects()
    if rows.entities is not None and len(places):
        at, entities, periods = rows.sample
        effects = effects_of_entities(groups[places[at]], alone, entities, periods)
        if not len(rows.weekdays):
            effects = replace(
                effects, window=float(rows.window), nulls_window=float(rows.window), together=float(rows.window)
            )
    effects = replace(
        effects, days=varied.more, nulls_days=varied.nulls, days_uneven=varied.uneven, days_seen=varied.seen
    )
    return ColumnBaseline(
        by_weekday=tuple(_sparse(by_day[rows.weekdays == at].sum(axis=0)) for at in range(_WEEK))
        if len(rows.weekdays)
        else (),
        effects=Effects(**{name: round(value, 9) for name, value in asdict(effects).items()}),
        unseen=_unseen(series, bins, rows) if bins.kind == "category" and bins.count else None,
        rows_of_a_day=_rows_of_a_day(by_day.sum(axis=1)),
        days_a_window=float(np.count_nonzero(by_day.sum(axis=1))) * rows.window / days,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Basis:
    """What a verdict on a column rests on besides two profiles.

    Attributes:
        mass: Rows of the reference by bin, null and NaN, as many of each weekday as the current window has.
        reference, current: Share of the rows of a side that tell as much as independent ones.
        nulls_reference, nulls_current: The same for the share of nulls.
        uneven: See `Effects`; of the side where it is larger.
        seen, nulls_seen: How many days tell the effect, as good as all of it; infinite where days add nothing.
        unseen: Of a frozen baseline of categories, what is to be expected outside the kept ones.
    """

    mass: Vector
    reference: float = 1.0
    current: float = 1.0
    nulls_reference: float = 1.0
    nulls_current: float = 1.0
    uneven: float = 0.0
    seen: float = math.inf
    nulls_seen: float = math.inf
    unseen: UnseenShare | None = None


def basis_of(
    column: ColumnBaseline, reference: Sequence[Vector], days: Sequence[tuple[int, int]], *, frozen: bool
) -> Basis:
    """The basis of one column.

    Args:
        column: What its baseline knows.
        reference: Of each weekday, Monday first, the reference's mass; or that of all of it.
        days: Weekday and rows of each day of the current window that has rows.
        frozen: Whether the reference is the baseline, or else another window.
    """
    weekdays = [0] * len(reference)
    for weekday, rows in days:
        weekdays[weekday if len(reference) == _WEEK else 0] += rows
    effects = column.effects
    now, nulls_now = effects.of_window(
        len(days) / column.days_a_window if column.by_weekday and column.days_a_window else 1.0
    )
    met = _rows_of_a_day([rows for _, rows in days])
    then, nulls_then = (effects.baseline, effects.nulls_baseline) if frozen else (effects.window, effects.nulls_window)
    met_then = column.rows_of_a_day if frozen else met
    more, more_then = effects.days * met, effects.days * met_then
    nulls_more, nulls_more_then = effects.nulls_days * met, effects.nulls_days * met_then
    return Basis(
        mass=match_weekdays(reference, weekdays),
        reference=1 / (then + more_then),
        current=1 / (now + more),
        nulls_reference=1 / (nulls_then + nulls_more_then),
        nulls_current=1 / (nulls_now + nulls_more),
        uneven=max(effects.uneven_with(now, more), effects.uneven_with(then, more_then)),
        seen=_seen(effects.days_seen, now, more),
        nulls_seen=_seen(effects.days_seen, nulls_now, nulls_more),
        unseen=column.unseen if frozen else None,
    )


def _seen(days: float, effect: float, more: float) -> float:
    """How many days an effect rests on of which a part was told by some days, the rest for sure. Source: Satterthwaite (1946)."""
    return days * ((effect + more) / more) ** 2 if more else math.inf


def match_weekdays(reference: Sequence[Vector], weekdays: Sequence[int]) -> Vector:
    """The reference as it would be with the weekdays of the current window, in as many rows as that leaves to tell.

    A weekday that the reference never had is held against all of its others. Sources: Holt and Smith (1979), post-
    stratification; the rows that are left after weighting: Kish (1965).
    """
    held = np.array([mass.sum() for mass in reference])
    total = held.sum()
    wanted = np.asarray(weekdays, dtype=np.float64)
    if not total or not wanted.sum():
        return np.asarray(np.sum(reference, axis=0), dtype=np.float64)
    shares = wanted / wanted.sum()
    known = np.where(held > 0, shares, 0.0) + (shares[held == 0].sum() * held / total)
    weights = np.divide(known, held, out=np.zeros(len(held)), where=held > 0)
    left = 1 / float((weights * known).sum())
    return np.asarray(left * (weights @ np.asarray(reference)), dtype=np.float64)


def dense(sparse: Sequence[tuple[int, int]], bins: Bins) -> Vector:
    """Rows in every bin, null and NaN."""
    found = np.zeros(max(bins.count, 1) + 2)
    for at, rows in sparse:
        found[at] = rows
    return found


def to_document(column: ColumnBaseline) -> dict[str, object]:
    """As JSON keeps it."""
    effects = column.effects
    return {
        "by_weekday": column.by_weekday,
        "effects": asdict(effects),
        "unseen": [column.unseen.expected, column.unseen.variance] if column.unseen else None,
        "rows_of_a_day": column.rows_of_a_day,
        "days_a_window": column.days_a_window,
    }


def from_document(stored: Mapping[str, object]) -> ColumnBaseline:
    """What was kept."""
    unseen, effects = stored["unseen"], stored["effects"]
    return ColumnBaseline(
        by_weekday=tuple(tuple((at, rows) for at, rows in day) for day in stored["by_weekday"]),  # type: ignore[attr-defined]
        effects=Effects(**effects),  # type: ignore[arg-type]
        unseen=UnseenShare(expected=unseen[0], variance=unseen[1]) if unseen else None,  # type: ignore[index]
        rows_of_a_day=float(stored["rows_of_a_day"]),  # type: ignore[arg-type]
        days_a_window=float(stored["days_a_window"]),  # type: ignore[arg-type]
    )


def _places(series: pl.Series, bins: Bins) -> Codes:
    """Bin of each row; behind the bins null and NaN."""
    null = max(bins.count, 1)
    if not bins.count:
        return np.where(series.is_null().to_numpy(), null, 0)
    if bins.kind == "category":
        known = dict(zip(bins.categories, range(len(bins.categories)), strict=True))
        texts = series.cast(pl.String)
        found = (
            texts.replace_strict(known, default=len(known), return_dtype=pl.Int64)
            if known
            else texts.str.len_bytes() * 0
        )
        return np.where(series.is_null().to_numpy(), null, found.fill_null(0).to_numpy()).astype(np.int64)
    numbers = numbers_of(series)
    values = numbers.fill_null(0).to_numpy()
    places = place_numbers(values, bins.edges)
    if values.dtype.kind == "f":
        places = np.where(np.isnan(values), null + 1, places)
    return np.where(numbers.is_null().to_numpy(), null, places)


def _groups(mass: Vector, bins: Bins, windows: int) -> Codes:
    """Group of each bin, null and NaN, as a window like the baseline's would be pooled: at most 16 and the missing."""
    later = mass / windows
    if not bins.count or not mass.sum():
        return np.arange(len(mass))
    if bins.kind != "category":
        return group_ordered(mass, later, missing=2)
    groups = group_rare(mass, later, rest=len(bins.categories))
    largest = np.argsort(-np.bincount(groups, weights=mass), kind="stable")[: _MOST_GROUPS - 1]
    named = {int(group): at for at, group in enumerate(largest) if group != groups.max()}
    return np.array([named.get(int(group), _MOST_GROUPS - 1) for group in groups])


def _unseen(series: pl.Series, bins: Bins, rows: Rows) -> UnseenShare | None:
    """Counted by entity where there is one: a text that one entity has every day was met once. Else by day."""
    frame = pl.DataFrame({"text": series.cast(pl.String)})
    kept = pl.col("text").is_in(list(bins.categories)).alias("kept")
    if rows.entities is not None:
        numbers = frame["text"].cast(pl.Categorical).to_physical()
        frame = frame.with_columns(number=numbers, entity=rows.entities).unique(["number", "entity"])
    elif len(rows.weekdays):
        met = (
            frame.with_columns(day=rows.days)
            .drop_nulls()
            .group_by("text", "day")
            .agg(pl.len().cast(pl.Int64).alias("rows"))
        )
        held = np.bincount(rows.days, minlength=len(rows.weekdays))
        return expect_unseen_by_day(met.with_columns(kept), held)
    times = frame["text"].drop_nulls().value_counts(name="times")
    return expect_unseen(times.with_columns(kept), frame.height)


def _rows_of_a_day(rows: Sequence[int] | Codes) -> float:
    """How many rows the day of a row has, on average over the rows: a full day has more rows that meet it."""
    sizes = np.asarray(rows, dtype=np.float64)
    return float((sizes**2).sum() / sizes.sum()) if sizes.sum() else 0.0


def _sparse(counts: Codes) -> tuple[tuple[int, int], ...]:
    held = np.flatnonzero(counts)
    return tuple(zip(held.tolist(), counts[held].tolist(), strict=True))
