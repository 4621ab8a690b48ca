"""The shop of the example whose orders are messages of a topic of Kafka, and what tests and measurements do with them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from mlpipe_assets.catalog.contents import CATALOG as EXAMPLE
from mlpipe_assets.catalog.feeds import KafkaTopic
from mlpipe_assets.settings import PROJECT_ROOT
from mlpipe_assets.store.lake import Lake

TOPIC = "shop.orders"
VARIABLE = "SHOP_KAFKA"
CATALOG = replace(
    EXAMPLE,
    sources=tuple(
        replace(source, feed=KafkaTopic(servers=VARIABLE, topic=TOPIC)) if source.name == "orders" else source
        for source in EXAMPLE.sources
    ),
)


def environment_of(lake: Lake, servers: str) -> dict[str, str]:
    """What a process needs that works on a lake of this shop."""
    own = {"MLPIPE_DATA_DIR": lake.data_dir, "MLPIPE_CATALOG": f"{__name__}:CATALOG", VARIABLE: servers}
    return {**os.environ, **own, "MLPIPE_ONLINE_URL": "", "MLPIPE_SETTLE_SECONDS": "0"}


def message(name: str, who: str, day: date, time: str = "00:00:00") -> str:
    """An order."""
    own: dict[str, Any] = {"order_id": name, "customer_id": who, "order_ts": f"{day}T{time}Z"}
    own |= {"amount": 2.5, "quantity": 1}
    return json.dumps({**own, "product_id": "P00001", "channel": "web", "region": "north"})


@contextmanager
def pulling(environment: dict[str, str], folder: Path, every: float) -> Iterator["subprocess.Popen[bytes]"]:
    """`mlpipe pull` of the orders, until it is left."""
    command = [sys.executable, "-m", "mlpipe_assets.cli", "pull", "orders", "--every", f"{every}"]
    with (
        (folder / "pull.log").open("ab") as log,
        subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
