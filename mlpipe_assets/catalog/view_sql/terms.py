"""What the aggregates of a view come down to: sums that can be subtracted, days last seen, distinct values, and the rest.

Two aggregates over the same column and condition share what they are made of: a mean takes its sum from the sum that is
declared beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from mlpipe_assets.catalog.aggregates import OF_ONE_ROW, Aggregate
from mlpipe_assets.catalog.sql_words import plain_name, spell_name
from mlpipe_assets.catalog.view_sql.layout import both, decimal_type, divided
from mlpipe_assets.catalog.view_sql.names import Names
from mlpipe_assets.rules import Column

_LONGEST_UNITS = 18  # digits that a bigint holds for sure
_PLACES_AT_HAND = 2  # of money: amounts up to 92 trillion are counted in cents without a wider type


@dataclass(kw_only=True)
class Term:
    """A number of each row, never null, whose sum over a window is kept by adding and taking away.

    Attributes:
        value: SQL over one row of the source.
        kind: SQL type of the sum of a day.
        windows: Length of each window in days, with the column that holds its sum.
    """

    name: str
    value: str
    kind: str
    windows: dict[int, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class Distinct:
    """A column whose distinct values are counted, with the column of each window.

    Attributes:
        nullable: Whether the column may be null; such rows do not take part.
        where: A condition for rows to take part; empty where all do.
    """

    name: str
    column: str
    nullable: bool
    where: str
    windows: dict[int, str] = field(default_factory=dict)

    @property
    def condition(self) -> str:
        """Whether a row of the source takes part; empty where all do."""
        parts = [f"{self.column} is not null"] if self.nullable else []
        return " and ".join([*parts, f"({self.where})"] if self.where else parts)


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A feature made of all rows of its window at once, with the SQL over rows `p` that were `r.age` days old."""

    name: str
    value: str


