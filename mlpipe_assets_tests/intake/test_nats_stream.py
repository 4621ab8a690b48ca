"""Streams of a real NATS server as sources: each message once, whoever is killed when."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
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
from mlpipe_assets.settings import PROJECT_ROOT
from mlpipe_assets.stages.raw.plan import new_files
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import JAN_5, build, events, materialize, order_ids, quarantined, take
from mlpipe_assets_tests.nats_server import PASSWORD, NatsServer
from mlpipe_assets_tests.schema_registry import avro_bytes, schema_registry

pytestmark = pytest.mark.slow

_PULL = """
import sys
from dataclasses import replace
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.feeds import NatsStream
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.cli import main
from mlpipe_assets.intake import ranges
ranges.MOST = 40
CATALOG = Catalog(sources=(replace(orders, feed=NatsStream(servers="SHOP_NATS", stream=sys.argv[1])),))
sys.exit(main(["pull", "--every", "0.05"]))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    made = NatsServer(folder=tmp_path_factory.mktemp("nats"))
    made.start()
    yield made
    made.kill()


@pytest.fixture
def stream(server: NatsServer, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new stream; SHOP_NATS says where it is."""
    monkeypatch.setenv("SHOP_NATS", server.options)
    name = f"orders{abs(hash(request.node.name)) % 10**9}"
    server.make(name)
    return name


def source(stream: str, **more: Any) -> Source:
    return replace(orders, feed=NatsStream(servers="SHOP_NATS", stream=stream, **more))


def order(order_id: str, **other: object) -> str:
    row = {
        "order_id": order_id,
        "customer_id": "c1",
        "order_ts": "2026-01-05T08:00:00Z",
        "amount": "1.00",
        "quantity": 1,
    }
    return json.dumps(row | {"product_id": "P00001", "channel": "web", "region": "north"} | other)


def ids(lake: Lake) -> Sequence[str]:
    return sorted(json.loads(payload)["order_id"] for payload in events(lake)["payload"])


def problem(lake: Lake, name: str) -> str:
    found, [told] = intake_of(lake, source(name)).look({})
    assert found == []
    assert PASSWORD not in f"{told}"
    return told.reason


def test_messages_are_one_delivery_that_is_taken_once_and_none_is_acknowledged(
    server: NatsServer, stream: str, lake: Lake
) -> None:
    assert new_files(lake, source(stream)) == []
    server.send(f"{stream}.web", [order("o1"), order("o2")])
    [waiting] = new_files(lake, source(stream))

    taken = take(lake, source(stream))

    assert (waiting.name, waiting.mark["partitions"]) == ("1-2", {"0": [1, 3]})
    assert [delivery.events for delivery in taken.new] == [{JAN_5: 2}]
    assert ids(lake) == ["o1", "o2"]
    assert new_files(lake, source(stream)) == []
    server.send(f"{stream}.app", [order("o3")])
    assert [delivery.source_file for delivery in take(lake, source(stream)).new] == ["3-3"]
    assert ids(lake) == ["o1", "o2", "o3"]
    assert server.ask(lambda js: js.stream_info(stream)).state.messages == 3


def test_a_run_of_dagster_builds_what_they_are(server: NatsServer, stream: str, lake: Lake) -> None:
    server.send(f"{stream}.web", [order("o1")])

    materialize(lake, JAN_5, source=source(stream))

    assert order_ids(lake, JAN_5) == ["o1"]


def test_a_subject_and_a_time_can_be_columns_and_other_subjects_stay(
    server: NatsServer, stream: str, lake: Lake
) -> None:
    server.send(f"{stream}.web", [order("o1")])
    server.send(f"{stream}.app", [order("o2")])
    server.send(f"{stream}.web", [order("o3")])
    server.send(f"{stream}.app", [order("o4")])
    only = source(stream, subject=f"{stream}.web", subject_as="channel", timestamp="sent_at")

    take(lake, only)

    assert ids(lake) == ["o1", "o3"]
    payload = json.loads(events(lake)["payload"][0])
    assert payload["channel"] == "web"  # what the message says itself wins
    assert payload["sent_at"].startswith("20")
    assert new_files(lake, only) == []
    server.send(f"{stream}.web", [json.dumps({k: v for k, v in json.loads(order("o5")).items() if k != "channel"})])
    take(lake, only)
    assert json.loads(events(lake)["payload"][2])["channel"] == f"{stream}.web"


def test_what_is_no_row_is_refused_alone_with_its_reason(server: NatsServer, stream: str, lake: Lake) -> None:
    server.send(f"{stream}.web", [order("o1"), "{broken", b"\xff\xfe", "[1]", "", order("o2")])

    take(lake, replace(source(stream), tolerance=Tolerance(share=1.0)))

    assert ids(lake) == ["o1", "o2"]
    assert quarantined(lake)["record_number"].to_list() == [2, 3, 4, 5]


def test_avro_is_read_by_its_registry_and_by_a_schema(
    server: NatsServer, stream: str, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = [{"name": name, "type": "string"} for name in json.loads(order("o1")) if name != "quantity"]
    schema = {"type": "record", "name": "Order", "fields": [*fields, {"name": "quantity", "type": "int"}]}
    with schema_registry() as registry:
        registry.add(3, schema)
        monkeypatch.setenv("SHOP_REGISTRY", registry.address)
        server.send(f"{stream}.web", [avro_bytes(schema, json.loads(order("o1")), 3), b"x"])
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
    server: NatsServer, stream: str, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "MOST", 700)
    server.send(f"{stream}.web", [order(f"o{number}") for number in range(1500)])

    taken = take(lake, source(stream))

    assert [delivery.source_file for delivery in taken.new] == ["1-700", "701-1400", "1401-1500"]
    assert len({*ids(lake)}) == 1500


def test_messages_that_expired_or_were_deleted_before_they_were_taken_are_counted(
    server: NatsServer, stream: str, lake: Lake
) -> None:
    server.send(f"{stream}.web", [order("o1")])
    take(lake, source(stream))
    server.send(f"{stream}.web", [order(f"o{number}") for number in range(2, 7)])
    server.ask(lambda js: js.purge_stream(stream, seq=4))
    server.ask(lambda js: js.delete_msg(stream, 5))

    taken = take(lake, source(stream))

    assert ids(lake) == ["o1", "o4", "o6"]
    assert "3 messages of 2-6 had expired, or were deleted, at the server before they were taken" in f"{taken}"
    server.ask(lambda js: js.purge_stream(stream))
    assert new_files(lake, source(stream)) == []
    server.send(f"{stream}.web", [order("o7")])
    server.ask(lambda js: js.purge_stream(stream))
    assert "1 message of 7-7 had expired" in f"{take(lake, source(stream))}"
    assert new_files(lake, source(stream)) == []


def test_a_stream_that_was_made_anew_is_not_taken_for_the_old_one(server: NatsServer, stream: str, lake: Lake) -> None:
    server.send(f"{stream}.web", [order("o1")])
    take(lake, source(stream))
    server.ask(lambda js: js.delete_stream(stream))
    server.make(stream)
    server.send(f"{stream}.web", [order("o2"), order("o3")])

    taken = take(lake, source(stream))

    assert taken.new == []
    [told] = taken.problems
    assert "it was deleted and made anew" in told.reason


def test_a_stream_that_forgets_what_was_taken_is_refused(server: NatsServer, stream: str, lake: Lake) -> None:
    server.ask(
        lambda js: js.add_stream(StreamConfig(name="work", subjects=["work.>"], retention=RetentionPolicy.WORK_QUEUE))
    )

    assert problem(lake, "work").startswith(
        "it keeps messages only until somebody has taken them (retention workqueue)"
    )


def test_what_cannot_be_taken_is_named_without_credentials(
    server: NatsServer, stream: str, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_stream, "_SETTLING", 0.3)
    monkeypatch.setattr(nats_stream, "_SECONDS", 1)

    def options(**more: object) -> None:
        monkeypatch.setenv("SHOP_NATS", json.dumps(json.loads(server.options) | more))

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
def test_every_message_is_in_raw_once_though_puller_and_server_are_killed_twenty_times(
    server: NatsServer, stream: str, tmp_path: Path
) -> None:
    random.seed(7)
    lake, sent = Lake(data_dir=f"{tmp_path / 'killed'}"), 0
    (lake.root / "raw").mkdir(parents=True)
    environ = {**os.environ, "MLPIPE_DATA_DIR": lake.data_dir, "MLPIPE_CATALOG": "__main__:CATALOG"}

    def puller() -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-u", "-c", _PULL, stream]
        begun = subprocess.Popen(command, cwd=PROJECT_ROOT, env=environ, stdout=subprocess.PIPE)
        assert begun.stdout is not None
        assert b"Taking orders" in begun.stdout.readline()
        return begun

    pulling = puller()
    kills = {"puller": 0, "server": 0}
    try:
        for round_ in range(20):
            for _ in range(3):
                server.send(f"{stream}.web", [order(f"o{number}") for number in range(sent, sent + 30)])
                sent += 30
                time.sleep(random.uniform(0.0, 0.4))
            if round_ % 3 == 2:
                server.kill()
                time.sleep(random.uniform(0.0, 0.5))
                server.start()
                kills["server"] += 1
            else:
                pulling.send_signal(signal.SIGKILL)
                pulling.communicate()
                pulling = puller()
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

    assert (pulling.returncode, sum(kills.values())) == (0, 20)
    assert take(lake, source(stream)).problems == []
    assert ids(lake) == sorted(f"o{number}" for number in range(sent))
    assert sum(sum(d.events.values()) for d in Ledger.load(lake, "orders").deliveries.values()) == sent
