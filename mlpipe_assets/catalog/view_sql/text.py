"""The SQL of a view that is declared by aggregates: one text for a day and for a range, to be read by people too."""

from collections.abc import Iterable, Mapping
from functools import cache

from mlpipe_assets.catalog.aggregates import From
from mlpipe_assets.catalog.columns import columns_of
from mlpipe_assets.catalog.declarations import Catalog, FeatureView
from mlpipe_assets.catalog.sql_words import spell_name
from mlpipe_assets.catalog.view_sql.layout import indent, spell_attributes, spell_select, wrap
from mlpipe_assets.catalog.view_sql.names import TOTAL, Names
from mlpipe_assets.catalog.view_sql.spans import Change, SpanNames, Spans
from mlpipe_assets.catalog.view_sql.terms import Terms
from mlpipe_assets.rules import columns

_HELD = (
    "        $held date: rows up to it are in the totals of the table `held`; without totals, a day before all rows",
    "        $keep date: the totals of later days are given too, as columns that begin with _",
)


@cache
def write_view(catalog: Catalog, view: FeatureView) -> str:
    """The select that gives the rows of a declared view for each day from $start to $end.

    Where a number can be subtracted, a row enters a window once and leaves it once, so a range costs one pass over the
    rows. What cannot be subtracted is made of all rows of its window, day by day.
    """
    return text_of(catalog, view).write()


def text_of(catalog: Catalog, view: FeatureView) -> "Text":
    """The writer of a declared view's text."""
    from mlpipe_assets.catalog.view_sql.text_as_known import TextAsKnown  # noqa: PLC0415 (it is another kind of the one here)

    return TextAsKnown(catalog, view) if view.is_as_known else Text(catalog, view)


