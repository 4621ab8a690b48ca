"""What a delivery amounts to beside the others: a state that returns, a copy, a snapshot that holds from the start."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.catalog.sources import customers, orders
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.partitions import START_DATE
from mlpipe_assets.stages.interim.plan import interim_work
from mlpipe_assets.stages.raw.states import settle_states
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import (
    JAN_5,
    JAN_6,
    build,
    drop,
    events,
    file_digests,
    materialize,
    order,
    orders_csv,
    quarantined,
    take,
)

NEAR = replace(orders, dedupe_within=timedelta(days=30))


def people(**ages: int) -> str:
    rows = "".join(f"{name},{name}@example.org,{age},north,2025-12-01\n" for name, age in ages.items())
    return f"customer_id,email,age,region,signup_date\n{rows}"


def catch_up(lake: Lake, source: Source = orders) -> None:
    if days := interim_work(lake, source, lambda _: True).days:
        build(lake, days, source)


def ages(lake: Lake, source: Source = customers) -> dict[str, dict[str, int]]:
    """Key and age of each row of each day's table."""
    days = lake.days("interim", source.name)
    return {f"{day:%m-%d}": dict(lake.read("interim", "customers", day, ["customer_id", "age"]).rows()) for day in days}


def amounts(lake: Lake) -> list[str]:
    rows = [lake.read("interim", "orders", day) for day in lake.days("interim", "orders")]
    return pl.concat(rows)["amount"].cast(pl.String).to_list()


def test_a_snapshot_whose_state_returns_holds_again(lake: Lake) -> None:
    for day, age in ((5, 10), (6, 20), (7, 10)):
        drop(lake, f"c_2026-01-{day:02}.csv", people(c1=age), source="customers")
        take(lake, customers)
        catch_up(lake, customers)

    assert ages(lake) == {"01-05": {"c1": 10}, "01-06": {"c1": 20}, "01-07": {"c1": 10}}


@pytest.mark.parametrize(
    "names", [("a.csv", "a.csv", "a.csv"), ("a.csv", "b.csv", "c.csv"), ("a.csv", "b.csv", "a.csv")]
)
def test_events_whose_state_returns_under_the_same_or_other_names_hold_again(
    lake: Lake, names: tuple[str, ...]
) -> None:
    for hour, (name, amount) in enumerate(zip(names, ("10", "20", "10"), strict=True)):
        drop(lake, name, orders_csv(order("o1", amount=amount)), modified=datetime(2026, 1, 6, hour, tzinfo=UTC))
        found = take(lake, NEAR)
        catch_up(lake, NEAR)
        assert amounts(lake) == [f"{amount}.00"]

    assert (len(found.new), found.copies) == (1, [])
    assert events(lake).height == 3


def test_a_copy_brings_no_rows_is_named_and_becomes_a_delivery_when_something_came_in_between(lake: Lake) -> None:
    drop(lake, "a_2026-01-05.csv", orders_csv(order("o1", amount="10"), "broken"))
    drop(lake, "c_2026-01-07.csv", orders_csv(order("o1", amount="10"), "broken"))
    first = take(lake)
    catch_up(lake)
    assert first.copies == ["c_2026-01-07.csv (same content as a_2026-01-05.csv)"]
    assert (events(lake).height, quarantined(lake).height, amounts(lake)) == (1, 1, ["10.00"])

    drop(lake, "b_2026-01-06.csv", orders_csv(order("o1", amount="20")))
    second = take(lake)

    assert sorted(d.source_file for d in second.new) == ["b_2026-01-06.csv", "c_2026-01-07.csv"]
    assert events(lake)["source_file"].to_list() == ["a_2026-01-05.csv", "b_2026-01-06.csv", "c_2026-01-07.csv"]
    assert quarantined(lake)["source_file"].to_list() == ["a_2026-01-05.csv", "c_2026-01-07.csv"]
    assert interim_work(lake, orders, lambda _: True).days == (JAN_5,)
    catch_up(lake)
    assert amounts(lake) == ["10.00"]


def test_a_delivery_becomes_a_copy_when_an_earlier_one_of_its_content_is_found_late(lake: Lake) -> None:
    drop(lake, "b_2026-01-06.csv", people(c1=10), source="customers")
    take(lake, customers)
    catch_up(lake, customers)
    drop(lake, "a_2026-01-05.csv", people(c1=10), source="customers")
    take(lake, customers)
    catch_up(lake, customers)

    assert ages(lake) == {"01-05": {"c1": 10}}
    assert [p.parent.name for p in (lake.root / "raw" / "_events").rglob("*.parquet")] == ["date=2026-01-05"]
    assert interim_work(lake, customers, lambda _: True).days == ()