@dataclass(kw_only=True)
class Terms:
    """All that the declared aggregates of one view need; filled by `add`, aggregate by aggregate.

    Attributes:
        dtypes: Columns of the source, each as its contract promises it.
        lookback: In days; the window of an aggregate without one.
        order: Columns that put the rows of an entity in order, without ties: event time, then key.
        names: Those that are taken already.
        seen: The column with the day an entity was last seen, by any row.
        asks_when_seen: Whether an aggregate asks for that day.
    """

    source: Mapping[str, Column]
    lookback: int
    order: tuple[str, ...]
    names: Names
    seen: str
    asks_when_seen: bool = False
    terms: dict[tuple[str, ...], Term] = field(default_factory=dict)
    latest: dict[tuple[str, ...], tuple[str, str]] = field(default_factory=dict)
    distinct: dict[tuple[str, ...], Distinct] = field(default_factory=dict)
    measured: dict[str, str] = field(default_factory=dict)
    spread: list[Spread] = field(default_factory=list)

    def add(self, aggregate: Aggregate, promised: Mapping[str, pl.DataType]) -> dict[str, str]:
        """The SQL of each of its features, over `t` (running totals), `s` (the rest) and `d` (the day)."""
        made = {
            "count": self._count,
            "sum": self._sum,
            "mean": self._mean,
            "stddev": self._stddev,
            "count_distinct": self._count_distinct,
            "days_since_last": self._days_since_last,
        }
        found: dict[str, str] = {}
        for feature, window in aggregate.features.items():
            n = window or self.lookback
            if self._subtractable(aggregate):
                found[feature] = made[aggregate.function](aggregate, n, promised[feature])
            else:
                found[feature] = self._over_all_rows(aggregate, feature, n, promised[feature])
        return found

    def totals(self) -> dict[str, str]:
        """Columns of running totals that the next day can go on from, with SQL types; none where nothing is subtracted."""
        sums = {window: term.kind for term in self.terms.values() for window in term.windows.values()}
        kinds = {name: "bigint" if kind == "integer" else kind for name, kind in sums.items()}
        days = dict.fromkeys([self.seen, *(name for name, _ in self.latest.values())], "date")
        return {**kinds, **days} if sums else {}

    def _subtractable(self, aggregate: Aggregate) -> bool:
        if aggregate.function in OF_ONE_ROW:
            return False
        floats = aggregate.column is not None and self.source[aggregate.column].dtype.is_float()
        return not (floats and aggregate.function in ("sum", "mean", "stddev"))

    def _count(self, aggregate: Aggregate, n: int, _: pl.DataType) -> str:
        return f"cast(t.{self._counted(aggregate, n)} as bigint)"

    def _sum(self, aggregate: Aggregate, n: int, promised: pl.DataType) -> str:
        total, scale = f"t.{self._summed(aggregate, n)}", self._scale(aggregate)
        if promised.is_decimal() and scale:
            return f"cast(cast({total} as decimal(38, 0)) * 0.{'1':0>{scale}} as {decimal_type(promised)})"
        if promised.is_float():
            return f"cast({total} as double){divided(scale)}"
        return f"cast({total} as {decimal_type(promised) if promised.is_decimal() else 'bigint'})"

    def _mean(self, aggregate: Aggregate, n: int, _: pl.DataType) -> str:
        total, count = self._summed(aggregate, n), self._counted(aggregate, n)
        return f"cast(t.{total} as double){divided(self._scale(aggregate))} / nullif(t.{count}, 0)"

    def _stddev(self, aggregate: Aggregate, n: int, _: pl.DataType) -> str:
        total, count = f"t.{self._summed(aggregate, n)}", f"t.{self._counted(aggregate, n)}"
        squares = f"t.{self._squared(aggregate, n)}"
        spread = f"cast({count} as decimal(19, 0)) * {squares} - cast({total} as decimal(38, 0)) * cast({total} as decimal(38, 0))"
        return f"sqrt(cast({spread} as double) / nullif({count} * ({count} - 1), 0)){divided(self._scale(aggregate))}"

    def _count_distinct(self, aggregate: Aggregate, n: int, _: pl.DataType) -> str:
        column, key = str(aggregate.column), _key("distinct", aggregate)
        if key not in self.distinct:
            self.distinct[key] = Distinct(
                name=self.names.take(f"distinct_{self._named(aggregate)}"),
                column=spell_name(column),
                nullable=self.source[column].nullable,
                where=aggregate.where or "",
            )
        return f"cast(t.{self._window(self.distinct[key], n)} as bigint)"

    def _days_since_last(self, aggregate: Aggregate, n: int, _: pl.DataType) -> str:
        last = f"t.{self._last_seen(aggregate)}"
        since = f"cast(d.day - {last} as bigint)"
        return (
            since
            if n == self.lookback and last == f"t.{self.seen}"
            else f"case when {last} > d.day - {n} then {since} end"
        )

    def _over_all_rows(self, aggregate: Aggregate, feature: str, n: int, promised: pl.DataType) -> str:
        dtype = self.source[str(aggregate.column)].dtype
        value = (
            f"case when r.age < {n} then p.{self._measure(aggregate)} end"
            if n < self.lookback
            else f"p.{self._measure(aggregate)}"
        )
        if aggregate.function in ("first", "last"):
            order = ", ".join(f"p.{self.measured_as(spell_name(name))}" for name in self.order)
            within = f"r.age < {n} and " if n < self.lookback else ""
            by = f"case when {within}p.{self._measure(aggregate)} is not null then ({order}) end"
            call = f"{'min_by' if aggregate.function == 'first' else 'max_by'}({value}, {by})"
        else:
            name = {"mean": "avg", "stddev": "stddev_samp"}.get(aggregate.function, aggregate.function)
            call = f"{name}({value})"
        if aggregate.function == "sum":
            call = f"coalesce({call}, 0)"
        named = self.names.take(feature)
        self.spread.append(Spread(name=named, value=call))
        return f"cast(s.{named} as double)" if dtype.is_decimal() and promised.is_float() else f"s.{named}"

    @property
    def order_used(self) -> tuple[str, ...]:
        """Columns that put rows in order, where something asks for the first or the last."""
        return tuple(name for name in self.order if spell_name(name) in self.measured)

    def rows_described(self) -> str:
        """The column with the number of rows of the lookback: an entity without any is not described."""
        return self._term(("rows", ""), "n", "1", "integer", self.lookback)

    def _counted(self, aggregate: Aggregate, n: int) -> str:
        """The column with the number of rows of a window that take part."""
        column = aggregate.column
        if column is None or not self.source[column].nullable:
            value = f"case when {aggregate.where} then 1 else 0 end" if aggregate.where else "1"
            return self._term(
                ("rows", aggregate.where or ""),
                f"{aggregate.name}_rows" if aggregate.where else "n",
                value,
                "integer",
                n,
            )
        value = f"case when {both(aggregate.where, f'{spell_name(column)} is not null')} then 1 else 0 end"
        return self._term(_key("count", aggregate), f"{self._named(aggregate)}_count", value, "integer", n)

    def _summed(self, aggregate: Aggregate, n: int) -> str:
        precision, scale = self._digits(aggregate)
        kind = "bigint" if precision <= _LONGEST_UNITS or scale is None else f"decimal(38, {scale})"
        return self._term(
            _key("sum", aggregate), self._named(aggregate), self._never_null(aggregate, self._units(aggregate)), kind, n
        )

    def _squared(self, aggregate: Aggregate, n: int) -> str:
        units = f"cast({self._units(aggregate)} as decimal(19, 0))"
        value = self._never_null(aggregate, f"{units} * {units}")
        return self._term(_key("squares", aggregate), f"{self._named(aggregate)}_squares", value, "decimal(38, 0)", n)

    def _never_null(self, aggregate: Aggregate, value: str) -> str:
        if aggregate.where:
            value = f"case when {aggregate.where} then {value} end"
        nullable = aggregate.where or self.source[str(aggregate.column)].nullable
        return f"coalesce({value}, 0)" if nullable else value

    def _units(self, aggregate: Aggregate) -> str:
        """The value of a row as a whole number: cents of an amount with two places; a long decimal as it is."""
        name, scale = spell_name(str(aggregate.column)), self._scale(aggregate)
        if self._digits(aggregate)[0] > _LONGEST_UNITS:
            return name
        if scale > _PLACES_AT_HAND:  # DuckDB multiplies 18 digits within 18
            name = f"cast({name} as decimal(38, {scale}))"
        return f"cast({name} * {10**scale} as bigint)" if scale else f"cast({name} as bigint)"

    def _digits(self, aggregate: Aggregate) -> tuple[int, int | None]:
        dtype = self.source[str(aggregate.column)].dtype
        return (dtype.precision or 38, dtype.scale) if isinstance(dtype, pl.Decimal) else (_LONGEST_UNITS, None)

    def _scale(self, aggregate: Aggregate) -> int:
        """Decimal places that a sum is to be moved by."""
        precision, scale = self._digits(aggregate)
        return scale or 0 if precision <= _LONGEST_UNITS else 0

    def _last_seen(self, aggregate: Aggregate) -> str:
        column = aggregate.column
        nullable = column is not None and self.source[column].nullable
        if not aggregate.where and not nullable:
            self.asks_when_seen = True
            return self.seen
        key = _key("latest", aggregate)
        if key not in self.latest:
            condition = both(aggregate.where, f"{spell_name(str(column))} is not null" if nullable else None)
            named = self.names.take(f"{self._named(aggregate)}_on")
            self.latest[key] = (named, f"case when {condition} then date end")
        return self.latest[key][0]

    def _measure(self, aggregate: Aggregate) -> str:
        """The column of `placed` with the value of a row, null where it does not take part."""
        column = spell_name(str(aggregate.column))
        value = f"cast({column} as double)" if self.source[str(aggregate.column)].dtype == pl.Float32 else column
        return self.measured_as(
            f"case when {aggregate.where} then {value} end" if aggregate.where else value, self._named(aggregate)
        )

    def value_of_row(self, distinct: Distinct) -> str:
        """The column of `placed` with the value of a row that is counted, null where it does not take part."""
        value = f"case when {distinct.where} then {distinct.column} end" if distinct.where else distinct.column
        return self.measured_as(value, distinct.name if distinct.where else None)

    def measured_as(self, value: str, name: str | None = None) -> str:
        """The column of `placed` that holds the value of a row."""
        if value not in self.measured:
            self.measured[value] = self.names.take(f"{name or value}_of_row".replace('"', ""))
        return self.measured[value]

    def _term(self, key: tuple[str, ...], name: str, value: str, kind: str, n: int) -> str:
        if key not in self.terms:
            self.terms[key] = Term(name=self.names.take(name), value=value, kind=kind)
        return self._window(self.terms[key], n)

    def _window(self, of: Term | Distinct, n: int) -> str:
        if n not in of.windows:
            of.windows[n] = self.names.take(f"{of.name}_{n}d".replace('"', ""))
        return of.windows[n]

    def _named(self, aggregate: Aggregate) -> str:
        return plain_name(aggregate.name if aggregate.where or aggregate.column is None else aggregate.column)


def _key(kind: str, aggregate: Aggregate) -> tuple[str, ...]:
    return (kind, aggregate.column or "", aggregate.where or "")
