"""How long until a message of Kafka is in the answers of a server: `python -m mlpipe_assets_tests.benchmarks.follow`.

A shop of 100,000 orders of 10,000 customers in 30 days, all of them messages, published up to yesterday. Then 50 orders of today,
one after the other, each of a customer of its own: seconds from before it is sent until the answer over HTTP follows it, while
`mlpipe pull --every 5` takes the same messages into raw. In the end raw has each of them once, and the day is built with
what was answered. It needs Java and Maven, as the broker does.
"""

import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
from confluent_kafka import Producer

from mlpipe_assets.catalog.feature_views import customer_features
from mlpipe_assets.engines.registry import open_engine
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.serving.snapshots.selection import plan_snapshot
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.stages.interim.asset import build_interim
from mlpipe_assets.stages.online.asset import publish_features
from mlpipe_assets.stages.raw.taking import ingest
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.benchmarks.push import ask, processor_of, serving
from mlpipe_assets_tests.kafka_broker import kafka_broker
from mlpipe_assets_tests.planted import drop_customers
from mlpipe_assets_tests.serving.kafka_shop import CATALOG, TOPIC, environment_of, message, pulling

_ORDERS, _CUSTOMERS, _DAYS, _EVENTS = 100_000, 10_000, 30, 50
_FEATURE = "customer_features:orders_7d"
_WAIT = 60.0
TODAY = datetime.now(tz=UTC).date()


def history() -> Iterator[str]:
    """The orders of the days that are over."""
    drawn = random.Random(7)
    for number in range(_ORDERS):
        day = TODAY - timedelta(days=1 + number * _DAYS // _ORDERS)
        yield message(f"o{number}", f"c{drawn.randrange(_CUSTOMERS)}", day, f"{drawn.randrange(24):02}:00:00")


def build(lake: Lake) -> None:
    """Take what there is, and build the newest two days of the view, of those that are over."""
    for name in customer_features.inputs:
        source, ledger = CATALOG.source(name), Ledger.load(lake, name)
        assert ingest(lake, source, ledger).problems == []
        build_interim(lake, open_engine(), source, ledger.days_in_partitions())


def main() -> None:
    """Say the seconds of each message, and how often raw has it."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "kafka").mkdir()
        with kafka_broker(Path(folder) / "kafka") as broker:
            lake = Lake(data_dir=f"{folder}/shop")
            environment = environment_of(lake, broker.address)
            os.environ |= environment
            broker.make(TOPIC, partitions=4)
            broker.send(TOPIC, history())
            drop_customers(lake, "customers_2026-01-01.csv", [("c1", 30, "north", TODAY - timedelta(days=_DAYS))])
            build(lake)
            build_features(lake, open_engine(), CATALOG, customer_features, [TODAY - timedelta(days=1)])
            now = datetime.now(tz=UTC)
            publish_features(lake, CATALOG, plan_snapshot(lake, CATALOG, now, [customer_features]))
            with (
                serving(lake.root, environment) as (connection, process),
                pulling(environment, lake.root, 5),
            ):
                producer = Producer({"bootstrap.servers": broker.address, "linger.ms": 0})
                seen: list[float] = []
                begun, spent = time.perf_counter(), processor_of(process)
                for number in range(_EVENTS + 1):
                    who = f"new{number}"
                    asked = {"features": [_FEATURE], "entities": {"customer_id": [who]}}
                    sent = time.perf_counter()
                    producer.produce(TOPIC, value=message(f"n{number}", who, TODAY), partition=number % 4)
                    producer.flush()
                    while ask(connection, "/get-online-features", asked)["results"][1]["values"] != [1]:
                        assert time.perf_counter() - sent < _WAIT, "the answer does not follow"
                        time.sleep(0.005)
                    seen.append(time.perf_counter() - sent)
                cpu = (processor_of(process) - spent) / (time.perf_counter() - begun)
                begun, spent = time.perf_counter(), processor_of(process)
                time.sleep(10)
                idle = (processor_of(process) - spent) / (time.perf_counter() - begun)
            first, seen = seen[0], sorted(seen[1:])
            print(
                f"first {first:.2f} s; of {len(seen)}: median {statistics.median(seen):.2f} s, worst {seen[-1]:.2f} s"
            )
            print(f"processor of the server: {cpu:.2f} while they came and were asked for, {idle:.2f} with nothing new")
            build(lake)
            build_features(lake, open_engine(), CATALOG, customer_features, [TODAY])
            payloads = [
                json.loads(one)["order_id"]
                for path in sorted(lake.root.glob(f"raw/_events/orders/*{TODAY}*/*.parquet"))
                for one in pl.read_parquet(path, hive_partitioning=False)["payload"]
            ]
            built = lake.read("features", "customer_features", TODAY, ["customer_id", "orders_7d"])
            same = built.filter(pl.col("customer_id").str.starts_with("new"))["orders_7d"].to_list()
            print(
                f"raw has {len(payloads)} messages of today, {len(set(payloads))} different; built as answered: {same.count(1)}"
            )


if __name__ == "__main__":
    main()
