"""What a feature view declares instead of SQL: aggregates over windows of days, and attributes from snapshots."""

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from datetime import timedelta

COUNTS = ("count", "count_distinct", "days_since_last")
ON_NUMBERS = ("sum", "mean", "stddev")
OF_ONE_ROW = ("min", "max", "first", "last")
FUNCTIONS = ("count", *ON_NUMBERS, *OF_ONE_ROW, "count_distinct", "days_since_last")
_MOST_DAYS = 100_000
NEEDS_COLUMN = (*ON_NUMBERS, *OF_ONE_ROW, "count_distinct")


@dataclass(frozen=True)
class Aggregate:
    """One function over the rows of the last days, as of the end of each day.

    Rows where the column is null do not take part. `sum` of no rows is 0; `mean`, `min`, `max`, `first`, `last` and
    `days_since_last` of no rows are null, and so is `stddev` (of a sample) of fewer than two.

    Attributes:
        function: One of count, sum, mean, min, max, stddev, first, last, count_distinct, days_since_last.
        column: What it is made of; `count` and `days_since_last` take every row without one.
        name: Of the feature. With `days` each window is a column `<name>_<n>d`.
        days: Lengths of windows, the day itself included: 7 is that day and the six before it. None: the whole lookback.
        where: A condition in SQL on the columns of one row, such as "channel = 'web' and amount > 10".
    """

    function: str
    column: str | None = None
    _: KW_ONLY
    name: str
    days: tuple[int, ...] = ()
    where: str | None = None

    @property
    def features(self) -> dict[str, int | None]:
        """Its columns, each with the length of its window; None is the whole lookback."""
        return {f"{self.name}_{n}d": n for n in self.days} or {self.name: None}


@dataclass(frozen=True, init=False)
class From:
    """Columns of a snapshot source, as the newest snapshot at or before the day had them; null for entities it did not have.

    Attributes:
        source: Name of a snapshot source whose key is one or more of the entity's join keys.
        columns: Taken as they are, under the same name.
        days_since: Feature and column: whole days from the date in that column to the day of the row.
        renamed: Feature and column: taken as it is, under another name.
    """

    source: str
    columns: tuple[str, ...]
    days_since: tuple[tuple[str, str], ...]
    renamed: tuple[tuple[str, str], ...]

    def __init__(
        self,
        source: str,
        *columns: str,
        days_since: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        renamed: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    ) -> None:
        for name, value in (("source", source), ("columns", columns)):
            object.__setattr__(self, name, value)
        for name, pairs in (("days_since", days_since), ("renamed", renamed)):
            object.__setattr__(self, name, tuple(pairs.items()) if isinstance(pairs, Mapping) else pairs)

    @property
    def features(self) -> dict[str, str]:
        """Its features, each with the column it is taken from."""
        return {**{name: name for name in self.columns}, **dict(self.renamed), **dict(self.days_since)}


def versions_table(source: str) -> str:
    """The table with the versions of a source's rows that held for a time, as the SQL of a view calls it."""
    return f"{source}_versions"


def inputs_of(source: str, attributes: Iterable[From]) -> tuple[str, ...]:
    """The sources that a declared view reads, as far as they are named."""
    named = [source, *(one.source for one in attributes if isinstance(one, From))]
    return tuple(dict.fromkeys(name for name in named if isinstance(name, str) and name))


def longest_window(aggregates: Iterable[Aggregate]) -> timedelta:
    """The longest of their windows; nothing where none of them has one."""
    windows = [one.days for one in aggregates if isinstance(one, Aggregate) and isinstance(one.days, tuple)]
    return timedelta(
        days=max((n for days in windows for n in days if isinstance(n, int) and n < _MOST_DAYS), default=0)
    )