@pytest.mark.parametrize(
    ("dated", "copy"),
    [(True, shutil.copy), (True, shutil.copy2), (False, shutil.copy2)],
    ids=["cp", "cp -p", "undated, cp -p"],
)
def test_a_copied_drop_zone_counts_nothing_twice_rewrites_nothing_and_is_named(
    lake: Lake, copy: Callable[[str, str], object], *, dated: bool
) -> None:
    zone = lake.root / "raw" / "orders"
    for day in (5, 6, 7):
        name = f"orders_2026-01-{day:02}.csv" if dated else f"orders_{day}.csv"
        sent = datetime(2026, 1, day, 23, tzinfo=UTC)
        drop(lake, name, orders_csv(order(f"o{day}", f"2026-01-{day:02}T10:00:00Z")), modified=sent)
    take(lake)
    catch_up(lake)
    before = file_digests(lake.root, "interim", "raw/_events")
    shutil.copytree(zone, zone / "backup", copy_function=copy)

    found = take(lake)

    assert (found.new, len(found.copies)) == ([], 3)
    assert interim_work(lake, orders, lambda _: True).days == ()
    assert file_digests(lake.root, "interim", "raw/_events") == before
    run = materialize(lake, JAN_6)
    assert run.report["tables"]["raw/orders"]["received"] == 0


def test_a_copied_folder_undoes_no_correction(lake: Lake) -> None:
    for name, amount, hour in (("t_2026-01-05.csv", "10", 1), ("t_2026-01-05_corrected.csv", "99", 2)):
        drop(lake, name, orders_csv(order("o1", amount=amount)), modified=datetime(2026, 1, 6, hour, tzinfo=UTC))
    take(lake)
    for name, second in (("t_2026-01-05_corrected.csv", 1), ("t_2026-01-05.csv", 2)):  # copied in no particular order
        content = (lake.root / "raw" / "orders" / name).read_text()
        drop(lake, f"copy/{name}", content, modified=datetime(2026, 1, 7, 0, 0, second, tzinfo=UTC))
    take(lake)
    catch_up(lake)

    assert amounts(lake) == ["99.00"]


def test_a_renamed_undated_file_of_the_same_time_is_a_copy(lake: Lake) -> None:
    path = drop(lake, "orders.csv", orders_csv(order("o1")))
    take(lake)
    path.rename(path.with_name("orders_old.csv"))

    found = take(lake)

    assert (found.new, found.copies) == ([], ["orders_old.csv (same content as orders.csv)"])


def test_the_first_snapshot_is_the_first_that_was_known_and_not_the_first_that_came(lake: Lake) -> None:
    drop(lake, "late.csv", people(c1=20), source="customers", modified=datetime(2026, 1, 7, 9, tzinfo=UTC))
    take(lake, customers)
    catch_up(lake, customers)
    assert ages(lake) == {f"{START_DATE:%m-%d}": {"c1": 20}}

    drop(lake, "early.csv", people(c1=10), source="customers", modified=datetime(2026, 1, 5, 9, tzinfo=UTC))
    take(lake, customers)
    catch_up(lake, customers)

    assert ages(lake) == {f"{START_DATE:%m-%d}": {"c1": 10}, "01-07": {"c1": 20}}


def test_a_snapshot_that_moves_to_its_own_day_is_still_the_twin_of_one_that_returns(lake: Lake) -> None:
    for hour, age in ((9, 8), (10, 9), (11, 8)):
        sent = datetime(2026, 1, 21, hour, tzinfo=UTC)
        drop(lake, "a.csv", people(c0=age), source="customers", modified=sent)
        take(lake, customers)
    drop(lake, "a_2026-01-20.csv", people(c0=5), source="customers")
    take(lake, customers)
    catch_up(lake, customers)

    assert ages(lake) == {"01-20": {"c0": 5}, "01-21": {"c0": 8}}


def test_a_run_killed_before_it_settled_is_settled_by_the_next(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, age in (("a_2026-01-05.csv", 10), ("c_2026-01-07.csv", 10)):
        drop(lake, name, people(c1=age), source="customers")
    take(lake, customers)
    drop(lake, "b_2026-01-06.csv", people(c1=20), source="customers")
    with monkeypatch.context() as patch:
        patch.setattr(
            "mlpipe_assets.stages.raw.taking.settle_states", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            take(lake, customers)

    take(lake, customers)
    catch_up(lake, customers)

    assert ages(lake) == {"01-05": {"c1": 10}, "01-06": {"c1": 20}, "01-07": {"c1": 10}}
    assert settle_states(lake, customers, Ledger.load(lake, "customers")) == []
    assert not list(Path(lake.root).rglob("*.pending"))


def test_a_modification_in_the_same_second_is_told_apart(lake: Lake) -> None:
    for name, amount, nanoseconds in (("b_2026-01-05.csv", "10", 1), ("a_2026-01-05.csv", "99", 2)):
        path = drop(lake, name, orders_csv(order("o1", amount=amount)))
        os.utime(path, ns=(0, 1_770_000_000_000_000_000 + nanoseconds))
    take(lake)
    catch_up(lake)

    assert amounts(lake) == ["99.00"]
