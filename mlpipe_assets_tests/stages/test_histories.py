"""Histories of deliveries: the set of files alone decides what is clean, whatever came first and was built first."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from os import utime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlpipe_assets.automation.plan import interim_work
from mlpipe_assets.catalog.declarations import Source, Tolerance
from mlpipe_assets.catalog.sources import customers, orders
from mlpipe_assets.partitions import START_DATE
from mlpipe_assets.resources.delivery import natural
from mlpipe_assets.resources.lake import Lake
from mlpipe_assets_tests.frames import build, drop, file_digests, order, orders_csv, take

ANYTHING = Tolerance(share=1.0)
NEAR = replace(orders, dedupe_within=timedelta(days=1), tolerance=ANYTHING, duplicate_tolerance=ANYTHING)
TABLE = replace(customers, tolerance=ANYTHING)
PROPERTY = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
PATHS = (
    "a_2026-01-20.csv",
    "a_2026-01-20_v9.csv",
    "a_2026-01-20_v10.csv",
    "late/a_2026-01-20.csv",
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
    def known(self) -> tuple[int, int]:
        """Day or moment of its name, else its modification, as seconds since 2026-01-01."""
        if self.path == "a.csv":
            return (MODIFIED + self.modified, 0)
        return (int(self.path[self.path.index("2026-01-") + 8 :][:2]) * 86_400 - 1, 0)


MODIFIED = 19 * 86_400 + 40_000  # on 2026-01-20, before a name of that day ends
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
)


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
