"""The SQL of a declared view whose rows count as they were known at the end of each day, each in the version of then."""

from collections.abc import Iterator

import sqlglot
from sqlglot import exp

from mlpipe_assets.catalog.aggregates import versions_table
from mlpipe_assets.catalog.declarations import Catalog, FeatureView
from mlpipe_assets.catalog.sql_words import spell_name
from mlpipe_assets.catalog.view_sql.layout import spell_select
from mlpipe_assets.catalog.view_sql.spans import Change
from mlpipe_assets.catalog.view_sql.spans_as_known import SpansAsKnown
from mlpipe_assets.catalog.view_sql.text import Text
from mlpipe_assets.engines.engine import DIALECT

_A_MICROSECOND = "interval '1' microsecond"  # what became known at the very end of the time to settle still counts


class TextAsKnown(Text):
    """The same text over rows that count from the day on which they were known until the day on which another version was.

    A version that ceases to hold leaves every window it is in. What was seen last can go back then, so such versions are
    `fleeting`: of what cannot be subtracted they are put in on each day on which they held, and out again on the next.
    """

    def __init__(self, catalog: Catalog, view: FeatureView) -> None:
        super().__init__(catalog, view)
        terms, names = self._terms, self._names
        self._rows_described = terms.rows_described()
        for column in self._columns():
            names.take(column.strip('"'))  # they are columns of `known` too
        self._since, self._gone, self._held_on = (names.take(name) for name in ("known_on", "gone_on", "held_on"))
        values = {one.name: terms.value_of_row(one) for one in terms.distinct.values()}
        self._spans = SpansAsKnown(
            self._keys,
            self._of_spans,
            opened=self._opened,
            gone=self._gone,
            held_on=self._held_on,
            then=names.take("used_on_then"),
            values=values,
        )
        seen = {terms.seen: self._day} if terms.asks_when_seen else {}
        seen |= {name: name for name, _ in terms.latest.values()}
        self._then = {name: names.take(f"{name}_then".replace('"', "")) for name in seen}
        self._seen_then = {self._then[name]: value for name, value in seen.items()}
        self._latest = {name: f"case when {self._gone} > $end then {value} end" for name, value in seen.items()}
        self._latest |= dict.fromkeys(self._seen_then, "cast(null as date)")
        self._of_fleeting = list(dict.fromkeys([self._day, *seen.values(), *values.values()]))

    def _parts_before(self) -> dict[str, str]:
        parts = {"known": self._known(), **super()._parts_before()}
        return {**parts, "fleeting": self._fleeting()} if self._latest or self._terms.distinct else parts

    def _known(self) -> str:
        """Rows of the source, the versions that held for a time among them, each with the days on which it counts."""
        columns, begun = [*self._columns(), "date"], "<= $begun then date else"
        known = f"case when known_at {begun} greatest(date, {self._first_day_after('known_at')}) end as {self._since}"
        gone = f"case when known_until {begun} {self._first_day_after('known_until')} end"
        selects = [
            spell_select(
                [*columns, known, f"{until} as {self._gone}"],
                f"from {spell_name(table)}\nwhere {self._window(self._lookback)}",
            )
            for table, until in (
                (self._view.source, "$end + 1"),
                (versions_table(self._view.source), f"least({gone}, $end + 1)"),
            )
        ]
        return "\nunion all\n".join(selects)

    def _first_day_after(self, moment: str) -> str:
        """The first day by whose end, and the time to settle, a moment has come."""
        settle = round(self._view.settle.total_seconds())
        return f"cast({moment} - interval '{settle}' second - {_A_MICROSECOND} as date)"

    def _fleeting(self) -> str:
        """Versions that ceased to hold, on each day on which they did."""
        chosen = [f"p.{name}" for name in (*self._keys, *self._of_fleeting)]
        inside = f"d.day >= p.{self._opened} and d.day < p.{self._gone} and d.day < p.{self._day} + {self._lookback}"
        return spell_select(
            [*chosen, f"d.day as {self._held_on}"],
            f"from placed as p\ninner join days as d on {inside}\nwhere p.{self._gone} <= $end",
        )

    def _columns(self) -> list[str]:
        """Columns of the source that the view is made of."""
        named = [*self._view.entity.join_keys, *self._terms.order_used]
        for one in self._view.aggregates:
            named += [one.column] if one.column else []
            if one.where:
                named += [column.name for column in sqlglot.parse_one(one.where, dialect=DIALECT).find_all(exp.Column)]
        return [spell_name(name) for name in dict.fromkeys(named) if name != "date"]

    def _how(self) -> list[str]:
        said = [
            "A row counts as it was known: from its day, or the later one by whose end it came, until its window ends or another",
            "version takes its place. It enters every window once and leaves it once, and between two changes the totals stand still.",
        ]
        if self._latest or self._terms.distinct:
            said += [
                "What was seen last can go back: a version that ceased to hold is fleeting, in on each day on which it held, and out again."
            ]
        return [*said, *self._how_else()]

    def _more_inputs(self) -> list[str]:
        source = self._view.source
        return [f"        {versions_table(source)} (versions of {source} that held from known_at until known_until)"]

    def _more_params(self) -> str:
        return "; $begun timestamp: what was known by then counts from its own day on"

    def _stretch(self) -> list[str]:
        return [f"greatest({self._since}, $start) as {self._opened}", self._gone]

    def _rows(self) -> str:
        holds = f"{self._gone} > {self._since} and {self._gone} > $start"
        return f"from known\nwhere {self._since} <= $end and {self._since} < date + {self._lookback} and {holds}"

    def _leaves(self, days: int) -> str:
        return f"least({self._day} + {days}, {self._gone})"

    def _holds(self) -> str:
        return f" and r.day >= p.{self._opened} and r.day < p.{self._gone}"

    def _described(self) -> str:
        return f"t.{self._rows_described} > 0"

    def _more_changes(self) -> Iterator[Change]:
        if self._latest:
            yield self._held_on, self._seen_then, "from fleeting"  # where it ends, the row leaves its longest window

    def _latest_so_far(self) -> list[str]:
        return [f"greatest(max({name}) over w, {then}) as {name}" for name, then in self._then.items()]
