"""Rows pushed to servers that run as processes: seen soon, by every server, and never lost or doubled, whoever is killed."""

import http.client
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.catalog.feature_views import customer_features
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.serving.snapshots.selection import plan_snapshot
from mlpipe_assets.serving.snapshots.sqlite_store import SqliteStore
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.stages.raw.taking import ingest
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.planted import bring_in, drop_customers, drop_orders
from mlpipe_assets_tests.serving.http.test_real_server import Running, running

pytestmark = pytest.mark.long

TODAY = datetime.now(tz=UTC).date()
DEADLINE = 10.0  # seconds; a second on a quiet machine
FEATURES = ["customer_features:orders_7d", "customer_features:revenue_7d"]


@pytest.fixture
def shop(tmp_path: Path) -> Lake:
    """A shop that is published up to yesterday: ann ordered once on each of the last three days."""
    lake = Lake(data_dir=f"{tmp_path}")
    days = [TODAY - timedelta(days=n) for n in (3, 2, 1)]
    drop_orders(lake, f"orders_{days[-1]}.csv", [(f"a{day}", "ann", day, "10.00", "web") for day in days])
    drop_customers(lake, f"customers_{days[0]}.csv", [("ann", 30, "north", days[0])])
    bring_in(lake, CATALOG)
    build_features(lake, DuckDBEngine(), CATALOG, customer_features, [days[-1]])
    SqliteStore(lake=lake).publish(plan_snapshot(lake, CATALOG, datetime.now(tz=UTC)).read())
    return lake


def order(name: str, who: str = "ann") -> dict[str, Any]:
    own = {"order_id": name, "customer_id": who, "order_ts": f"{TODAY}T00:00:00Z", "amount": 2.5, "quantity": 1}
    return {**own, "product_id": "P00001", "channel": "web", "region": "north"}


def ask(server: Running, path: str, body: object, key: str = "") -> tuple[int, dict[str, Any]]:
    """Status and answer of one request on a connection of its own."""
    with server.connect() as connection:
        headers = {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})}
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def online(server: Running, who: str = "ann") -> list[Any]:
    """Orders and revenue of somebody."""
    _, answer = ask(server, "/get-online-features", {"features": FEATURES, "entities": {"customer_id": [who]}})
    return [column["values"][0] for column in answer["results"][1:]]


def expect_soon(server: Running, wanted: list[Any], who: str = "ann") -> float:
    """Ask until the answer is what it should be; how long that took."""
    began = time.monotonic()
    while (found := online(server, who)) != wanted:
        assert time.monotonic() - began < DEADLINE, (found, wanted, server.log.read_text()[-2000:])
        time.sleep(0.01)
    return time.monotonic() - began


def orders_in_raw(lake: Lake) -> list[str]:
    """The order of every event in raw, once what servers left is ingested."""
    source = CATALOG.source("orders")
    assert ingest(lake, source, Ledger.load(lake, source.name)).problems == []
    paths = sorted(lake.root.glob("raw/_events/orders/*/*.parquet"))
    rows = [json.loads(one) for path in paths for one in pl.read_parquet(path, hive_partitioning=False)["payload"]]
    return sorted(row["order_id"] for row in rows)


def test_what_is_pushed_to_one_server_is_answered_by_all_and_the_build_says_the_same(shop: Lake) -> None:
    with running(shop) as server, running(shop) as other:
        assert online(server) == online(other) == [3, 30.0]
        status, told = ask(server, "/push/orders", {"rows": [order("n1"), order("n2", "eve")]})
        assert (status, told["rows"], told["late"]) == (200, 2, 0)

        for one in (server, other):
            expect_soon(one, [4, 32.5])
            expect_soon(one, [1, 2.5], "eve")
        ask(other, "/push/orders", {"rows": [order("n3")]})
        for one in (server, other):
            expect_soon(one, [5, 35.0])
        for one in (server, other):
            one.process.terminate()
            assert one.process.wait(timeout=20) == 0, one.log.read_text()

    bring_in(shop, CATALOG)
    build_features(shop, DuckDBEngine(), CATALOG, customer_features, [TODAY])
    built = shop.read("features", "customer_features", TODAY, ["customer_id", "orders_7d", "revenue_7d"])
    assert built.sort("customer_id").rows() == [("ann", 5, 35.0), ("eve", 1, 2.5)]


def test_a_server_that_is_killed_loses_no_row_it_answered_for_and_none_comes_twice(shop: Lake) -> None:
    before = orders_in_raw(shop)
    answered: list[str] = []
    with running(shop) as server:
        for number in range(40):
            try:
                status, _ = ask(server, "/push/orders", {"rows": [order(f"n{number}")]}, key=f"k{number}")
            except (OSError, http.client.HTTPException):
                break
            assert status == 200
            answered.append(f"n{number}")
            if number == 25:
                server.process.kill()
        server.process.wait(timeout=20)

    assert len(answered) == 26
    with running(shop) as again:
        expect_soon(again, [29, 95.0])  # what the dead one took is answered by the next
        for number in range(28):
            assert ask(again, "/push/orders", {"rows": [order(f"n{number}")]}, key=f"k{number}")[0] == 200
        expect_soon(again, [31, 100.0])
        again.process.terminate()
        assert again.process.wait(timeout=20) == 0
    assert list(shop.root.glob("raw/orders/.spool-*")) == []
    assert orders_in_raw(shop) == sorted([*before, *(f"n{number}" for number in range(28))])
