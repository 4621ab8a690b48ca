"""The ledger: deliveries, the days they brought, and what a killed run leaves."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.errors import LakeError
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.intake.delivery import Delivery
from mlpipe_assets.intake.intake import Pending
from mlpipe_assets.intake.seen import Seen
from mlpipe_assets.intake.stretches import list_stems
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import JAN_5, JAN_6, JAN_7, drop, order, orders_csv, take

FIRST = Delivery(
    source="orders",
    delivery="a" * 64,
    source_file="orders.csv",
    content="c" * 64,
    modified_ns=5,
    known_at=datetime(2026, 1, 6, 1, 2, 3, 4, tzinfo=UTC),
    arrived=JAN_6,
    events={JAN_5: 2, JAN_6: 1},
    quarantined=1,
    columns=("order_id", "größe"),
)
SECOND = replace(
    FIRST, modified_ns=6, delivery="b" * 64, events={JAN_5: 1}, quarantined=0, arrived=JAN_7, replaces="a" * 64
)
NEW_FIELDS = ("content", "known_by", "modified_ns", "copy_of", "ahead", "placement")
FILE = Pending(name="orders.csv", mark={"size": 10, "mtime_ns": 123}, modified_ns=123, final=False)


@pytest.fixture
def ledger(lake: Lake) -> Ledger:
    ledger = Ledger.load(lake, "orders")
    for delivery in (SECOND, FIRST):
        ledger.complete(delivery, [])
    return ledger


def test_a_ledger_reads_back_what_it_wrote(ledger: Ledger) -> None:
    ledger.note(FILE, delivery="a" * 64)
    ledger.save()

    again = Ledger.load(ledger.lake, "orders")

    assert again.deliveries == {"a" * 64: FIRST, "b" * 64: SECOND}
    assert again.status_of(FILE) == Seen(mark=FILE.mark, delivery="a" * 64, problem=None, code="")
    assert FIRST.received == 4


def test_what_is_on_record_of_a_file_is_what_earlier_versions_wrote(lake: Lake) -> None:
    path = drop(lake, "orders_2026-01-05.csv", orders_csv(order()))
    found = take(lake)

    [delivery] = found.new
    seen = json.loads((lake.root / "meta" / "drop_zone" / "orders.json").read_text())
    record = json.loads((lake.root / "meta" / "deliveries" / "orders" / f"{delivery.delivery}.json").read_text())
    mark = {"size": path.stat().st_size, "mtime_ns": path.stat().st_mtime_ns}
    assert seen == {path.name: {**mark, "delivery": delivery.delivery, "problem": None, "code": ""}}
    assert "mark" not in record


def test_the_mark_of_what_cannot_change_is_part_of_its_delivery(ledger: Ledger) -> None:
    ledger.complete(replace(FIRST, delivery="d" * 64, source_file="0-5", mark={"start": 0, "end": 5}), [])

    assert Ledger.load(ledger.lake, "orders").taken == {"0-5": {"start": 0, "end": 5}}


def test_a_record_of_the_version_before_is_read_as_named_by_its_content(ledger: Ledger) -> None:
    path = ledger.lake.root / "meta" / "deliveries" / "orders" / f"{'a' * 64}.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({n: v for n, v in record.items() if n not in NEW_FIELDS}))

    old = Ledger.load(ledger.lake, "orders").deliveries["a" * 64]

    assert old == replace(FIRST, content="a" * 64, modified_ns=0)


def test_a_day_has_the_deliveries_that_brought_rows_of_it_or_were_refused_rows_on_it(ledger: Ledger) -> None:
    assert [ledger.of_day(day) for day in (JAN_5, JAN_6, JAN_7)] == [[FIRST, SECOND], [FIRST], []]
    assert ledger.days() == [JAN_5, JAN_6]


def test_a_file_must_be_looked_at_again_when_its_size_or_time_moved(ledger: Ledger) -> None:
    ledger.note(FILE, problem="is broken")

    assert ledger.status_of(FILE) == Seen(mark=FILE.mark, delivery=None, problem="is broken", code="")
    assert ledger.status_of(replace(FILE, mark={"size": 11, "mtime_ns": 123})) is None
    assert ledger.status_of(replace(FILE, mark={"size": 10, "mtime_ns": 124})) is None
    assert ledger.status_of(replace(FILE, name="other.csv")) is None


def test_a_name_stands_for_the_newest_delivery_seen_under_it(ledger: Ledger) -> None:
    assert ledger.standing("orders.csv") == SECOND
    assert ledger.standing("other.csv") is None


def test_what_a_killed_run_left_of_an_uncounted_delivery_is_swept_and_the_rest_stays(ledger: Ledger) -> None:
    for delivery in (FIRST, replace(FIRST, delivery="c" * 64)):
        ledger.lake.commit(ledger.lake.stage(ledger.event_path(delivery, JAN_5), pl.DataFrame({"x": [1]}), {}))
        ledger.lake.commit(ledger.lake.stage(ledger.refused_path(delivery), pl.DataFrame({"x": [1]}), {}))
    ledger.begin("a" * 64)
    ledger.begin("c" * 64)

    Ledger.load(ledger.lake, "orders").sweep()

    assert [path.stem for path in ledger.lake.root.rglob("*.parquet")] == ["a" * 64] * 2
    assert not list(ledger.lake.root.rglob("*.pending"))


@pytest.mark.parametrize("content", ['{"orders.csv": {"si', "[]", '{"orders.csv": []}', "null", b"\xff"])
def test_what_was_seen_of_the_drop_zone_may_be_deleted_when_it_cannot_be_read(lake: Lake, content: str | bytes) -> None:
    drop(lake, "orders_2026-01-05.csv", orders_csv(order()))
    take(lake, orders)
    path = lake.root / "meta" / "drop_zone" / "orders.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(
        LakeError, match=r"drop_zone/orders\.json cannot be read: .+\. Delete it and run again: files are"
    ):
        Ledger.load(lake, "orders")

    path.unlink()
    take(lake, orders)
    assert [d.events for d in Ledger.load(lake, "orders").deliveries.values()] == [{JAN_5: 1}]


@pytest.mark.parametrize("content", ['{"arrived": "2026-0', "[]", "{}", "null"])
def test_a_delivery_whose_record_cannot_be_read_is_ingested_again_once_that_is_deleted(
    lake: Lake, content: str
) -> None:
    drop(lake, "orders_2026-01-05.csv", orders_csv(order()))
    take(lake, orders)
    (path,) = (lake.root / "meta" / "deliveries" / "orders").glob("*.json")
    before = path.read_bytes()
    path.write_text(content)

    with pytest.raises(
        LakeError,
        match=rf"{path.name} cannot be read: .+\. Delete it and run again: if orders_2026-01-05\.csv still lies in .*raw/orders",
    ):
        Ledger.load(lake, "orders")

    path.unlink()
    take(lake, orders)
    assert path.read_bytes() == before


def of_ranges(count: int, start: int = 0) -> list[Delivery]:
    """Deliveries of one row each, taken for good."""
    return [
        replace(
            FIRST,
            delivery=f"{number:064}",
            content=f"{number:064}",
            source_file=f"up to {number}",
            mark={"to": number},
            known_at=FIRST.known_at + timedelta(seconds=number),
        )
        for number in range(start, start + count)
    ]


def record(ledger: Ledger, deliveries: Iterable[Delivery]) -> None:
    """Count deliveries, and save."""
    for delivery in deliveries:
        ledger.complete(delivery, [])
    ledger.save()


def documents(lake: Lake) -> list[str]:
    """The endings of what is on record, in order."""
    return sorted(path.suffix for path in (lake.root / "meta" / "deliveries" / "orders").iterdir())


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stretches of three deliveries and more, up to five."""
    monkeypatch.setattr("mlpipe_assets.intake.deliveries.SINGLES", 3)
    monkeypatch.setattr("mlpipe_assets.intake.stretches._LONGEST", 5)


