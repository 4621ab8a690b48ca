"""`mlpipe pull`: what is new at feeds is taken between two runs, once, and the next run tells of it."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from mlpipe_assets.automation.stale import look_for_arrivals
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.sources import customers, orders
from mlpipe_assets.cli import main
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.intake.intake import DeliveryProblem
from mlpipe_assets.intake.registry import INTAKES
from mlpipe_assets.intake.untold import list_untold, mark_untold
from mlpipe_assets.stages.raw.plan import look_at_intakes, new_files
from mlpipe_assets.stages.raw.taking import pull
from mlpipe_assets.store import lake as lake_module
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import JAN_5, JAN_6, drop, events, materialize, order, orders_csv, take
from mlpipe_assets_tests.own_intake import TOPICS, Message, Topic, TopicIntake

ORDERS = replace(orders, feed=Topic(name="shop.orders"))
CATALOG = Catalog(sources=(ORDERS, customers))
OF_FILES = Catalog(sources=(customers,))


@pytest.fixture(autouse=True)
def here(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The command is pointed at the lake and at a catalog whose orders come from a topic."""
    monkeypatch.setenv("MLPIPE_DATA_DIR", lake.data_dir)
    monkeypatch.setenv("MLPIPE_CATALOG", f"{__name__}:CATALOG")
    monkeypatch.setitem(INTAKES, Topic, TopicIntake.of)
    TOPICS.clear()
    yield
    TOPICS.clear()


def publish(order_id: str, of: date = JAN_5) -> None:
    """Add an order to the topic."""
    row = {"order_id": order_id, "customer_id": "c1", "order_ts": f"{of}T08:00:00Z", "amount": "1.00"}
    row |= {"quantity": "1", "product_id": "P00001", "channel": "web", "region": "north"}
    hour = len(TOPICS.setdefault("shop.orders", [])) + 1
    TOPICS["shop.orders"].append(Message(published_at=datetime(2026, 1, 7, hour, tzinfo=UTC), row=row))


def ids(lake: Lake) -> list[str]:
    return sorted(json.loads(payload)["order_id"] for payload in events(lake)["payload"])


