"""Streams of a real NATS server as sources: each message once, whoever is killed when."""

import json
import random
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nats.js.api import RetentionPolicy, StreamConfig

from mlpipe_assets.catalog.declarations import Catalog, Source, Tolerance
from mlpipe_assets.catalog.feeds import NatsStream
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.intake import nats_stream, ranges
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.intake.registry import intake_of
from mlpipe_assets.stages.raw.plan import new_files
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import JAN_5, build, events, materialize, order_ids, quarantined, take
from mlpipe_assets_tests.intake.orders_sent import ids, order, start_pull
from mlpipe_assets_tests.nats_server import PASSWORD, NatsServer
from mlpipe_assets_tests.schema_registry import avro_bytes, schema_registry

pytestmark = pytest.mark.slow
_KILLS = 9  # every third of them of the server


@pytest.fixture
def stream(nats: NatsServer, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new stream; SHOP_NATS says where it is."""
    monkeypatch.setenv("SHOP_NATS", nats.options)
    name = f"orders{abs(hash(request.node.name)) % 10**9}"
    nats.make(name)
    return name


def source(stream: str, **more: Any) -> Source:
    return replace(orders, feed=NatsStream(servers="SHOP_NATS", stream=stream, **more))


def problem(lake: Lake, name: str) -> str:
    found, [told] = intake_of(lake, source(name)).look({})
    assert found == []
    assert PASSWORD not in f"{told}"
    return told.reason


def test_messages_are_one_delivery_that_is_taken_once_and_none_is_acknowledged(
    nats: NatsServer, stream: str, lake: Lake
) -> None:
    assert new_files(lake, source(stream)) == []
    nats.send(f"{stream}.web", [order("o1"), order("o2")])
    [waiting] = new_files(lake, source(stream))

    taken = take(lake, source(stream))

    assert (waiting.name, waiting.mark["partitions"]) == ("1-2", {"0": [1, 3]})
    assert [delivery.events for delivery in taken.new] == [{JAN_5: 2}]
    assert ids(lake) == ["o1", "o2"]
    assert new_files(lake, source(stream)) == []
    nats.send(f"{stream}.app", [order("o3")])
    assert [delivery.source_file for delivery in take(lake, source(stream)).new] == ["3-3"]
    assert ids(lake) == ["o1", "o2", "o3"]
    assert nats.ask(lambda js: js.stream_info(stream)).state.messages == 3


def test_a_run_of_dagster_builds_what_they_are(nats: NatsServer, stream: str, lake: Lake) -> None:
    nats.send(f"{stream}.web", [order("o1")])

    materialize(lake, JAN_5, source=source(stream))

    assert order_ids(lake, JAN_5) == ["o1"]


def test_a_subject_and_a_time_can_be_columns_and_other_subjects_stay(nats: NatsServer, stream: str, lake: Lake) -> None:
    nats.send(f"{stream}.web", [order("o1")])
    nats.send(f"{stream}.app", [order("o2")])
    nats.send(f"{stream}.web", [order("o3")])
    nats.send(f"{stream}.app", [order("o4")])
    only = source(stream, subject=f"{stream}.web", subject_as="channel", timestamp="sent_at")

    take(lake, only)

    assert ids(lake) == ["o1", "o3"]
    payload = json.loads(events(lake)["payload"][0])
    assert payload["channel"] == "web"  # what the message says itself wins
    assert payload["sent_at"].startswith("20")
    assert new_files(lake, only) == []
    nats.send(f"{stream}.web", [json.dumps({k: v for k, v in json.loads(order("o5")).items() if k != "channel"})])
    take(lake, only)
    assert json.loads(events(lake)["payload"][2])["channel"] == f"{stream}.web"


def test_what_is_no_row_is_refused_alone_with_its_reason(nats: NatsServer, stream: str, lake: Lake) -> None:
    nats.send(f"{stream}.web", [order("o1"), "{broken", b"\xff\xfe", "[1]", "", order("o2")])

    take(lake, replace(source(stream), tolerance=Tolerance(share=1.0)))

    assert ids(lake) == ["o1", "o2"]
    assert quarantined(lake)["record_number"].to_list() == [2, 3, 4, 5]


def test_avro_is_read_by_its_registry_and_by_a_schema(
    nats: NatsServer, stream: str, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = [{"name": name, "type": "string"} for name in json.loads(order("o1")) if name != "quantity"]
    schema = {"type": "record", "name": "Order", "fields": [*fields, {"name": "quantity", "type": "int"}]}
    with schema_registry() as registry:
        registry.add(3, schema)
        monkeypatch.setenv("SHOP_REGISTRY", registry.address)
        nats.send(f"{stream}.web", [avro_bytes(schema, json.loads(order("o1")), 3), b"x"])
        of_avro = replace(source(stream, schema_registry="SHOP_REGISTRY"), tolerance=Tolerance(share=1.0))

        take(lake, of_avro)

    build(lake, [JAN_5], of_avro)
    assert order_ids(lake, JAN_5) == ["o1"]
    assert "Confluent's wire format" in quarantined(lake)["reasons"][0]
    with pytest.raises(SettingsError, match="is no schema of Avro"):
        intake_of(lake, source(stream, avro_schema="{"))
    with pytest.raises(SettingsError, match="leave avro_schema away"):
        Catalog(sources=(source(stream, avro_schema=json.dumps(schema), schema_registry="SHOP_REGISTRY"),))


def test_a_backlog_is_taken_in_parts(
    nats: NatsServer, stream: str, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "MOST", 700)
    nats.send(f"{stream}.web", [order(f"o{number}") for number in range(1500)])

    taken = take(lake, source(stream))

    assert [delivery.source_file for delivery in taken.new] == ["1-700", "701-1400", "1401-1500"]
    assert len({*ids(lake)}) == 1500


def test_messages_that_expired_or_were_deleted_before_they_were_taken_are_counted(
    nats: NatsServer, stream: str, lake: Lake
) -> None:
    nats.send(f"{stream}.web", [order("o1")])
    take(lake, source(stream))
    nats.send(f"{stream}.web", [order(f"o{number}") for number in range(2, 7)])
    nats.ask(lambda js: js.purge_stream(stream, seq=4))
    nats.ask(lambda js: js.delete_msg(stream, 5))

    taken = take(lake, source(stream))

    assert ids(lake) == ["o1", "o4", "o6"]
    assert "3 messages of 2-6 had expired, or were deleted, at the server before they were taken" in f"{taken}"
    nats.ask(lambda js: js.purge_stream(stream))
    assert new_files(lake, source(stream)) == []
    nats.send(f"{stream}.web", [order("o7")])
    nats.ask(lambda js: js.purge_stream(stream))
    assert "1 message of 7-7 had expired" in f"{take(lake, source(stream))}"
    assert new_files(lake, source(stream)) == []


def test_a_stream_that_was_made_anew_is_not_taken_for_the_old_one(nats: NatsServer, stream: str, lake: Lake) -> None:
    nats.send(f"{stream}.web", [order("o1")])
    take(lake, source(stream))
    nats.ask(lambda js: js.delete_stream(stream))
    nats.make(stream)
    nats.send(f"{stream}.web", [order("o2"), order("o3")])

    taken = take(lake, source(stream))

    assert taken.new == []
    [told] = taken.problems
    assert "it was deleted and made anew" in told.reason


def test_a_stream_that_forgets_what_was_taken_is_refused(nats: NatsServer, stream: str, lake: Lake) -> None:
    nats.ask(
        lambda js: js.add_stream(StreamConfig(name="work", subjects=["work.>"], retention=RetentionPolicy.WORK_QUEUE))
    )

    assert problem(lake, "work").startswith(
        "it keeps messages only until somebody has taken them (retention workqueue)"
    )


def test_what_cannot_be_taken_is_named_without_credentials(
    nats: NatsServer, stream: str, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_stream, "_SETTLING", 0.3)
    monkeypatch.setattr(nats_stream, "_SECONDS", 1)

    def options(**more: object) -> None:
        monkeypatch.setenv("SHOP_NATS", json.dumps(json.loads(nats.options) | more))

    assert problem(lake, "none") == "there is no such stream, or it is hidden from us"
    options(password=f"{PASSWORD}2")
    assert problem(lake, stream) == "the server refuses this user"
    options(user="nobody", password="x")
    assert problem(lake, stream) == "we may not read it"
    options(servers="nats://127.0.0.1:1")
    assert problem(lake, stream) == "the servers do not answer; it is tried again"
    options(nonsense=PASSWORD)
    assert problem(lake, stream).startswith(
        "SHOP_NATS holds 1 thing that is no option; there are servers, user, password"
    )
    options(tls_ca="/nowhere/ca.pem")
    assert problem(lake, stream) == "a certificate that SHOP_NATS names cannot be read"
    monkeypatch.setenv("SHOP_NATS", '{"password": "canary-of-nats"}')
    assert problem(lake, stream) == 'SHOP_NATS is no JSON object of options with "servers" among them'
    monkeypatch.setenv("SHOP_NATS", f"nats://keeper:{PASSWORD}@127.0.0.1:1")
    assert problem(lake, stream) == "the servers do not answer; it is tried again"
    monkeypatch.delenv("SHOP_NATS")
    assert problem(lake, stream).startswith("the variable SHOP_NATS is not set")


@pytest.mark.faults
def test_every_message_is_in_raw_once_though_puller_and_server_are_killed_again_and_again(
    nats: NatsServer, stream: str, tmp_path: Path
) -> None:
    random.seed(7)
    lake, sent = Lake(data_dir=f"{tmp_path / 'killed'}"), 0
    feed = source(stream).feed
    pulling = start_pull(lake, feed)
    kills = {"puller": 0, "server": 0}
    try:
        for round_ in range(_KILLS):
            for _ in range(3):
                nats.send(f"{stream}.web", [order(f"o{number}") for number in range(sent, sent + 30)])
                sent += 30
                time.sleep(random.uniform(0.0, 0.4))
            if round_ % 3 == 2:
                nats.kill()
                time.sleep(random.uniform(0.0, 0.5))
                nats.start()
                kills["server"] += 1
            else:
                pulling.send_signal(signal.SIGKILL)
                pulling.communicate()
                pulling = start_pull(lake, feed)
                kills["puller"] += 1
        ends = time.monotonic() + 60
        while new_files(lake, source(stream)):
            assert time.monotonic() < ends, "what is left is not taken"
            time.sleep(0.2)
        pulling.terminate()
        pulling.communicate(timeout=30)
    finally:
        pulling.kill()
        pulling.communicate()

    assert (pulling.returncode, sum(kills.values())) == (0, _KILLS)
    assert take(lake, source(stream)).problems == []
    assert ids(lake) == sorted(f"o{number}" for number in range(sent))
    assert sum(sum(d.events.values()) for d in Ledger.load(lake, "orders").deliveries.values()) == sent