class Text:
    """The parts of one view's text, and the names they share."""

    def __init__(self, catalog: Catalog, view: FeatureView) -> None:
        source = catalog.source(view.source)
        names = Names(view.entity.join_keys)
        self._view, self._catalog = view, catalog
        self._lookback = view.lookback.days
        self._keys = [spell_name(key) for key in view.entity.join_keys]
        self._day, self._opened, self._until = (names.take(name) for name in ("day", "opened", "until"))
        self._of_spans = SpanNames(self._day, *(names.take(name) for name in ("next_day", "used_on", "value")))
        self._spans = Spans(self._keys, self._of_spans, spell_name(view.source))
        self._terms = Terms(
            source={column.name: column for column in columns(source.contract)},
            lookback=self._lookback,
            order=tuple(dict.fromkeys([*filter(None, [source.event_time]), *source.key])),
            names=names,
            seen=names.take("seen_on"),
        )
        promised = columns_of(view.contract)[0]
        self._features = [pair for one in view.aggregates for pair in self._terms.add(one, promised).items()]
        self.held = {} if view.is_as_known else self._terms.totals()
        self._latest = {self._terms.seen: self._day, **{name: name for name, _ in self._terms.latest.values()}}
        self._names = names

    def write(self) -> str:
        """The whole text."""
        parts = self._parts_before()
        for distinct in self._terms.distinct.values():
            parts |= self._spans.write(distinct)
        parts |= {"changes": self._changes(), "change_of_day": self._change_of_day(), "totals": self._totals()}
        if self._terms.spread:
            parts |= {"reach": self._reach(), "spread": self._spread()}
        with_parts = ",\n\n".join(f"{name} as (\n{indent(body)}\n)" for name, body in parts.items())
        return f"{self._header()}with {with_parts}\n\n{self._final()}\n"

    def kept_as(self) -> dict[str, str]:
        """See `kept_as`."""
        same = {value: feature for feature, value in self._features}
        return {name: same.get(f"cast(t.{name} as bigint)", f"{TOTAL}{name}") for name in self.held}

    def reading(self) -> tuple[tuple[int, ...], int]:
        """See `days_needed`."""
        leaving = sorted({n for term in self._terms.terms.values() for n in term.windows})
        whole = max((n for one in self._terms.distinct.values() for n in one.windows), default=0)
        return tuple(leaving), self._lookback if self._terms.spread else whole

    def _header(self) -> str:
        view, snapshots = self._view, ", ".join(f"{one.source}_snapshot" for one in self._view.attributes)
        keys, window = ", ".join(view.entity.join_keys), f"the last {self._lookback} days"
        lines = [
            f"What was known of each {view.entity.name} at the end of each day from $start to $end.",
            f"Written from the declaration of {view.name}: change that, not this text.",
            *self._how(),
            f"grain:  {keys}, as_of; those with a row of {view.source} in {window}",
            f"inputs: {', '.join(view.inputs)} (interim; date is the event date)",
            *self._more_inputs(),
            f"        days (each day from $start to $end{f'; {snapshots}: the newest snapshot at or before it' if snapshots else ''})",
            f"params: $start, $end date, both included{self._more_params()}",
            *(_HELD if self.held else []),
        ]
        return "".join(f"-- {line}\n" for line in lines)

    def _how(self) -> list[str]:
        said: list[str] = []
        if any(term.windows for term in self._terms.terms.values()):
            said += [
                "A row counts from its day until its window ends: it enters every window once and leaves it once, and between",
                "two changes the totals stand still.",
            ]
        return said + self._how_else()

    def _how_else(self) -> list[str]:
        said: list[str] = []
        if self._terms.distinct:
            said += [
                "A value counts from a row until its window ends, or until the next row with it takes over: so each counts once."
            ]
        if self._terms.spread:
            said += ["What cannot be subtracted is made of all rows of its window, day by day."]
        return said

    def _window(self, days: int) -> str:
        return f"date > $start - {days} and date <= $end"

    def _placed(self) -> str:
        """Rows of the source, each with what it counts."""
        t = self._terms
        chosen = [*self._keys, f"date as {self._day}", *self._stretch()]
        chosen += [f"{term.value} as {term.name}" for term in t.terms.values()]
        chosen += [f"{value} as {name}" for name, value in t.latest.values()]
        chosen += [f"{value} as {name}" for value, name in t.measured.items()]
        return spell_select(chosen, self._rows())

    def _latest_so_far(self) -> list[str]:
        """The latest of those days, over the changes up to a day."""
        return [f"max({name}) over w as {name}" for name in self._latest]

    def _more_changes(self) -> Iterable[Change]:
        """Changes by rows that count in another way."""
        return ()

    def _parts_before(self) -> dict[str, str]:
        """What comes before changes: the rows that make them."""
        return {"placed": self._placed()}

    def _more_inputs(self) -> list[str]:
        return []

    def _more_params(self) -> str:
        return ""

    def _stretch(self) -> list[str]:
        """Since when a row counts."""
        return [] if self.held else [f"greatest(date, $start) as {self._opened}"]

    def _rows(self) -> str:
        """Where rows come from, and which of them can be in a window."""
        rows = f"date >= $start - {self._lookback} and date <= $end" if self.held else self._window(self._lookback)
        return f"from {spell_name(self._view.source)}\nwhere {rows}"

    def _enters(self, days: int) -> str:
        """Whether a row is in a window of so many days when it is first counted."""
        return f"{self._day} > $start - {days}" if self.held else f"{self._day} + {days} > {self._opened}"

    def _left(self, leaves: str) -> str:
        """Whether a row that is counted leaves a window."""
        if not self.held:
            return f"{leaves} > {self._opened} and {leaves} <= $end"
        entered = f"({leaves} > $start or {self._day} <= $held)"  # else it had left on $start, and was never counted
        return f"{leaves} >= $start and {leaves} <= $end and {entered}"

    def _leaves(self, days: int) -> str:
        """The day on which a row is in a window of so many days no more."""
        return f"{self._day} + {days}"

    def _holds(self) -> str:
        """A further condition for a row to count on a day."""
        return ""

    def _described(self) -> str:
        """On which days an entity is described."""
        return f"t.{self._terms.seen} > d.day - {self._lookback}"

    def _changes(self) -> str:
        """What changes the totals of an entity, and when: rows that enter windows, and rows that leave them."""
        t = self._terms
        kept = [(window, term.name, n) for term in t.terms.values() for n, window in term.windows.items()]
        counted = [(window, f"{one.name}_spans", n) for one in t.distinct.values() for n, window in one.windows.items()]
        names = [window for window, *_ in (*kept, *counted)]
        first = [*self._keys, f"{f'greatest({self._day}, $start)' if self.held else self._opened} as {self._day}"]
        first += [
            f"{value} as {window}"
            if n == self._lookback
            else f"case when {self._enters(n)} then {value} else 0 end as {window}"
            for window, value, n in kept
        ]
        first += [f"0 as {window}" for window, *_ in counted]
        first += [f"{value} as {name}" if value != name else name for name, value in self._latest.items()]
        enters = f"\nwhere {self._day} > $held and {self._enters(self._lookback)}" if self.held else ""
        selects = [spell_select(first, f"from placed{enters}")]
        if self.held:
            totals = [name if name in self.held else "0" for name in names]
            selects.append(f"select {wrap([*self._keys, '$start', *totals, *self._latest])}\nfrom held")

        def change(day: str, moved: Mapping[str, str], rest: str) -> None:
            values = [moved.get(name, "0") for name in names] + [moved.get(name, "null") for name in self._latest]
            selects.append(f"select {wrap([*self._keys, day, *values])}\n{rest}")

        for n in sorted({n for _, _, n in kept}):
            leaves = self._leaves(n)
            moved = {window: f"-{value}" for window, value, own in kept if own == n}
            change(leaves, moved, f"from placed\nwhere {self._left(leaves)}")
        for moving in (
            *self._more_changes(),
            *(made for one in t.distinct.values() for made in self._spans.changes(one)),
        ):
            change(*moving)
        return "\nunion all\n".join(selects)

    def _change_of_day(self) -> str:
        t = self._terms
        kinds = {window: term.kind for term in t.terms.values() for window in term.windows.values()}
        kinds |= {window: "integer" for one in t.distinct.values() for window in one.windows.values()}
        chosen = [
            *self._keys,
            self._day,
            *(f"cast(sum({window}) as {kind}) as {window}" for window, kind in kinds.items()),
        ]
        chosen += [f"max({name}) as {name}" for name in self._latest]
        return spell_select(chosen, f"from changes\ngroup by {', '.join([*self._keys, self._day])}")

    def _totals(self) -> str:
        t, keys = self._terms, ", ".join(self._keys)
        sums = [window for term in t.terms.values() for window in term.windows.values()]
        sums += [window for one in t.distinct.values() for window in one.windows.values()]
        chosen = [*self._keys, self._day, f"coalesce(lead({self._day}) over by_day, $end + 1) as {self._until}"]
        chosen += [f"sum({window}) over w as {window}" for window in sums]
        chosen += self._latest_so_far()
        return spell_select(
            chosen,
            "from change_of_day\nwindow\n"
            f"    by_day as (partition by {keys} order by {self._day} nulls last),\n"
            f"    w as (partition by {keys} order by {self._day} nulls last rows between unbounded preceding and current row)",
        )

    def _reach(self) -> str:
        """Days of rows, with every day whose windows they are in."""
        day = self._day
        return spell_select(
            [f"o.{day} as row_day", "d.day", f"cast(d.day - o.{day} as integer) as age"],
            f"from (select distinct {day} from placed) as o\n"  # noqa: S608 (names of the catalog)
            f"inner join days as d on d.day >= o.{day} and d.day < o.{day} + {self._lookback}",
        )

    def _spread(self) -> str:
        """What is made of all rows of a window at once."""
        keys = [f"p.{key}" for key in self._keys]
        return spell_select(
            [*keys, "r.day", *(f"{one.value} as {one.name}" for one in self._terms.spread)],
            f"from placed as p\ninner join reach as r on p.{self._day} = r.row_day{self._holds()}\ngroup by {', '.join([*keys, 'r.day'])}",
        )

    def _final(self) -> str:
        keys, t = [f"t.{key}" for key in self._keys], self._terms
        chosen = [*keys, "cast(d.day + 1 as timestamp) as as_of"]
        chosen += [f"{value} as {spell_name(feature)}" for feature, value in self._features]
        lines = ["from totals as t", f"inner join days as d on d.day >= t.{self._day} and d.day < t.{self._until}"]
        if t.spread:
            same = " and ".join(f"t.{key} = s.{key}" for key in self._keys)
            lines.append(f"inner join spread as s on {same} and d.day = s.day")
        for number, one in enumerate(self._view.attributes, 1):
            alias = f"a{number}" if len(self._view.attributes) > 1 else "a"
            chosen += spell_attributes(one, alias)
            lines.append(self._joined(one, alias))
        chosen += [
            f"case when d.day > $keep then cast(t.{name} as {self.held[name]}) end as {column}"
            for name, column in self.kept_as().items()
            if column.startswith(TOTAL)
        ]
        lines += [f"where {self._described()}", f"order by as_of, {', '.join(keys)}"]
        return spell_select(chosen, "\n".join(lines))

    def _joined(self, one: From, alias: str) -> str:
        key = [spell_name(name) for name in self._catalog.source(one.source).key]
        same = " and ".join(f"t.{name} = {alias}.{name}" for name in key)
        return f"left join {spell_name(one.source)} as {alias} on {same} and d.{spell_name(f'{one.source}_snapshot')} = {alias}.date"
