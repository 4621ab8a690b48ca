"""How distinct values are counted by adding and taking away: each from a row until its window ends, or the next row takes over."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mlpipe_assets.catalog.view_sql.layout import spell_select
from mlpipe_assets.catalog.view_sql.terms import Distinct

Change = tuple[str, Mapping[str, str], str]
"""The day of a change, what it adds to which columns, and where from."""


@dataclass(frozen=True)
class SpanNames:
    """Columns of the spans in which a value counts.

    Attributes:
        day: The first day of the span.
        until: The day on which the next span of the value begins.
        used: The last day on which the value was used, as of the first day of the span.
        value: The value.
    """

    day: str
    until: str
    used: str
    value: str


class Spans:
    """The spans of values in the rows of a table, which count from their own day on."""

    def __init__(self, keys: Sequence[str], names: SpanNames, source: str) -> None:
        self._keys, self._day, self._names, self._source = list(keys), names.day, names, source

    def write(self, distinct: Distinct) -> dict[str, str]:
        """The parts of the text that give the spans of a column, by name."""
        return {f"{distinct.name}_used": self._uses(distinct), f"{distinct.name}_spans": self._spans(distinct)}

    def changes(self, distinct: Distinct) -> Iterator[Change]:
        """What spans add to the totals, and take away."""
        inside, used, rows = self._inside(distinct), self._names.used, f"from {distinct.name}_spans"
        windows = distinct.windows.values()
        yield (
            self._day,
            {
                window: f"case when {inside[window]} then 1 else 0 end" if window in inside else "1"
                for window in windows
            },
            rows,
        )
        for n, window in sorted(distinct.windows.items()):
            leaves = f"least({used} + {n}, {self._names.until})"
            where = " and ".join(filter(None, [inside.get(window), f"{leaves} <= $end"]))
            yield leaves, {window: "-1"}, f"{rows}\nwhere {where}"

    def _inside(self, distinct: Distinct) -> dict[str, str]:
        """By window whether a span begins inside it; no condition where all do."""
        longest = max(distinct.windows)
        return {
            window: f"{self._names.used} + {n} > {self._day}" for n, window in distinct.windows.items() if n < longest
        }

    def _uses(self, distinct: Distinct) -> str:
        """Each value on each day an entity used it; those before $start together on $start."""
        opened = "greatest(date, $start)"
        chosen = [
            *self._keys,
            f"{distinct.column} as {self._names.value}",
            f"{opened} as {self._day}",
            f"max(date) as {self._names.used}",
        ]
        where = " and ".join(
            filter(None, [f"date > $start - {max(distinct.windows)} and date <= $end", distinct.condition])
        )
        group = ", ".join([*self._keys, distinct.column, opened])
        return spell_select(chosen, f"from {self._source}\nwhere {where}\ngroup by {group}")

    def _spans(self, distinct: Distinct) -> str:
        over = f"partition by {', '.join([*self._keys, self._names.value])} order by {self._day} nulls last"
        chosen = [
            *self._keys,
            self._day,
            self._names.used,
            f"coalesce(lead({self._day}) over ({over}), $end + 1) as {self._names.until}",
        ]
        return spell_select(chosen, f"from {distinct.name}_used")
