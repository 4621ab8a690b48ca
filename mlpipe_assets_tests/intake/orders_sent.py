"""Orders as messages, and a process that takes them: what tests of topics and of streams share."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mlpipe_assets.catalog.feeds import Feed
from mlpipe_assets.settings import PROJECT_ROOT
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import events

_PULL = """
import sys
from dataclasses import replace
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.feeds import KafkaTopic, NatsStream
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.cli import main
from mlpipe_assets.intake import ranges
ranges.MOST = 40
CATALOG = Catalog(sources=(replace(orders, feed=eval(sys.argv[1])),))
sys.exit(main(["pull", "--every", "0.05"]))
"""


def order(order_id: str, **other: object) -> str:
    """A message."""
    row = {
        "order_id": order_id,
        "customer_id": "c1",
        "order_ts": "2026-01-05T08:00:00Z",
        "amount": "1.00",
        "quantity": 1,
    }
    return json.dumps(row | {"product_id": "P00001", "channel": "web", "region": "north"} | other)


def ids(lake: Lake) -> Sequence[str]:
    """The orders in raw."""
    return sorted(json.loads(payload)["order_id"] for payload in events(lake)["payload"])


def start_pull(lake: Lake, feed: Feed) -> "subprocess.Popen[bytes]":
    """`mlpipe pull` of a feed, which has begun and goes on until it is stopped; parts are small."""
    environment = {**os.environ, "MLPIPE_DATA_DIR": lake.data_dir, "MLPIPE_CATALOG": "__main__:CATALOG"}
    Path(lake.data_dir, "raw").mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-u", "-c", _PULL, f"{feed!r}"]
    begun = subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, stdout=subprocess.PIPE)
    assert begun.stdout is not None
    assert b"Taking orders" in begun.stdout.readline()
    return begun
