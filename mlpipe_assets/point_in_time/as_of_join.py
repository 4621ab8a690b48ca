"""The latest row at or before each time, over partitions by day.

All rows of a partition are as of the end of its day, so an asker looks at the newest day that had ended by its time, and at older
ones as long as its key is in none. Partitions are read from the newest to the oldest, keys alone, a few million at once; within
those, one pass forward keeps where each key was last seen. The work is linear in what is read and in the askers, and memory is
bounded by the askers and by what is held at once. Values are read after that, from the partitions that hold an answer.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from mlpipe_assets.errors import LakeError

NEVER = np.iinfo(np.int32).min
_KEYS_AT_ONCE = 8_000_000
_KEYS_AN_ASKER = (
    8  # read at first: most askers find their row in the newest partitions, and older ones need not be read then
)
_GROWTH = 4
_CELLS_AT_ONCE = 12_000_000
_SPARSEST = 16  # as many places a key, and keys are looked up in a table of them: five times faster than by hash
_SMALL = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32)
Days = np.ndarray[tuple[int], np.dtype[np.int32]]
Rows = np.ndarray[tuple[int], np.dtype[np.uint32]]


@dataclass(frozen=True, kw_only=True)
class Partitions:
    """The partitions of one table.

    Attributes:
        table: Its name, for messages.
        types: Its columns with their types.
        rows: How many rows each day has, by the number of days since 1970, in order.
        locate: Where the files of some days are; each is held against its digest.
    """

    table: str
    types: Mapping[str, pl.DataType]
    rows: Mapping[int, int]
    locate: Callable[[Sequence[int]], Sequence[Path]]

    def read(self, days: Sequence[int], names: Sequence[str]) -> pl.DataFrame:
        """Some columns of some days, one day after the other.

        Raises: LakeError when they are not as the view declares them, or have other numbers of rows than on record.
        """
        files = pl.scan_parquet(list(self.locate(days)), glob=False, hive_partitioning=False)
        try:
            found = files.select(names).collect()
        except pl.exceptions.PolarsError as error:
            raise self._is_other(str(error).splitlines()[0][:200]) from error
        other = [name for name, dtype in found.schema.items() if dtype != self.types[name]]
        if other:
            raise self._is_other(f"{other[0]!r} is {found.schema[other[0]]}, not {self.types[other[0]]}")
        if found.height != sum(self.rows[day] for day in days):
            raise LakeError(
                f"{self.table} has other rows than its records say. Next: mlpipe verify --table {self.table}"
            )
        return found

    def _is_other(self, how: str) -> LakeError:
        return LakeError(
            f"{self.table} has partitions that are not as the view declares them now ({how}): they were built by another version of "
            "it. Next: mlpipe run"
        )


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where the row of each asker is; shapes: one value an asker.

    Attributes:
        day: The partition, in days since 1970; NEVER where there is no row.
        row: The row within it.
    """

    day: Days
    row: Rows

    @cached_property
    def found(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Whether there is a row."""
        return np.asarray(self.day != NEVER)

    def without(self, unwanted: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> "Places":
        """The same with no row for some askers."""
        return Places(day=np.where(unwanted, np.int32(NEVER), self.day), row=self.row)


def find_places(partitions: Partitions, keys: pl.DataFrame, newest: Days, oldest: Days | None = None) -> Places:
    """Where the latest row of each asker is.

    Args:
        partitions: The table; a key is at most once in a partition.
        keys: The key of each asker, one or more columns called as in the table; a null finds nothing.
        newest: The newest day each asker may see; NEVER for none.
        oldest: A day before which nothing is of use to an asker, so that no older partition need be read.
    """
    day = np.full(keys.height, NEVER, dtype=np.int32)
    row = np.zeros(keys.height, dtype=np.uint32)
    known, ids = _number(keys)
    open_ = np.flatnonzero((ids >= 0) & (newest != NEVER))
    open_ = open_[np.argsort(newest[open_], kind="stable")]
    first = _KEYS_AN_ASKER * open_.size
    for days in _groups(
        partitions.rows, _KEYS_AT_ONCE, last=int(newest[open_[-1]]) if open_.size else NEVER, first=first
    ):
        if oldest is not None:
            open_ = open_[oldest[open_] <= days[-1]]
        if not open_.size:
            break
        asking = open_[newest[open_] >= days[0]]
        if not asking.size:
            continue
        there = partitions.read(days, keys.columns)
        _fill(partitions.rows, days, _look_up(there, known), known.height, asking, ids, newest, day, row)
        open_ = open_[day[open_] == NEVER]
    return Places(day=day, row=row)


def gather(partitions: Partitions, places: Places, names: Sequence[str]) -> pl.DataFrame:
    """Columns of the rows at some places, one row an asker in the askers' order, null where there is no row."""
    order = np.argsort(places.day, kind="stable")
    order = order[int((~places.found).sum()) :]
    days, starts = np.unique(places.day[order], return_index=True)
    index = _index(order, places.day.size)
    widest = max((partitions.rows[int(d)] for d in days), default=1)
    at_once = max(1, _CELLS_AT_ONCE // max(1, widest))
    parts: list[pl.DataFrame] = []
    for first in range(0, len(names), at_once):
        some = names[first : first + at_once]
        pieces = [pl.DataFrame(schema={name: partitions.types[name] for name in some})]
        pieces += _pieces(partitions, places, order, days, [*starts, order.size], some)
        parts.append(pl.concat(pieces, rechunk=True).select(pl.all().gather(index)))
    return pl.concat(parts, how="horizontal") if parts else pl.DataFrame(height=places.day.size)


def _number(keys: pl.DataFrame) -> tuple[pl.DataFrame, np.ndarray[tuple[int], np.dtype[np.int32]]]:
    """Each key once with a number, and the number of each asker's key; -1 for a key with a null."""
    known = (
        keys.drop_nulls().unique(maintain_order=False).with_row_index("id").with_columns(pl.col("id").cast(pl.Int32))
    )
    return known, _look_up(keys, known)


def _look_up(keys: pl.DataFrame, known: pl.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """The number of each key; -1 for one that is not known. Whole numbers that lie close together are looked up by place."""
    name, *more = keys.columns
    if not more and keys[name].dtype in _SMALL and known.height:
        numbers, wanted = known[name].cast(pl.Int64).to_numpy(), keys[name].cast(pl.Int64)
        least, most = int(numbers.min()), int(numbers.max())
        if most - least < _SPARSEST * known.height:
            table = np.full(most - least + 1, -1, dtype=np.int32)
            table[numbers - least] = known["id"].to_numpy()
            inside = wanted.is_between(least, most).fill_null(value=False).to_numpy()
            at = np.where(inside, wanted.fill_null(least).to_numpy(), least) - least
            return np.where(inside, table[at], np.int32(-1))
    return keys.join(known, on=keys.columns, how="left", maintain_order="left")["id"].fill_null(-1).to_numpy()


def _groups(rows: Mapping[int, int], most: int, *, last: int, first: int | None = None) -> Iterator[list[int]]:
    """Days up to `last` from the newest to the oldest, as many at once as hold `most` rows; each group in order.

    Where `first` is given, the first group holds so many, and each group after it more than the one before.
    """
    group: list[int] = []
    held, fits = 0, min(first or most, most)
    for day in sorted((d for d in rows if d <= last), reverse=True):
        if group and held + rows[day] > fits:
            yield group[::-1]
            group, fits, held = [], min(max(fits, held) * _GROWTH, most), 0
        group.append(day)
        held += rows[day]
    if group:
        yield group[::-1]


def _fill(
    rows: Mapping[int, int],
    days: Sequence[int],
    held: np.ndarray,
    count: int,
    asking: np.ndarray,
    ids: np.ndarray,
    newest: np.ndarray,
    day: Days,
    row: Rows,
) -> None:
    """Go through some days in order, keep where each key was last seen, and answer who may see no later day.

    `asking` is in order of `newest`; `held` has the number of each key of these days, -1 for one that nobody asks of.
    """
    seen_day = np.full(count, NEVER, dtype=np.int32)
    seen_row = np.zeros(count, dtype=np.uint32)
    ends = np.searchsorted(newest[asking], [*days[1:], np.iinfo(np.int32).max])
    start = begun = 0
    for one, end in zip(days, ends, strict=True):
        here = held[start : start + rows[one]]
        at = np.flatnonzero(here >= 0)
        seen_day[here[at]] = one
        seen_row[here[at]] = at
        start += rows[one]
        now = asking[begun:end]
        begun = int(end)
        day[now] = seen_day[ids[now]]
        row[now] = seen_row[ids[now]]


def _pieces(
    partitions: Partitions,
    places: Places,
    order: np.ndarray,
    days: np.ndarray,
    ends: Sequence[int],
    names: Sequence[str],
) -> Iterator[pl.DataFrame]:
    """The rows of the askers that have one, in order of day, read a few partitions at once."""
    begins = dict(zip(map(int, days), ends, strict=False))
    after = dict(zip(map(int, days), ends[1:], strict=True))
    rows = {int(d): partitions.rows[int(d)] for d in days}
    most = max(1, _CELLS_AT_ONCE // len(names))
    for group in reversed([*_groups(rows, most, last=max(rows, default=NEVER))]):
        frame = partitions.read(group, names)
        offset = 0
        wanted: list[np.ndarray] = []
        for day in group:
            wanted.append(places.row[order[begins[day] : after[day]]] + np.uint32(offset))
            offset += rows[day]
        yield frame[np.concatenate(wanted)]


def _index(order: np.ndarray, count: int) -> pl.Series:
    """Where each asker is in an order of some of them; null for the others."""
    back = np.zeros(count, dtype=np.uint32)
    back[order] = np.arange(order.size, dtype=np.uint32)
    there = np.zeros(count, dtype=np.bool_)
    there[order] = True
    return pl.Series(back).set(~pl.Series(there), None)