@pytest.mark.usefixtures("short")
def test_deliveries_taken_for_good_go_on_one_record_and_are_what_they_were(lake: Lake) -> None:
    record(Ledger.load(lake, "orders"), [FIRST, *of_ranges(2)])
    assert documents(lake) == [".json"] * 3
    for number in range(2, 11):
        record(Ledger.load(lake, "orders"), of_ranges(1, number))

    ledger = Ledger.load(Lake(data_dir=lake.data_dir), "orders")

    assert documents(lake) == [".json", ".json", ".json", ".stretch", ".stretch"]  # of the file, 9 and 10
    assert ledger.deliveries == {one.delivery: one for one in [FIRST, *of_ranges(11)]}
    assert ledger.taken == {f"up to {n}": {"to": n} for n in range(11)}
    assert ledger.status_of(Pending(name="up to 4", mark={"to": 4}, modified_ns=0)) is not None
    assert ledger.status_of(Pending(name="up to 4", mark={"to": 5}, modified_ns=0)) is None
    assert ledger.standing("up to 4") == of_ranges(1, 4)[0]
    assert ledger.holder(f"{4:064}") == of_ranges(1, 4)[0]
    assert list_stems(lake, "orders") == {one.stem for one in ledger.deliveries.values()}


@pytest.mark.usefixtures("short")
def test_a_delivery_that_is_placed_anew_counts_as_it_is_now(lake: Lake) -> None:
    record(Ledger.load(lake, "orders"), of_ranges(4))
    placed = replace(of_ranges(1)[0], placement="anew")
    record(Ledger.load(lake, "orders"), [placed])
    assert Ledger.load(lake, "orders").deliveries[placed.delivery] == placed

    record(Ledger.load(lake, "orders"), of_ranges(3, 4))

    assert documents(lake) == [".stretch"]
    assert Ledger.load(Lake(data_dir=lake.data_dir), "orders").deliveries[placed.delivery] == placed
    assert placed.stem in list_stems(lake, "orders")


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("kept", ["the records", "the stretch before"])
def test_what_a_kill_leaves_of_both_is_the_same_ledger(lake: Lake, monkeypatch: pytest.MonkeyPatch, kept: str) -> None:
    record(Ledger.load(lake, "orders"), of_ranges(4))
    changed = replace(of_ranges(1)[0], placement="anew")
    ledger = Ledger.load(lake, "orders")
    for delivery in (changed, *of_ranges(2, 4)):
        ledger.complete(delivery, [])

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(type(lake.objects), "delete_many" if kept == "the records" else "delete", killed)
        with pytest.raises(KeyboardInterrupt):
            ledger.save()

    again = Ledger.load(Lake(data_dir=lake.data_dir), "orders")
    assert again.deliveries == {one.delivery: one for one in [changed, *of_ranges(5, 1)]}
    record(again, of_ranges(3, 6))
    found = Ledger.load(Lake(data_dir=lake.data_dir), "orders").deliveries
    assert found == {one.delivery: one for one in [changed, *of_ranges(8, 1)]}
    assert ".json" not in documents(lake)


@pytest.mark.usefixtures("short")
def test_a_damaged_stretch_is_named_with_what_to_do(lake: Lake) -> None:
    record(Ledger.load(lake, "orders"), of_ranges(4))
    [path] = (lake.root / "meta" / "deliveries" / "orders").glob("*.stretch")
    path.write_bytes(path.read_bytes()[:-9])

    with pytest.raises(LakeError, match=r"000001\.stretch cannot be read: .* Restore it from a copy"):
        Ledger.load(Lake(data_dir=lake.data_dir), "orders")
