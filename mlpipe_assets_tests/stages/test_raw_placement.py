"""What places a row in time: its day follows the declaration, whichever declaration it came under."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlpipe_assets.automation.outside import describe_ahead, describe_outside
from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.catalog.declarations import Source, Tolerance
from mlpipe_assets.catalog.sources import customers, orders
from mlpipe_assets.errors import LakeError
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.partitions import START_DATE
from mlpipe_assets.stages.interim.plan import interim_work
from mlpipe_assets.stages.raw.plan import look_at_intakes
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import (
    HEADER,
    JAN_5,
    JAN_6,
    build,
    drop,
    events,
    file_digests,
    order,
    order_ids,
    orders_csv,
    quarantined,
    refusals,
    take,
)

ANYTHING = Tolerance(share=1.0)
PLAIN = replace(orders, tolerance=ANYTHING, duplicate_tolerance=ANYTHING)
NEW_YORK = replace(PLAIN, time_zone="America/New_York")
MONTH_FIRST = replace(PLAIN, time_formats=("%m/%d/%Y %H:%M", "%Y-%m-%dT%H:%M:%S"))
DAY_FIRST = replace(PLAIN, time_formats=("%d/%m/%Y %H:%M", "%Y-%m-%dT%H:%M:%S"))
SOURCES = (PLAIN, NEW_YORK, MONTH_FIRST, DAY_FIRST, replace(PLAIN, ahead_within=timedelta(days=90)))
LAKE = ("raw/_events", "interim", "validation/quarantine", "meta/deliveries")


def catch_up(lake: Lake, source: Source) -> None:
    days = interim_work(lake, source, lambda _: True).days
    if days:
        build(lake, days, source)


@contextmanager
def fresh_lake() -> Iterator[Lake]:
    with TemporaryDirectory() as folder:
        yield Lake(data_dir=folder)


def at_nine_of_the_next_day(text: pl.DataFrame) -> pl.DataFrame:
    return text.with_columns(order_ts=pl.col("order_ts").str.replace("05T21", "06T09"))


@pytest.mark.parametrize(
    ("before", "after", "time"),
    [
        (PLAIN, NEW_YORK, "2026-01-05T21:00:00"),
        (DAY_FIRST, MONTH_FIRST, "01/06/2026 10:00"),
        (PLAIN, replace(PLAIN, prepare=at_nine_of_the_next_day), "2026-01-05T21:00:00"),
    ],
    ids=["zone", "formats", "prepare"],
)
def test_another_declaration_moves_the_rows_to_its_days_and_leaves_none_behind(
    lake: Lake, before: Source, after: Source, time: str
) -> None:
    drop(lake, "orders_2026-01-06.csv", orders_csv(order("o1", time), order("o2", "2026-01-05T10:00:00")))
    take(lake, before)
    catch_up(lake, before)
    (lake.root / "raw" / "orders" / "orders_2026-01-06.csv").unlink()  # no file is needed for it

    take(lake, after)
    catch_up(lake, after)

    assert {day: order_ids(lake, day) for day in lake.days("interim", "orders")} == {JAN_5: ["o2"], JAN_6: ["o1"]}
    assert events(lake).height == 2


def test_a_day_that_loses_all_its_rows_loses_its_partition(lake: Lake) -> None:
    drop(lake, "orders_2026-03-02.csv", orders_csv(order("o1", "02/03/2026 10:00")))
    take(lake, MONTH_FIRST)
    catch_up(lake, MONTH_FIRST)
    assert lake.days("interim", "orders") == [date(2026, 2, 3)]

    take(lake, DAY_FIRST)
    catch_up(lake, DAY_FIRST)

    assert lake.days("interim", "orders") == [date(2026, 3, 2)]
    assert interim_work(lake, DAY_FIRST, lambda _: True).days == ()


def test_rows_refused_for_their_time_are_read_when_the_formats_fit(lake: Lake) -> None:
    drop(
        lake, "orders_2026-01-06.csv", f"{HEADER}\n{order('o1', '05/01/2026 10:00')}\ncut off\n{order('o2', 'soon')}\n"
    )
    take(lake, PLAIN)
    assert events_or_none(lake) == 0

    take(lake, DAY_FIRST)
    catch_up(lake, DAY_FIRST)

    name = "orders_2026-01-06.csv"
    assert order_ids(lake, JAN_5) == ["o1"]
    assert quarantined(lake).equals(
        refusals(
            (JAN_6, name, 3, "1 field where the header has 8"),
            (JAN_6, name, 4, "order_ts: cannot be read as a time"),
        )
    )


def events_or_none(lake: Lake) -> int:
    return sum(sum(d.events.values()) for d in Ledger.load(lake, "orders").deliveries.values())


_TIMES = st.sampled_from(
    [
        *("2026-01-05T23:30:00", "2026-01-05T21:00:00", "2026-01-06T02:00:00", "2026-01-06T00:00:00Z", "2026-01-07"),
        *("01/02/2026 10:00", "02/01/2026 23:00", "13/01/2026 10:00", "2026-02-20T10:00:00", "9999-12-31T23:59:59"),
        *("soon", "", "24-01-05"),
    ]
)
_LINES = st.builds(
    lambda key, ts, amount: order(f"o{key}", ts, amount), st.integers(0, 4), _TIMES, st.sampled_from("129")
)
_FILES = st.lists(
    st.lists(_LINES | st.just("cut off"), min_size=1, max_size=4), min_size=1, max_size=4, unique_by=tuple
)


def put(lake: Lake, number: int, lines: Sequence[str]) -> None:
    if number % 2:
        records = [dict(zip(HEADER.split(","), line.split(","), strict=False)) for line in lines if "," in line]
        drop(
            lake, f"{number}_2026-01-{number + 5:02}.jsonl", "".join(f"{_json(record)}\n" for record in records) + "{\n"
        )
    else:
        drop(lake, f"{number}_2026-01-{number + 5:02}.csv", orders_csv(*lines))


def _json(record: dict[str, str]) -> str:
    return "{" + ",".join(f'"{key}":"{value}"' for key, value in record.items()) + "}"


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(files=_FILES, declarations=st.lists(st.sampled_from(SOURCES), min_size=1, max_size=3), data=st.data())
def test_a_lake_whose_declaration_changed_is_byte_for_byte_one_built_from_scratch(
    files: list[list[str]], declarations: list[Source], data: st.DataObject
) -> None:
    last = declarations[-1]
    with fresh_lake() as changed, fresh_lake() as scratch:
        for number, lines in enumerate(files):
            put(changed, number, lines)
            declared = data.draw(st.sampled_from(declarations))
            take(changed, declared)
            if data.draw(st.booleans()):
                catch_up(changed, declared)
        for declared in declarations:
            take(changed, declared)
            catch_up(changed, declared)

        for number, lines in enumerate(files):
            put(scratch, number, lines)
        take(scratch, last)
        catch_up(scratch, last)

        assert file_digests(changed.root, *LAKE) == file_digests(scratch.root, *LAKE)
        assert interim_work(changed, last, lambda _: True).days == ()


@pytest.mark.parametrize("steps", range(12))
def test_a_run_killed_while_it_places_rows_leaves_the_state_before_or_after(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    lines = [order("o1", "2026-01-05T21:00:00"), order("o2", "2026-01-05T10:00:00"), order("o3", "soon")]
    whole = Lake(data_dir=str(tmp_path / "whole"))
    for place in (lake, whole):
        drop(place, "orders_2026-01-06.csv", orders_csv(*lines))
        take(place, PLAIN)
    before = events(lake)
    take(whole, NEW_YORK)
    left, real_rename, real_unlink = [steps], Path.replace, Path.unlink

    def count() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt

    def rename(self: Path, target: Path) -> Path:
        count()
        return real_rename(self, target)

    def unlink(self: Path, missing_ok: bool = False) -> None:  # noqa: FBT001, FBT002 (as pathlib has it)
        count()
        real_unlink(self, missing_ok=missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", rename)
        patch.setattr(Path, "unlink", unlink)
        try:
            take(lake, NEW_YORK)
        except KeyboardInterrupt:
            assert events(lake).equals(before) or events(lake).equals(events(whole))

    take(lake, NEW_YORK)

    assert file_digests(lake.root, *LAKE) == file_digests(whole.root, *LAKE)


def test_the_planner_sees_deliveries_placed_by_another_declaration(lake: Lake) -> None:
    drop(lake, "orders_2026-01-06.csv", orders_csv(order("o1", "2026-01-05T21:00:00")))
    take(lake, orders)
    moved = replace(orders, time_zone="America/New_York")
    catalog = replace(CATALOG, sources=tuple(moved if s.name == "orders" else s for s in CATALOG.sources))

    assert look_at_intakes(lake, CATALOG).misplaced == ()
    assert look_at_intakes(lake, catalog).misplaced == ("orders",)


def test_a_row_of_another_day_than_its_partition_is_an_error_and_nothing_is_written(lake: Lake) -> None:
    drop(lake, "orders_2026-01-06.csv", orders_csv(order("o1", "2026-01-05T21:00:00")))
    take(lake, PLAIN)

    with pytest.raises(
        LakeError,
        match=r"^interim/orders \[2026-01-05\]: 1 row is not of the day that holds it, .* line 2\b.* is of 2026-01-06\.",
    ):
        build(lake, [JAN_5], NEW_YORK)

    assert lake.days("interim", "orders") == []


def test_an_event_dated_after_it_could_be_known_is_kept_and_not_processed(lake: Lake) -> None:
    lines = (
        order("o1"),
        order("o2", "2026-01-06T23:59:59Z"),
        order("o3", "2026-01-07T00:00:00Z"),
        order("o4", "2026-09-05"),
    )
    drop(lake, "orders_2026-01-05.csv", orders_csv(*lines))

    found = take(lake)
    catch_up(lake, orders)

    assert found.new[0].events == {JAN_5: 1, JAN_6: 1}
    assert found.new[0].ahead == {date(2026, 1, 7): 1, date(2026, 9, 5): 1}
    assert lake.days("interim", "orders") == [JAN_5, JAN_6]
    assert events(lake).height == 4
    (line,) = describe_ahead(lake, orders)
    assert line.startswith(
        "raw/orders: 2 events are dated after their file was known, e.g. orders_2026-01-05.csv line 4, dated 2026-01-07"
    )

    drop(lake, "orders_2026-01-05.csv", orders_csv(*lines[:2], order("o3"), order("o4")))
    take(lake)

    assert describe_ahead(lake, orders) == []


@pytest.mark.parametrize("folder", ["a[1]", "da ta [1] *{x}", "what?"])
def test_the_line_of_an_event_ahead_is_found_whatever_the_data_folder_is_called(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder / "raw").mkdir(parents=True)
    lake = Lake(data_dir=str(tmp_path / folder))
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1"), order("o2", "2026-01-07"), order("o3", "2025-12-01")))
    take(lake)

    (ahead,) = describe_ahead(lake, orders)
    (outside,) = describe_outside(lake, orders)

    assert "orders_2026-01-05.csv line 3, dated 2026-01-07" in ahead
    assert "orders_2026-01-05.csv line 4, dated 2025-12-01" in outside


@pytest.mark.parametrize(
    ("count", "said", "kept"), [(1, ": 1 event before 2", "is kept,"), (2, ": 2 events before 2", "are kept,")]
)
def test_one_event_outside_the_partitions_is_not_several(lake: Lake, count: int, said: str, kept: str) -> None:
    early = [order(f"o{number}", "2025-12-01") for number in range(count)]
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("x"), *early))
    take(lake)

    (outside,) = describe_outside(lake, orders)

    assert said in outside
    assert kept in outside


def test_a_file_whose_time_says_nothing_bounds_no_event(lake: Lake) -> None:
    drop(lake, "orders.csv", orders_csv(order("o1")), modified=datetime(1970, 1, 1, tzinfo=UTC))

    assert take(lake).new[0].events == {JAN_5: 1}


def test_a_source_may_declare_that_its_events_lie_ahead(lake: Lake) -> None:
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1", "2026-01-20T10:00:00Z")))

    assert take(lake, replace(orders, ahead_within=timedelta(days=15))).new[0].ahead == {}


@pytest.mark.parametrize(
    ("name", "modified", "arrived"),
    [
        ("orders.csv", datetime(1970, 1, 1, tzinfo=UTC), START_DATE),
        ("orders_2019-05-01.csv", datetime(2019, 5, 2, tzinfo=UTC), START_DATE),
        ("orders_2099-05-01.csv", datetime(2026, 1, 6, tzinfo=UTC), JAN_6),
        ("orders_2026-01-05.csv", datetime(2026, 1, 6, tzinfo=UTC), JAN_5),
    ],
)
def test_rows_without_a_day_count_on_a_day_of_the_partitions_whatever_the_file_is_called(
    lake: Lake, name: str, modified: datetime, arrived: date
) -> None:
    drop(lake, name, "order_id,amount\n" + "o1,1\n" * 50, modified=modified)

    take(lake)

    reason = "order_ts: the file has no such column"
    assert quarantined(lake).equals(refusals(*((arrived, name, line, reason) for line in range(2, 52))))
    assert interim_work(lake, orders, lambda _: True).days == (arrived,)
    (outcome,) = build(lake, [arrived])
    assert outcome.refused == f"order_ts: column missing from the file ({name})"


def test_broken_lines_of_a_snapshot_count_whatever_its_name(lake: Lake) -> None:
    drop(lake, "customers_2019-05-01.csv", "customer_id,region\nc1,north\n" + "broken\n" * 50, source="customers")

    take(lake, customers)

    assert quarantined(lake, "customers")["event_date"].unique().to_list() == [START_DATE]
    assert build(lake, [START_DATE], customers)[0].refused


def test_years_at_both_ends_of_the_calendar_are_events_that_are_not_processed(lake: Lake) -> None:
    times = ("0001-01-01T00:00:00", "1899-12-31", "2262-04-12T00:00:00", "9999-12-31T23:59:59")
    berlin = replace(PLAIN, time_zone="Europe/Berlin")
    drop(lake, "orders.csv", orders_csv(*(order(f"o{n}", ts) for n, ts in enumerate(times)), order("o9")))

    found = take(lake, berlin)
    catch_up(lake, berlin)

    assert sorted(found.new[0].events) == [date(1, 1, 1), date(1899, 12, 30), JAN_5]
    assert sorted(found.new[0].ahead) == [date(2262, 4, 11), date(9999, 12, 31)]
    assert lake.days("interim", "orders") == [JAN_5]
