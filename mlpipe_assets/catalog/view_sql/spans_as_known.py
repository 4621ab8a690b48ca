"""How distinct values are counted where rows may cease to hold: those that do are put in day by day."""

from collections.abc import Mapping, Sequence

from mlpipe_assets.catalog.view_sql.layout import indent, spell_select, wrap
from mlpipe_assets.catalog.view_sql.spans import SpanNames, Spans
from mlpipe_assets.catalog.view_sql.terms import Distinct


class SpansAsKnown(Spans):
    """The spans of values in rows of `placed`, each from the day on which it was known, and in fleeting ones on the days they held.

    A row that came late may be older than one that was there, so what counts is the newest use of all up to a day.
    """

    def __init__(
        self,
        keys: Sequence[str],
        names: SpanNames,
        *,
        opened: str,
        gone: str,
        held_on: str,
        then: str,
        values: Mapping[str, str],
    ) -> None:
        super().__init__(keys, names, "placed")
        self._opened, self._gone, self._held_on, self._then, self._values = opened, gone, held_on, then, values

    def _inside(self, distinct: Distinct) -> dict[str, str]:
        used = self._names.used
        return {window: f"{used} + {n} > {self._day}" for n, window in distinct.windows.items()}

    def _uses(self, distinct: Distinct) -> str:
        """Each value on each day from which on an entity had used it, and on each day of a fleeting use and the next one."""
        names, longest, of_row = self._names, max(distinct.windows), self._values[distinct.name]
        value = f"{of_row} as {names.value}"
        some = f" and {of_row} is not null" if distinct.nullable or distinct.where else ""
        at = f"from fleeting\nwhere {self._day} + {longest} > {self._held_on}{some}"
        uses = [
            spell_select(
                [
                    *self._keys,
                    value,
                    f"{self._opened} as {self._day}",
                    f"{self._day} as {names.used}",
                    f"cast(null as date) as {self._then}",
                ],
                f"from placed\nwhere {self._gone} > $end and {self._day} + {longest} > {self._opened}{some}",
            ),
            f"select {wrap([*self._keys, of_row, self._held_on, 'null', self._day])}\n{at}",
            f"select {wrap([*self._keys, of_row, f'{self._held_on} + 1', 'null', 'null'])}\n{at} and {self._held_on} < $end",
        ]
        group = [*self._keys, names.value, self._day]
        newest = [f"max({name}) as {name}" for name in (names.used, self._then)]
        listed = indent("\nunion all\n".join(uses))
        return spell_select([*group, *newest], f"from (\n{listed}\n) as uses\ngroup by {', '.join(group)}")

    def _spans(self, distinct: Distinct) -> str:
        names, over = (
            self._names,
            f"partition by {', '.join([*self._keys, self._names.value])} order by {self._day} nulls last",
        )
        return spell_select(
            [
                *self._keys,
                self._day,
                f"greatest(max({names.used}) over so_far, {self._then}) as {names.used}",
                f"coalesce(lead({self._day}) over by_day, $end + 1) as {names.until}",
            ],
            f"from {distinct.name}_used\nwindow\n    by_day as ({over}),\n"
            f"    so_far as ({over} rows between unbounded preceding and current row)",
        )
