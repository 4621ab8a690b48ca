"""Topics of a real Apache Kafka as sources: each message once, whoever is killed when.

The broker's jars come from Maven once. Without Java and Maven these tests are skipped, and fail where CI is set.
"""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from confluent_kafka import Producer, TopicPartition

from mlpipe_assets.catalog.declarations import Source, Tolerance
from mlpipe_assets.catalog.feeds import KafkaTopic
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.intake import kafka, ranges
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.intake.intake import Pending
from mlpipe_assets.intake.registry import intake_of
from mlpipe_assets.intake.untold import list_untold
from mlpipe_assets.settings import PROJECT_ROOT
from mlpipe_assets.stages.raw.plan import new_files
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import JAN_5, build, events, materialize, order_ids, quarantined, take
from mlpipe_assets_tests.intake.orders_sent import ids, order, start_pull
from mlpipe_assets_tests.kafka_broker import Broker
from mlpipe_assets_tests.schema_registry import avro_bytes, schema_registry

pytestmark = [pytest.mark.slow, pytest.mark.long]

_TAKE = """
import sys
from dataclasses import replace
from mlpipe_assets.catalog.feeds import KafkaTopic
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.intake import ranges
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import take
ranges.MOST = 40
lake = Lake(data_dir=sys.argv[1])
while True:
    found = take(lake, replace(orders, feed=KafkaTopic(servers="SHOP_KAFKA", topic=sys.argv[2])))
    print(len(found.new), found.problems, flush=True)
"""


