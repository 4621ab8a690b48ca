"""Histories of deliveries: the set of files alone decides what is clean, whatever came first and was built first."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from os import utime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlpipe_assets.catalog.declarations import Source, Tolerance
from mlpipe_assets.catalog.sources import customers, orders
from mlpipe_assets.stages.interim.plan import interim_work
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import build, drop, file_digests, order, orders_csv, take

ANYTHING = Tolerance(share=1.0)
NEAR = replace(orders, dedupe_within=timedelta(days=1), tolerance=ANYTHING, duplicate_tolerance=ANYTHING)
TABLE = replace(customers, tolerance=ANYTHING)
PROPERTY = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
PATHS = (  # as people order their base names, and then their folders
    "a_2026-01-20.csv",
    "late/a_2026-01-20.csv",
    "a_2026-01-20_v9.csv",
    "a_2026-01-20_v10.csv",
    "a_2026-01-21.csv",
    "a.csv",
)
Row = tuple[int, int, str]  # key, day of January, amount: -1 is refused


@dataclass(frozen=True, kw_only=True)
class Drop:
    """A file put into the drop zone, over what lay there under its path."""

    path: str
    rows: tuple[Row, ...]
    modified: int  # seconds

    @property
    def known(self) -> float:
        """The end of the day in its name, else its modification, in seconds since 2026-01-01."""
        if self.path == "a.csv":
            return MODIFIED + self.modified
        return int(self.path[self.path.index("2026-01-") + 8 :][:2]) * 86_400 - 1


@dataclass(eq=False, kw_only=True)
class Stated:
    """A delivery as the oracle sees it."""

    path: str
    rows: tuple[Row, ...]
    known: float
    modified: int
    former: "Stated | None"
    twin: "Stated | None" = None

    @property
    def rank(self) -> tuple[float, int, int, int]:
        """By hand: when known, when modified, then the names in the order of PATHS."""
        return (self.known, self.modified, PATHS.index(self.path), 0)


MODIFIED = 19 * 86_400 + 40_000  # on 2026-01-20, before a name of that day ends


def each_touched_later(history: Sequence[Drop]) -> list[Drop]:
    """The same, no path with one modification time twice: a file of known size and time is not looked at again."""
    found: list[Drop] = []
    for each in history:
        modified = each.modified
        while any((d.path, d.modified) == (each.path, modified) for d in found):
            modified += 3
        found.append(replace(each, modified=modified))
    return found


ROW = st.tuples(st.integers(0, 1), st.integers(5, 9), st.sampled_from(["1", "2", "3", "-1"]))
HISTORY = st.lists(
    st.builds(
        Drop,
        path=st.sampled_from(PATHS),
        rows=st.lists(ROW, max_size=2).map(tuple),
        modified=st.sampled_from([0, 1, 2, 86_400]),
    ),
    min_size=1,
    max_size=6,
).map(each_touched_later)


@contextmanager
def fresh_lake() -> Iterator[Lake]:
    with tempfile.TemporaryDirectory() as folder:
        yield Lake(data_dir=folder)


def put(lake: Lake, source: Source, each: Drop) -> None:
    if source.event_time:
        lines = [order(f"o{key}", f"2026-01-{day:02}T10:00:00Z", amount) for key, day, amount in each.rows]
        content = orders_csv(*lines)
    else:
        rows = [f"c{key},,{30 + day if amount != '-1' else -1},north,2025-12-01\n" for key, day, amount in each.rows]
        content = "customer_id,email,age,region,signup_date\n" + "".join(rows)
    path = drop(lake, each.path, content, source=source.name)
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=MODIFIED + each.modified)
    utime(path, (moment.timestamp(), moment.timestamp()))


def catch_up(lake: Lake, source: Source) -> None:
    if days := interim_work(lake, source, lambda _: True).days:
        build(lake, days, source)


def play(lake: Lake, source: Source, history: Sequence[Drop], data: st.DataObject | None) -> None:
    """Drop files one after another; with `data`, several at once now and then, and building in between."""
    lying: set[str] = set()
    for each in history:
        if each.path in lying or data is None or data.draw(st.booleans()):
            take(lake, source)
            lying = set()
            if data is not None and data.draw(st.booleans()):
                catch_up(lake, source)
        put(lake, source, each)
        lying.add(each.path)
    take(lake, source)
    if data is not None:
        for day in data.draw(st.permutations(interim_work(lake, source, lambda _: True).days)):
            build(lake, [day], source)
    catch_up(lake, source)


def shuffled(history: Sequence[Drop], data: st.DataObject) -> list[Drop]:
    """The same drops in another order; those of one path stay in theirs."""
    paths = data.draw(st.permutations([each.path for each in history]))
    waiting = {path: iter([each for each in history if each.path == path]) for path in paths}
    return [next(waiting[path]) for path in paths]


def state(history: Sequence[Drop]) -> list[Stated]:
    """Deliveries of a history in their order, each with the one its path held before; those seen before are left out."""
    found: list[Stated] = []
    lying: dict[str, Stated] = {}
    for each in history:
        former = lying.get(each.path)
        known = each.known
        if former and former.rows != each.rows:
            known = max(known, former.known + 1e-6)
        elif former and (each.path != "a.csv" or known <= former.known):
            continue
        base = each.path.rpartition("/")[2]
        same = [s for s in found if (s.path.rpartition("/")[2], s.rows, s.known) == (base, each.rows, known)]
        if same:  # under its base name: met again, and it ranks where it was found first
            lying[each.path] = same[0]
            if (each.modified, PATHS.index(each.path)) < (same[0].modified, PATHS.index(same[0].path)):
                same[0].modified, same[0].path = each.modified, each.path
            continue
        lying[each.path] = Stated(path=each.path, rows=each.rows, known=known, modified=each.modified, former=former)
        found.append(lying[each.path])
    return sorted(found, key=lambda s: s.rank)


def winners(history: Sequence[Drop]) -> dict[tuple[int, int], str]:
    """The amount that holds for each key and day, found by comparing every row with every other."""
    stated = state(history)
    own: list[Stated] = []
    for place, this in enumerate(stated):
        before = [s for s in stated[:place] if s.rows == this.rows]
        if before and this.rows:
            since = stated[stated.index(before[-1]) + 1 : place]
            near = {day + off for _, day, _ in this.rows for off in (-1, 0, 1)}
            holder = before[-1].twin or before[-1]
            others = [s for s in since if s in own]
            touched = any(day in near for s in others for _, day, _ in s.rows)
            replaced = any(s.former and (s.former.twin or s.former) is holder and s.rows != holder.rows for s in since)
            own_former = this.former is not None and this.former.rows != this.rows and this.former in since
            if not touched and not replaced and not own_former:
                this.twin = holder
                continue
        own.append(this)

    def later(this: Stated) -> set[int]:
        """Deliveries that hold what the file of this one said later, however often it was replaced."""
        found: set[int] = set()
        for s in stated:
            if s.former and (s.former.twin or s.former) is this and (s.former.rows != s.rows or s.twin is None):
                holder = s.twin or s
                if holder.rank > this.rank and id(holder) not in found:
                    found |= {id(holder)} | later(holder)
        return found

    rows = [(s, n, row) for s in own for n, row in enumerate(s.rows) if row[2] != "-1"]
    rows = [
        (s, n, row)
        for s, n, row in rows
        if not any(id(t) in later(s) and o[0] == row[0] and o[1] != row[1] for t, _, o in rows)
    ]
    latest: dict[tuple[int, int], tuple[tuple[object, int], Row]] = {}
    for s, n, row in rows:
        if row[:2] not in latest or (s.rank, n) > latest[row[:2]][0]:
            latest[row[:2]] = (s.rank, n), row
    return {
        (key, day): row[2]
        for (key, day), (place, row) in latest.items()
        if not any(k == key and abs(d - day) == 1 and other > place for (k, d), (other, _) in latest.items())
    }


def clean_amounts(lake: Lake) -> dict[tuple[int, int], str]:
    """Key and day of every clean order, and its amount."""
    found: dict[tuple[int, int], str] = {}
    for day in lake.days("interim", "orders"):
        for key, amount in lake.read("interim", "orders", day, ["order_id", "amount"]).rows():
            found[int(key[1:]), day.day] = f"{amount:.0f}"
    return found


def tables(history: Sequence[Drop]) -> dict[int, set[tuple[int, int]]]:
    """The key and age of each row of the table of each day of January."""
    filled = [s for s in state(history) if s.rows]
    own = [s for place, s in enumerate(filled) if not place or filled[place - 1].rows != s.rows]
    first = filled[0] if filled else None
    found: dict[int, set[tuple[int, int]]] = {}
    for s in own:
        day = int(s.known // 86_400) + 1
        if first and first.path == "a.csv" and day == int(first.known // 86_400) + 1:
            day = 1
        valid = {key: 30 + born for key, born, amount in s.rows if amount != "-1"}
        found.setdefault(day, set())
        if valid:
            found[day] = set(valid.items())
    return found


def clean_tables(lake: Lake) -> dict[int, set[tuple[int, int]]]:
    return {
        day.day: {
            (int(key[1:]), age) for key, age in lake.read("interim", "customers", day, ["customer_id", "age"]).rows()
        }
        for day in lake.days("interim", "customers")
    }


@PROPERTY
@given(history=HISTORY)
def test_of_the_rows_of_a_key_the_one_known_last_holds(history: list[Drop]) -> None:
    with fresh_lake() as lake:
        play(lake, NEAR, history, None)

        assert clean_amounts(lake) == winners(history)


@PROPERTY
@given(history=HISTORY)
def test_a_day_of_a_snapshot_is_the_last_table_of_that_day_and_no_day_repeats_the_one_before(
    history: list[Drop],
) -> None:
    with fresh_lake() as lake:
        play(lake, TABLE, history, None)

        assert clean_tables(lake) == tables(history)


def assert_nothing_is_behind(lake: Lake, source: Source) -> None:
    work = interim_work(lake, source, lambda _: True)
    assert work.days == ()


@PROPERTY
@given(history=HISTORY, data=st.data())
def test_no_order_of_files_and_runs_changes_a_byte_of_the_clean_events(
    history: list[Drop], data: st.DataObject
) -> None:
    with fresh_lake() as in_order, fresh_lake() as mixed:
        play(in_order, NEAR, history, None)
        play(mixed, NEAR, shuffled(history, data), data)

        assert file_digests(mixed.root, "interim") == file_digests(in_order.root, "interim")
        assert_nothing_is_behind(mixed, NEAR)


@PROPERTY
@given(history=HISTORY, data=st.data())
def test_no_order_of_files_and_runs_changes_a_byte_of_a_snapshot(history: list[Drop], data: st.DataObject) -> None:
    with fresh_lake() as in_order, fresh_lake() as mixed:
        play(in_order, TABLE, history, None)
        play(mixed, TABLE, shuffled(history, data), data)

        assert file_digests(mixed.root, "interim") == file_digests(in_order.root, "interim")
        assert_nothing_is_behind(mixed, TABLE)
