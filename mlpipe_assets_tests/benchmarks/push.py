"""Rows that are pushed to a server over a shop's lake: how long until they are answered for, and until the answers follow them."""

import http.client
import json
import os
import random
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mlpipe_assets_tests.benchmarks.child import ROOT, ChildError, python
from mlpipe_assets_tests.benchmarks.report import Line, Measured
from mlpipe_assets_tests.benchmarks.workload import Workload, write_workload

_SIZES = ((1, 100), (10, 50), (500, 10))  # rows of a request, and requests
_MOST_SECONDS, _FEW = 1.0, 10
_WAIT = 60.0
_MIDNIGHT = "T00:00:00Z"


def measure_push(folder: Path, workload: Workload) -> Measured:
    """Rows for customers of whom none was pushed before, a request at a time.

    Raises: ChildError when the lake cannot be built, or the server does not come up.
    """
    today = datetime.now(tz=UTC).date()
    sized = replace(workload, first=today - timedelta(days=workload.days), more_days=0)
    if not folder.exists():
        write_workload(folder, sized)
    environment = {"MLPIPE_DATA_DIR": f"{folder}", "MLPIPE_START_DATE": f"{sized.first}", "MLPIPE_ONLINE_URL": ""}
    python("-m", __spec__.name, environment=environment)
    numbers: dict[str, Any] = {}
    lines: list[Line] = []
    with serving(folder, environment) as (connection, process):
        customers = iter(random.Random(7).sample(range(1, sized.customers + 1), sized.customers))
        _push(connection, [next(customers)])  # the first one has the tables of the day read
        for rows, requests in _SIZES:
            before = processor_of(process)
            found = [_push(connection, [next(customers) for _ in range(rows)]) for _ in range(requests)]
            cpu = (processor_of(process) - before) / requests
            answered, seen = ([one[place] for one in found] for place in (0, 1))
            numbers[f"{rows}"] = {"answered": answered, "seen": seen, "cpu": cpu}
            last = _percentile(seen, 0.99)
            what = f"{rows} row{'s'[: rows - 1]} pushed until the answers follow, p50 and p99"
            lines.append(
                Line(
                    name=f"{what}; {sized.orders:,} orders, {sized.customers:,} customers",
                    ours=f"{_percentile(seen, 0.5):.2f} and {last:.2f} s",
                    yardstick=f"on the disk after {_percentile(answered, 0.5) * 1e3:.0f} ms; {cpu:.2f} s of processor",
                    target=f"≤ {_MOST_SECONDS:g} s" if rows <= _FEW else "",
                    met=last <= _MOST_SECONDS if rows <= _FEW else None,
                )
            )
    return Measured(lines=tuple(lines), numbers={"push": numbers})


def _push(connection: http.client.HTTPConnection, customers: Sequence[int]) -> tuple[float, float]:
    """Seconds until rows of some customers are answered for, and from then until all answers follow them."""
    now = f"{datetime.now(tz=UTC):%Y-%m-%dT%H:%M:%SZ}"
    own = {"order_ts": now, "amount": 12.5, "quantity": 1, "product_id": "P00001", "channel": "web", "region": "north"}
    rows = [{"order_id": uuid.uuid4().hex, "customer_id": f"{one}", **own} for one in customers]
    began = time.perf_counter()
    ask(connection, "/push/orders", {"rows": rows})
    answered = time.perf_counter()
    asked = {"features": ["customer_features:orders_7d"], "entities": {"customer_id": [f"{one}" for one in customers]}}
    while any(
        at.endswith(_MIDNIGHT)
        for at in ask(connection, "/get-online-features", asked)["results"][1]["event_timestamps"]
    ):
        if time.perf_counter() - answered > _WAIT:
            raise ChildError(f"the answers do not follow {len(rows):,} rows after {_WAIT:g} s")
        time.sleep(0.005)
    return answered - began, time.perf_counter() - answered


def ask(connection: http.client.HTTPConnection, path: str, body: object) -> Any:
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != http.client.OK:
        raise ChildError(f"{path} answered {answer.status}: {content[:300]!r}")
    return json.loads(content)


@contextmanager
def serving(
    folder: Path, environment: dict[str, str]
) -> Iterator[tuple[http.client.HTTPConnection, "subprocess.Popen[bytes]"]]:
    """A server of the lake, and a connection to it."""
    from mlpipe_assets_tests.servers import free_port

    port = free_port()
    command = [sys.executable, "-m", "mlpipe_assets.cli", "serve", "--port", f"{port}", "--timeout", "30", "-q"]
    log = (folder / "serve.log").open("wb")
    with log, subprocess.Popen(command, env={**os.environ, **environment}, cwd=ROOT, stderr=log) as process:
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=_WAIT)) as connection:
                _wait(connection, process)
                yield connection, process
        finally:
            process.terminate()


def _wait(connection: http.client.HTTPConnection, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + _WAIT
    while time.monotonic() < until and process.poll() is None:
        try:
            connection.request("GET", "/health")
            connection.getresponse().read()
        except OSError:
            connection.close()
            time.sleep(0.1)
        else:
            return
    raise ChildError("mlpipe serve does not come up")


def processor_of(process: "subprocess.Popen[bytes]") -> float:
    """Seconds of processor a server has taken."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return statistics.median(ordered) if share == 0.5 else ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _build() -> None:
    """Interim of all days, features of the newest ones, and the snapshot."""
    from mlpipe_assets.commands.console import open_lake
    from mlpipe_assets.engines.registry import open_engine
    from mlpipe_assets.intake.deliveries import Ledger
    from mlpipe_assets.serving.snapshots.selection import plan_snapshot
    from mlpipe_assets.stages.features.asset import build_features
    from mlpipe_assets.stages.interim.asset import build_interim
    from mlpipe_assets.stages.online.asset import publish_features
    from mlpipe_assets.stages.raw.taking import ingest

    lake, catalog = open_lake(writing=True)
    engine, now = open_engine(), datetime.now(tz=UTC)
    for name in catalog.view("customer_features").inputs:
        source = catalog.source(name)
        ledger = Ledger.load(lake, name)
        ingest(lake, source, ledger)
        build_interim(lake, engine, source, ledger.days_in_partitions())
    days = [now.date() - timedelta(days=n) for n in (2, 1)]
    build_features(lake, engine, catalog, catalog.view("customer_features"), days)
    views = [catalog.view("customer_features")]
    publish_features(lake, catalog, plan_snapshot(lake, catalog, now, views))


if __name__ == "__main__":
    _build()