def test_what_is_new_is_taken_once_and_nothing_is_built(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    publish("o1")
    publish("o2", of=JAN_6)

    assert main(["pull"]) == 0
    first = capsys.readouterr().out
    assert main(["pull", "orders"]) == 0
    second = capsys.readouterr().out

    assert first.startswith("raw/orders: 2 rows in 1 delivery, of 2026-01-05 to 2026-01-06 (2 accepted)\nDone in ")
    assert second == "raw/orders: nothing new\n"
    assert ids(lake) == ["o1", "o2"]
    assert lake.days("interim", "orders") == []


def test_as_json_it_is_one_line(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    publish("o1")

    assert main(["pull", "--json"]) == 0

    [line] = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert told["sources"] == [
        {
            "source": "orders",
            "deliveries": 1,
            "received": 1,
            "accepted": 1,
            "quarantined": 0,
            "not_processed": 0,
            "days": ["2026-01-05"],
            "notes": [],
        }
    ]
    assert (told["errors"], told["busy"], told["data_dir"]) == ([], [], lake.data_dir)


def test_the_next_run_tells_of_what_was_pulled_beside_what_it_takes_itself(lake: Lake) -> None:
    publish("o1")
    main(["pull", "-q"])
    publish("o2", of=JAN_6)
    main(["pull", "-q"])
    publish("o3")

    run = materialize(lake, JAN_5, source=ORDERS)

    assert run.report["tables"]["raw/orders"]["received"] == 3
    assert run.checks["raw/orders:rows_are_accounted_for"].passed
    assert run.materialized["raw/orders"] == ["2026-01-05", "2026-01-06"]
    assert list_untold(lake, "orders") == []
    assert materialize(lake, JAN_5, source=ORDERS).report["tables"]["raw/orders"]["received"] == 0


def test_what_no_run_has_told_of_asks_for_a_run(lake: Lake) -> None:
    publish("o1")
    main(["pull", "-q"])

    zone = look_at_intakes(lake, CATALOG)
    [wish] = look_for_arrivals(lake, CATALOG, datetime.now(tz=UTC), 0).wishes

    assert (zone.new_files, zone.relieved) == (0, ("orders",))
    assert (wish.table, wish.days) == ("raw/orders", (JAN_5,))
    materialize(lake, JAN_5, source=ORDERS)
    assert look_at_intakes(lake, CATALOG).relieved == ()
    assert look_for_arrivals(lake, CATALOG, datetime.now(tz=UTC), 0).wishes == ()


def test_a_pull_that_was_cut_off_before_its_delivery_was_on_record_is_told_of_once(lake: Lake) -> None:
    publish("o1")
    [waiting] = new_files(lake, ORDERS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ledger, "complete", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        assert main(["pull", "-q"]) == 130
    assert len(list_untold(lake, "orders")) == 1
    assert [file.mark for file in new_files(lake, ORDERS)] == [waiting.mark]

    run = materialize(lake, JAN_5, source=ORDERS)

    assert run.report["tables"]["raw/orders"]["received"] == 1
    assert list_untold(lake, "orders") == []
    assert ids(lake) == ["o1"]


def test_a_mark_without_a_delivery_goes_with_the_next_run(lake: Lake) -> None:
    mark_untold(lake, "orders", "0" * 64)

    run = materialize(lake, JAN_5, source=ORDERS)

    assert run.result.success
    assert list_untold(lake, "orders") == []


def test_files_are_taken_of_the_sources_that_are_named(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    name = "customers_2026-01-05.csv"
    drop(
        lake, name, "customer_id,email,age,region,signup_date\nc1,a@b.example,30,north,2026-01-01\n", source="customers"
    )

    main(["pull"])
    assert "customers" not in capsys.readouterr().out
    assert main(["pull", "customers"]) == 0

    assert capsys.readouterr().out.startswith("raw/customers: 1 row in 1 delivery")


def test_what_cannot_be_taken_is_named_and_the_exit_code_says_so(
    lake: Lake, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = DeliveryProblem(name="shop.orders", reason="the brokers do not answer")
    monkeypatch.setattr(TopicIntake, "look", lambda *_: ([], [problem]))

    assert main(["pull"]) == 1
    assert "error: raw/orders/shop.orders: the brokers do not answer" in capsys.readouterr().out
    assert main(["pull", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["errors"] == ["raw/orders/shop.orders: the brokers do not answer"]
    assert main(["pull", "order"]) == 2
    assert "There is no source 'order'; there are orders, customers. Is 'orders' meant?" in capsys.readouterr().err
    monkeypatch.setenv("MLPIPE_CATALOG", f"{__name__}:OF_FILES")
    assert main(["pull"]) == 2
    assert "Every source takes files" in capsys.readouterr().err


def test_what_another_run_is_taking_is_left_to_it(
    lake: Lake, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("o1")
    monkeypatch.setattr(lake_module, "PATIENCE", 0.0)

    with lake.writing("raw", "orders"):
        assert main(["pull"]) == 0

    assert capsys.readouterr().out == "raw/orders: another run is taking it\n"
    assert [file.name for file in new_files(lake, ORDERS)] == ["0-1"]


def test_it_goes_on_until_it_is_asked_to_stop(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    def is_taken(count: int) -> Callable[[], bool]:
        return lambda: len(Ledger.load(Lake(data_dir=lake.data_dir), "orders").deliveries) == count

    def send() -> None:
        for number in (1, 2):
            publish(f"o{number}")
            ends = time.monotonic() + 30
            while not is_taken(number)() and time.monotonic() < ends:
                time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    sending = threading.Thread(target=send)
    sending.start()
    code = main(["pull", "--every", "0.02", "--json"])
    sending.join()

    assert code == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["sources"][0]["received"] for line in lines] == [1, 1]
    assert ids(lake) == ["o1", "o2"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_is_wrong_is_told_once_and_again_when_it_is_over(
    lake: Lake, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = DeliveryProblem(name="shop.orders", reason="the brokers do not answer")
    looks = iter([problem, problem, problem, None, None])

    def look(*_: object) -> tuple[list[object], list[DeliveryProblem]]:
        found = next(looks, "end")
        if found == "end":
            os.kill(os.getpid(), signal.SIGTERM)
        return [], [found] if isinstance(found, DeliveryProblem) else []

    monkeypatch.setattr(TopicIntake, "look", look)

    assert main(["pull", "--every", "0.01"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "Taking orders every 0.01 s; stop with Ctrl-C",
        "error: raw/orders/shop.orders: the brokers do not answer",
        "Nothing is wrong any more at orders.",
    ]


def test_asked_to_stop_it_leaves_the_deliveries_that_it_has_not_begun(lake: Lake) -> None:
    drop(lake, "orders_2026-01-05.csv", orders_csv(order("o1")))
    drop(lake, "orders_2026-01-06.csv", orders_csv(order("o2")))
    answers = iter([False, True])

    found = pull(lake, orders, lambda: next(answers))

    assert [delivery.source_file for delivery in found.new] == ["orders_2026-01-05.csv"]
    assert [file.name for file in new_files(lake, orders)] == ["orders_2026-01-06.csv"]
    take(lake)
    assert ids(lake) == ["o1", "o2"]
