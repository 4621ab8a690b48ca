"""The SQL of a declared view whose rows count as they were known at the end of each day, each in the version of then."""

import sqlglot
from sqlglot import exp

from mlpipe_assets.catalog.aggregates import versions_table
from mlpipe_assets.catalog.declarations import Catalog, FeatureView
from mlpipe_assets.catalog.sql_words import spell_name
from mlpipe_assets.catalog.view_text import Text
from mlpipe_assets.engines.engine import DIALECT

_A_MICROSECOND = "interval '1' microsecond"  # what became known at the very end of the time to settle still counts


class TextAsKnown(Text):
    """The same text over rows that count from the day on which they were known until the day on which another version was.

    A version that ceases to hold leaves every window it is in, so what is last seen can go back: only sums can be kept by
    adding and taking away, and everything else is made of all rows of its window.
    """

    def __init__(self, catalog: Catalog, view: FeatureView) -> None:
        super().__init__(catalog, view)
        self._latest = {}
        self._since, self._gone = (self._names.take(name) for name in ("known_on", "gone_on"))
        self._rows_described = self._terms.rows_described()

    def _known(self) -> dict[str, str]:
        source = spell_name(self._view.source)
        versions = spell_name(versions_table(self._view.source))
        columns = ", ".join([*self._columns(), "date", "known_at"])
        known = f"cast(known_at - interval '{self._settle()}' second - {_A_MICROSECOND} as date)"
        gone = f"cast(known_until - interval '{self._settle()}' second - {_A_MICROSECOND} as date)"
        union = (
            f"    select {columns}, case when false then known_at end as known_until\n    from {source}\n"  # noqa: S608 (quoted names)
            f"    where {self._window(self._lookback)}\n"
            "    union all\n"
            f"    select {columns}, known_until\n    from {versions}\n"
            f"    where {self._window(self._lookback)}"
        )
        chosen = [
            *self._columns(),
            "date",
            f"case when known_at <= $begun then date else greatest(date, {known}) end as {self._since}",
            f"case when known_until <= $begun then date else {gone} end as {self._gone}",
        ]
        listed = ",\n".join(f"    {one}" for one in chosen)
        return {"known": f"select\n{listed}\nfrom (\n{union}\n) as versions"}

    def _settle(self) -> int:
        return round(self._view.settle.total_seconds())

    def _columns(self) -> list[str]:
        """Columns of the source that the view is made of."""
        named = [*self._view.entity.join_keys, *self._terms.order_used]
        for one in self._view.aggregates:
            named += [one.column] if one.column else []
            if one.where:
                named += [column.name for column in sqlglot.parse_one(one.where, dialect=DIALECT).find_all(exp.Column)]
        return [spell_name(name) for name in dict.fromkeys(named) if name not in ("date", "known_at")]

    def _more_inputs(self) -> list[str]:
        source = self._view.source
        return [f"        {versions_table(source)} (versions of {source} that held from known_at until known_until)"]

    def _more_params(self) -> str:
        return "; $begun timestamp: what was known by then is history, known on its own day"

    def _stretch(self) -> list[str]:
        return [f"greatest({self._since}, $start) as {self._opened}", self._gone]

    def _rows(self) -> str:
        holds = f"({self._gone} is null or ({self._gone} > {self._since} and {self._gone} > $start))"
        return f"from known\nwhere {self._since} <= $end and {self._since} < date + {self._lookback} and {holds}"

    def _leaves(self, days: int) -> str:
        return f"least({self._day} + {days}, coalesce({self._gone}, {self._day} + {days}))"

    def _holds(self) -> str:
        return f" and r.day >= p.{self._opened} and (p.{self._gone} is null or r.day < p.{self._gone})"

    def _described(self) -> str:
        return f"t.{self._rows_described} > 0"