@pytest.fixture
def topic(broker: Broker, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new topic of two partitions; SHOP_KAFKA says where it is."""
    monkeypatch.setenv("SHOP_KAFKA", broker.address)
    name = f"orders.{abs(hash(request.node.name)) % 10**9}"
    broker.make(name, partitions=2)
    return name


def source(topic: str, **more: str) -> Source:
    return replace(orders, feed=KafkaTopic(servers="SHOP_KAFKA", topic=topic, **more))


def test_messages_of_all_partitions_are_one_delivery_that_is_taken_once(broker: Broker, topic: str, lake: Lake) -> None:
    broker.send(topic, [order("o1"), order("o2")])
    broker.send(topic, [order("o3")], partition=1)
    [waiting] = new_files(lake, source(topic))

    taken = take(lake, source(topic))

    assert (waiting.name, waiting.mark["partitions"]) == ("0:0-2 1:0-1", {"0": [0, 2], "1": [0, 1]})
    assert [delivery.events for delivery in taken.new] == [{JAN_5: 3}]
    assert ids(lake) == ["o1", "o2", "o3"]
    assert new_files(lake, source(topic)) == []
    broker.send(topic, [order("o4")])
    take(lake, source(topic))
    assert ids(lake) == ["o1", "o2", "o3", "o4"]


def test_a_run_of_dagster_takes_them(broker: Broker, topic: str, lake: Lake) -> None:
    broker.send(topic, [order("o1")])

    run = materialize(lake, JAN_5, source=source(topic))

    assert run.result.success
    assert all(check.passed for check in run.checks.values())


def test_what_is_no_row_goes_to_quarantine_and_the_rest_is_taken(broker: Broker, topic: str, lake: Lake) -> None:
    pretty = json.dumps(json.loads(order("o2", amount="1234567890123456.78")), indent=2)
    broker.send(topic, [order("o1"), "{broken", b"\xff\xfe", "[1]", None, '{"order_id": NaN}', pretty])

    take(lake, source(topic))
    build(lake, [JAN_5], replace(source(topic), tolerance=Tolerance(share=1.0)))

    assert ids(lake) == ["o1", "o2"]
    assert '"amount": "1234567890123456.78"' in events(lake)["payload"][1]
    reasons = sorted(quarantined(lake)["reasons"])
    assert len(reasons) == 5, reasons
    assert any("has no value: a deletion by key is not taken" in reason for reason in reasons)
    assert any("not UTF-8" in reason for reason in reasons)
    assert any("not a JSON object" in reason for reason in reasons)


def test_key_and_time_of_a_message_may_be_columns(broker: Broker, topic: str, lake: Lake) -> None:
    lines = json.loads(order("o1"))
    del lines["customer_id"]
    broker.send(topic, [json.dumps(lines), "{}"], key="c7")

    intake = intake_of(lake, source(topic, key="customer_id", timestamp="sent_at"))
    [block] = intake.open(intake.look({})[0][0])

    first, second = (json.loads(payload) for payload in block.records["payload"])
    assert (first["customer_id"], first["order_id"]) == ("c7", "o1")
    assert second == {"customer_id": "c7", "sent_at": second["sent_at"]}
    assert second["sent_at"].startswith("20")
    assert second["sent_at"].endswith("Z")


def test_messages_in_avro_are_read_by_their_schemas_and_what_does_not_fit_goes_to_quarantine(
    broker: Broker, topic: str, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    money = {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 2}
    types = {"order_id": "string", "order_ts": {"type": "long", "logicalType": "timestamp-millis"}, "amount": money}
    types |= {"quantity": "int", **dict.fromkeys(("customer_id", "product_id", "channel", "region"), "string")}
    schema = {"type": "record", "name": "Order", "fields": [{"name": name, "type": of} for name, of in types.items()]}
    row = json.loads(order("o1"))
    row |= {"order_ts": datetime(2026, 1, 5, 8, tzinfo=UTC), "amount": Decimal("12.50")}
    with schema_registry() as registry:
        registry.add(3, schema)
        monkeypatch.setenv("SHOP_REGISTRY", registry.address)
        good, unknown = avro_bytes(schema, row, 3), avro_bytes(schema, row, 4)
        broker.send(topic, [good, order("o2"), unknown, good[:-4]])
        of_avro = replace(source(topic, schema_registry="SHOP_REGISTRY"), tolerance=Tolerance(share=1.0))

        take(lake, of_avro)
    build(lake, [JAN_5], of_avro)

    [event] = map(json.loads, events(lake)["payload"])
    assert (event["order_id"], event["amount"], event["order_ts"]) == ("o1", "12.50", "2026-01-05T08:00:00+00:00")
    assert order_ids(lake, JAN_5) == ["o1"]
    reasons = sorted(quarantined(lake)["reasons"])
    assert len(reasons) == 3
    for part in ("Confluent's wire format", "the registry has no schema 4", "does not fit its schema"):
        assert sum(part in reason for reason in reasons) == 1, reasons


def test_an_open_transaction_is_waited_for_and_an_aborted_one_is_never_seen(
    broker: Broker, topic: str, lake: Lake
) -> None:
    producer = Producer({"bootstrap.servers": broker.address, "transactional.id": topic, "log_level": 0})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, value=order("o1"), partition=0)
    producer.flush()
    assert new_files(lake, source(topic)) == []
    producer.commit_transaction()
    producer.begin_transaction()
    producer.produce(topic, value=order("o2"), partition=0)
    producer.abort_transaction()

    ends = time.monotonic() + 20  # a broker writes the end of a transaction a moment after it has confirmed it
    while not any(delivery.events for delivery in Ledger.load(lake, "orders").deliveries.values()):
        assert time.monotonic() < ends, "what was committed is not seen"
        take(lake, source(topic))
    time.sleep(0.5)
    take(lake, source(topic))  # the end of the aborted one is a range without a message

    assert ids(lake) == ["o1"]


def test_a_backlog_is_taken_in_parts_and_a_part_that_failed_is_not_passed_over(
    broker: Broker, topic: str, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "MOST", 2)
    broker.send(topic, [order(f"o{number}") for number in range(5)])
    read = kafka.KafkaIntake.digest

    def not_the_first(self: kafka.KafkaIntake, pending: Pending) -> str:
        if pending.name == "0:0-2":
            raise OSError(5, "the brokers do not answer")
        return read(self, pending)

    monkeypatch.setattr(kafka.KafkaIntake, "digest", not_the_first)
    some = take(lake, source(topic))
    monkeypatch.setattr(kafka.KafkaIntake, "digest", read)
    assert [delivery.source_file for delivery in some.new] == ["0:2-4", "0:4-5"]

    take(lake, source(topic))

    assert set(ids(lake)) == {"o0", "o1", "o2", "o3", "o4"}
    assert new_files(lake, source(topic)) == []


def test_messages_that_expired_before_they_were_taken_are_counted(broker: Broker, topic: str, lake: Lake) -> None:
    broker.send(topic, [order("o1")])
    take(lake, source(topic))
    broker.send(topic, [order("o2"), order("o3"), order("o4")])
    admin = broker.admin()
    gone = admin.delete_records([TopicPartition(topic, 0, 3)])
    for future in gone.values():
        future.result()

    taken = take(lake, source(topic))

    assert ids(lake) == ["o1", "o4"]
    assert "2 messages of partition 0 had expired at the broker before they were taken" in f"{taken}"


def test_a_topic_that_was_made_anew_is_not_taken_for_the_old_one(broker: Broker, topic: str, lake: Lake) -> None:
    broker.send(topic, [order("o1")])
    take(lake, source(topic))
    broker.drop(topic)
    time.sleep(1)
    broker.make(topic, partitions=2)
    broker.send(topic, [order("o2"), order("o3")])

    taken = take(lake, source(topic))

    assert taken.new == []
    [problem] = taken.problems
    assert "it was deleted and made anew" in problem.reason


def test_a_broker_that_does_not_know_a_topic_yet_is_asked_again(
    broker: Broker, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = "orders.late"
    monkeypatch.setenv("SHOP_KAFKA", broker.address)
    making = threading.Timer(1.0, broker.make, (late, 2))
    making.start()

    found = take(lake, source(late))
    making.join()

    assert (found.new, found.problems) == ([], [])


def test_what_cannot_be_taken_is_named(broker: Broker, topic: str, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def problem(name: str) -> str:
        found, [told] = intake_of(lake, source(name)).look({})
        assert found == []
        return told.reason

    monkeypatch.setattr(kafka, "_SETTLING", 0.5)
    assert problem("orders.none").startswith("there is no such topic, or it is hidden from us")
    monkeypatch.setattr(kafka, "_SECONDS", 1.0)
    monkeypatch.setenv("SHOP_KAFKA", '{"bootstrap.servers": "127.0.0.1:1", "sasl.password": "s3cret"}')
    assert problem(topic).startswith("the brokers do not answer")
    monkeypatch.setenv("SHOP_KAFKA", '{"sasl.password": "s3cret"}')
    assert problem(topic) == 'SHOP_KAFKA is no JSON object of options with "bootstrap.servers" among them'
    monkeypatch.setenv("SHOP_KAFKA", '{"bootstrap.servers": "127.0.0.1:1", "nonsense": "s3cret"}')
    assert problem(topic) == "an option of the client is wrong"
    monkeypatch.delenv("SHOP_KAFKA")
    assert problem(topic).startswith("the variable SHOP_KAFKA is not set")


@pytest.mark.faults
def test_every_message_is_in_raw_once_though_reader_and_broker_are_killed_twenty_times(
    broker: Broker, topic: str, tmp_path: Path
) -> None:
    random.seed(7)
    data, sent = tmp_path / "killed", 0
    environment = {**os.environ, "SHOP_KAFKA": broker.address}

    def reader() -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-c", _TAKE, f"{data}", topic]
        return subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, stdout=subprocess.DEVNULL)

    reading = reader()
    try:
        for round_ in range(20):
            broker.send(topic, [order(f"o{number}") for number in range(sent, sent + 50)], partition=round_ % 2)
            sent += 50
            time.sleep(random.uniform(0.0, 1.2))
            if round_ % 5 == 4:
                broker.kill()
                time.sleep(random.uniform(0.0, 0.5))
                broker.start()
            else:
                reading.send_signal(signal.SIGKILL)
                reading.wait()
                reading = reader()
    finally:
        reading.kill()
        reading.wait()

    lake = Lake(data_dir=f"{data}")
    taken = take(lake, source(topic))

    assert taken.problems == []
    assert ids(lake) == sorted(f"o{number}" for number in range(sent))
    assert new_files(lake, source(topic)) == []
    assert sum(sum(d.events.values()) for d in Ledger.load(lake, "orders").deliveries.values()) == sent


@pytest.mark.faults
def test_every_message_is_in_raw_once_though_pulls_are_killed_and_runs_come_in_between(
    broker: Broker, topic: str, tmp_path: Path
) -> None:
    random.seed(11)
    lake, sent, rounds, feed = Lake(data_dir=f"{tmp_path / 'pulled'}"), 0, 9, source(topic).feed

    pulling = start_pull(lake, feed)
    try:
        for round_ in range(rounds):
            for _ in range(4):
                broker.send(topic, [order(f"o{number}") for number in range(sent, sent + 25)], partition=round_ % 2)
                sent += 25
                time.sleep(random.uniform(0.0, 0.6))
            if round_ % 3 == 1:
                take(lake, source(topic))  # as a run does, while a pull goes on
            pulling.send_signal(signal.SIGKILL)
            pulling.communicate()
            pulling = start_pull(lake, feed)
        ends = time.monotonic() + 60
        while new_files(lake, source(topic)):
            assert time.monotonic() < ends, "what is left is not taken"
            time.sleep(0.2)
        pulling.terminate()
        pulling.communicate(timeout=30)
    finally:
        pulling.kill()
        pulling.communicate()

    untold = list_untold(lake, "orders")
    run = materialize(lake, JAN_5, source=source(topic))

    assert pulling.returncode == 0
    assert ids(lake) == sorted(f"o{number}" for number in range(sent))
    pulled = [d for d in Ledger.load(lake, "orders").deliveries.values() if d.delivery in untold]
    assert run.report["tables"]["raw/orders"]["received"] == sum(d.received for d in pulled) > sent / 2
    assert list_untold(lake, "orders") == []
