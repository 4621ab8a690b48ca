"""Messages of Kafka in the answers of servers that are killed, beside pulls that are killed: each counts once, in both."""

import os
import random
import signal
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest

from mlpipe_assets.catalog.feature_views import customer_features
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.serving.snapshots.selection import plan_snapshot
from mlpipe_assets.serving.snapshots.sqlite_store import SqliteStore
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.stages.raw.taking import ingest
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.intake.orders_sent import ids
from mlpipe_assets_tests.planted import bring_in, drop_customers
from mlpipe_assets_tests.serving.http.test_real_server import Running, running
from mlpipe_assets_tests.serving.kafka_shop import CATALOG, TOPIC, environment_of, message, pulling
from mlpipe_assets_tests.serving.push.test_push_servers import expect_soon, online

if TYPE_CHECKING:
    from mlpipe_assets_tests.kafka_broker import Broker

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.faults]

TODAY = datetime.now(tz=UTC).date()


@pytest.fixture
def shop(broker: "Broker", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A shop that is published up to yesterday: ann ordered once on each of the last three days."""
    lake = Lake(data_dir=f"{tmp_path / 'shop'}")
    for name, value in environment_of(lake, broker.address).items():
        monkeypatch.setenv(name, value)
    days = [TODAY - timedelta(days=n) for n in (3, 2, 1)]
    broker.make(TOPIC, partitions=2)
    broker.send(TOPIC, [message(f"a{day}", "ann", day) for day in days])
    drop_customers(lake, f"customers_{days[0]}.csv", [("ann", 30, "north", days[0])])
    bring_in(lake, CATALOG)
    build_features(lake, DuckDBEngine(), CATALOG, customer_features, [days[-1]])
    SqliteStore(lake=lake).publish(plan_snapshot(lake, CATALOG, datetime.now(tz=UTC)).read())
    return lake


def test_every_message_counts_once_in_the_answers_and_in_raw_though_servers_and_pulls_are_killed(
    broker: "Broker", shop: Lake, tmp_path: Path
) -> None:
    drawn, before, done = random.Random(7), list(ids(shop)), Event()
    sent: list[str] = []

    def produce() -> None:
        while not done.wait(0.1):
            broker.send(TOPIC, [message(f"n{len(sent)}", "ann", TODAY)], partition=len(sent) % 2)
            sent.append(f"n{len(sent)}")

    producing = Thread(target=produce)
    producing.start()
    environment = environment_of(shop, broker.address)
    try:
        with ExitStack() as stack:
            for _ in range(3):
                server = stack.enter_context(running(shop))
                pull = stack.enter_context(pulling(environment, tmp_path, 0.2))
                time.sleep(drawn.uniform(0.5, 2.5))
                expect_no_more_than(server, sent)
                for pid, wait in drawn.sample([(server.process.pid, server.process.wait), (pull.pid, pull.wait)], 2):
                    os.kill(pid, signal.SIGKILL)
                    wait(timeout=20)
                    time.sleep(drawn.uniform(0.0, 0.5))
            server = stack.enter_context(running(shop))
            done.set()
            producing.join()
            wanted = [3 + len(sent), 7.5 + 2.5 * len(sent)]
            expect_soon(server, wanted)
            stack.enter_context(pulling(environment, tmp_path, 0.2))
            wait_until_taken(shop, [*before, *sent])
            time.sleep(1)  # the server sees that raw has them
            assert online(server) == wanted
    finally:
        done.set()
        producing.join()

    bring_in(shop, CATALOG)
    build_features(shop, DuckDBEngine(), CATALOG, customer_features, [TODAY])
    built = shop.read("features", "customer_features", TODAY, ["customer_id", "orders_7d", "revenue_7d"])
    assert built.rows() == [("ann", *wanted)]
    assert ids(shop) == sorted([*before, *sent])


def expect_no_more_than(server: Running, sent: list[str]) -> None:
    """No message is counted twice, at no moment."""
    found = online(server)
    assert found[0] <= 3 + len(sent) + 1  # one may be on its way into the list


def wait_until_taken(lake: Lake, wanted: list[str]) -> None:
    """Wait for the pulls."""
    until = time.monotonic() + 30
    while ids(lake) != sorted(wanted):
        assert time.monotonic() < until, "the pulls do not take what was sent"
        time.sleep(0.2)
    assert ingest(lake, CATALOG.source("orders"), Ledger.load(lake, "orders")).new == []
