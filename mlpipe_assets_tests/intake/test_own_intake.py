"""An intake of one's own, by one module and one line: its rows go through the lake like those of files."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import polars as pl
import pytest

from mlpipe_assets.automation.prototype import run_prototype
from mlpipe_assets.automation.stale import look_for_arrivals
from mlpipe_assets.catalog.declarations import Catalog, Source
from mlpipe_assets.catalog.feeds import Feed
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.catalog.versions import source_version
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.intake.registry import INTAKES, intake_of
from mlpipe_assets.pipeline import build_graph
from mlpipe_assets.settings import read_settings
from mlpipe_assets.stages.raw.asset import raw_asset
from mlpipe_assets.stages.raw.plan import look_at_intakes, new_files
from mlpipe_assets.status import arrivals
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import JAN_5, JAN_6, build, drop, events, file_digests, materialize, order_ids, take
from mlpipe_assets_tests.own_intake import TOPICS, Message, Topic, TopicIntake

ORDERS = replace(orders, feed=Topic(name="shop.orders"))
CATALOG = Catalog(sources=(ORDERS,))
LAKE = ("raw", "interim", "validation", "meta")


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(INTAKES, Topic, TopicIntake.of)
    TOPICS.clear()
    yield
    TOPICS.clear()


def publish(order_id: str, amount: str = "1.00", *, at: datetime, of: date = JAN_5) -> None:
    """Add an order to the topic."""
    row = {"order_id": order_id, "customer_id": "c1", "order_ts": f"{of}T08:00:00Z", "amount": amount}
    row |= {"quantity": "1", "product_id": "P00001", "channel": "web", "region": "north"}
    TOPICS.setdefault("shop.orders", []).append(Message(published_at=at, row=row))


def hour(number: int) -> datetime:
    return datetime(2026, 1, 7, number, tzinfo=UTC)


def amounts(lake: Lake, day: date = JAN_5) -> dict[str, str]:
    build(lake, [day], ORDERS)
    rows = lake.read("interim", "orders", day).select("order_id", pl.col("amount").cast(pl.String))
    return dict(rows.rows())


def test_what_was_published_waits_as_one_range_and_is_taken_once(lake: Lake) -> None:
    publish("o1", at=hour(1))
    publish("o2", at=hour(2), of=JAN_6)
    waiting = [(pending.name, pending.mark) for pending in new_files(lake, ORDERS)]
    counted = look_at_intakes(lake, CATALOG).new_files

    taken = take(lake, ORDERS)

    assert (waiting, counted) == ([("0-2", {"start": 0, "end": 2})], 1)
    assert [(d.source_file, d.known_at, d.events) for d in taken.new] == [("0-2", hour(2), {JAN_5: 1, JAN_6: 1})]
    assert events(lake).select("source_file", "record_number", "event_date").rows() == [
        ("0-2", 1, JAN_5),
        ("0-2", 2, JAN_6),
    ]
    assert new_files(lake, ORDERS) == []


def test_a_run_of_dagster_takes_it_and_its_checks_hold(lake: Lake) -> None:
    publish("o1", at=hour(1))

    run = materialize(lake, JAN_5, source=ORDERS)

    assert run.result.success
    assert {name: check.passed for name, check in run.checks.items() if name.startswith("raw/")} == {
        "raw/orders:files_are_readable": True,
        "raw/orders:rows_are_accounted_for": True,
    }
    assert order_ids(lake, JAN_5) == ["o1"]


def test_a_replay_rewrites_nothing_and_what_came_since_is_the_next_range(lake: Lake) -> None:
    publish("o1", at=hour(1))
    take(lake, ORDERS)
    before = file_digests(lake.root, *LAKE)

    again = take(lake, ORDERS)
    unchanged = file_digests(lake.root, *LAKE) == before
    publish("o2", at=hour(2))

    assert (again.new, again.problems, again.waiting, unchanged) == ([], [], [], True)
    assert [pending.name for pending in new_files(lake, ORDERS)] == ["1-2"]


@pytest.mark.parametrize("step", ["complete", "save"])
def test_a_range_whose_run_was_killed_comes_once_whatever_was_published_meanwhile(
    lake: Lake, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("o1", at=hour(1))

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, step, die)
        with pytest.raises(KeyboardInterrupt):
            take(lake, ORDERS)
    publish("o2", at=hour(2))
    taken = take(lake, ORDERS)

    assert [d.source_file for d in taken.new] == [{"complete": "0-2", "save": "1-2"}[step]]
    assert events(lake)["payload"].str.json_path_match("$.order_id").sort().to_list() == ["o1", "o2"]
    assert not list((lake.root / "meta" / "deliveries").rglob("*.pending"))


@pytest.mark.parametrize(("first", "second", "stands"), [(1, 2, "2.00"), (2, 1, "1.00")])
def test_of_two_rows_with_one_key_the_one_published_last_stands_whichever_was_taken_last(
    lake: Lake, first: int, second: int, stands: str
) -> None:
    publish("o1", "1.00", at=hour(first))
    take(lake, ORDERS)
    publish("o1", "2.00", at=hour(second))
    take(lake, ORDERS)

    assert amounts(lake) == {"o1": stands}


def test_events_that_are_damaged_are_made_again_from_the_range_on_record(lake: Lake) -> None:
    publish("o1", at=hour(1))
    take(lake, ORDERS)
    publish("o2", at=hour(2))
    [path] = (lake.root / "raw" / "_events").rglob("*.parquet")
    before = path.read_bytes()
    path.write_bytes(b"damaged")

    found = take(lake, ORDERS)

    assert path.read_bytes() == before
    assert ([d.source_file for d in found.new], found.problems) == (["1-2"], [])


def test_a_sensor_asks_for_a_range_at_once_since_nothing_can_change_it(lake: Lake) -> None:
    publish("o1", at=hour(1))

    asked = look_for_arrivals(lake, CATALOG, hour(1), settle_seconds=60)

    assert ([(wish.table, wish.days) for wish in asked.wishes], asked.waiting) == (
        [("raw/orders", (hour(1).date(),))],
        (),
    )


def test_a_prototype_takes_its_sample_from_it_and_keeps_when_its_rows_were_known(lake: Lake) -> None:
    publish("o1", at=hour(1))
    take(lake, ORDERS)

    made = run_prototype(
        lake, CATALOG, 1.0, lambda some, root: build_graph(some, read_settings({"MLPIPE_DATA_DIR": str(root)}))
    )

    small = Lake(data_dir=str(made.root))
    assert (made.rows_read, made.rows_kept, made.summary.errors) == (1, 1, [])
    assert order_ids(small, JAN_5) == ["o1"]
    assert [a.known_at for a in arrivals(small, CATALOG)] == [hour(1).isoformat()]


def test_files_dropped_for_a_source_that_takes_none_are_named(lake: Lake) -> None:
    drop(lake, "orders.csv", "order_id\n")

    assert look_at_intakes(lake, CATALOG).problems == (
        "raw/orders/: no source of that name takes files from there, its files are not read",
    )


def test_the_feed_is_part_of_the_version_of_its_source() -> None:
    versions = {source_version(source) for source in (orders, ORDERS, replace(ORDERS, feed=Topic(name="other")))}

    assert len(versions) == 3


class Unknown(Feed):
    """A kind of feed that nobody registered an intake for."""


def test_a_feed_without_an_intake_is_refused_with_what_to_do(lake: Lake) -> None:
    source: Source = replace(orders, feed=Unknown())

    with pytest.raises(SettingsError, match="no intake takes a feed of Unknown"):
        raw_asset(source)
    with pytest.raises(
        SettingsError,
        match=r"'orders': no intake takes a feed of Unknown; there are DatabaseTable, .*KafkaTopic, NatsStream, Topic\. Add yours",
    ):
        intake_of(lake, source)
