"""Online answers: the server's CPU a request beside `feast serve` on the same machine in one run, publishing, and a read in process."""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import polars as pl
import psutil

from mlpipe_assets.serving.snapshots.addresses import open_store
from mlpipe_assets.serving.snapshots.snapshot import PublishedView, Snapshot, ViewRows
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.benchmarks.child import ROOT, ChildError
from mlpipe_assets_tests.benchmarks.report import Line, Measured
from mlpipe_assets_tests.servers import free_port, redis_server

VIEWS, FEATURES, ENTITIES, PUBLISHED = 10, 5, 5_000, 100_000
_SHAPES = {"1 entity x 1 view": (1, 1, 4.0), "100 entities x 10 views": (100, VIEWS, 10.0)}
_LUA = 'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\nwrk.body = [==[{body}]==]\n'
_CONNECTIONS = "8"


@dataclass(frozen=True, kw_only=True)
class Load:
    """What wrk and the kernel say of one load.

    Attributes:
        cpu_ms: CPU of the server a request.
        rate: Requests a second.
        p50: Latency as wrk spells it; the clients wait for one another, so it grows with the load.
    """

    cpu_ms: float
    rate: float
    p50: str
    p99: str


def measure_serving(folder: Path, feast: Path | None, seconds: int) -> Measured:
    """CPU a request on SQLite and Redis, of ours and, where its Python is given, of Feast.

    Raises: ChildError where wrk or redis-server is not there, or a server does not come up.
    """
    if not (shutil.which("wrk") and shutil.which("redis-server")):
        raise ChildError("the serving benchmark needs wrk and redis-server. Next: apt-get install wrk redis-server")
    folder.mkdir(parents=True, exist_ok=True)
    lines: list[Line] = []
    numbers: dict[str, object] = {}
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server(_made(folder / "redis")))
        for kind, address in (("SQLite", ""), ("Redis", redis)):
            ours = _loads_of_ours(_made(folder / f"ours-{kind}"), address, seconds)
            theirs = _loads_of_feast(feast, _made(folder / f"feast-{kind}"), address, seconds) if feast else {}
            numbers[kind] = {
                name: {"ours": vars(load), "feast": vars(theirs[name]) if name in theirs else None}
                for name, load in ours.items()
            }
            lines += [_line(kind, name, load, theirs.get(name)) for name, load in ours.items()]
    rate, read = _publish_and_read(_made(folder / "publish"))
    numbers |= {"published_per_second": rate, "read_p50_ms": read}
    lines.append(
        Line(
            name=f"publish {PUBLISHED:,} entities of {FEATURES} features (SQLite)",
            ours=f"{rate:,.0f}/s",
            target="≥ 100,000/s",
            met=rate >= 100_000,
        )
    )
    lines.append(
        Line(name="read one key in process (SQLite), p50", ours=f"{read:.4f} ms", target="≤ 0.05 ms", met=read <= 0.05)
    )
    return Measured(lines=tuple(lines), numbers={"serving": numbers})


def _line(kind: str, name: str, ours: Load, theirs: Load | None) -> Line:
    least = _SHAPES[name][2]
    shown = f"{ours.cpu_ms:.3f} ms ({ours.rate:,.0f}/s, p50 {ours.p50}, p99 {ours.p99})"
    title = f"server CPU a request, {name}, {kind} (yardstick: feast serve)"
    if theirs is None:
        return Line(name=title, ours=shown)
    ratio = theirs.cpu_ms / ours.cpu_ms
    return Line(
        name=title,
        ours=shown,
        yardstick=f"{theirs.cpu_ms:.3f} ms ({theirs.rate:,.0f}/s, p50 {theirs.p50}, p99 {theirs.p99})",
        ratio=f"1/{ratio:.1f}",
        target=f"≤ 1/{least:.0f} of yardstick",
        met=ratio >= least,
    )


def _views(entities: int, views: int) -> tuple[ViewRows, ...]:
    """Views of `f0` to `f4`, the same values as Feast is filled with."""
    as_of = datetime.now(tz=UTC).replace(microsecond=0) - timedelta(hours=1)
    names = tuple(f"f{n}" for n in range(FEATURES))
    frame = pl.DataFrame(
        {
            "customer_id": [f"c{n}" for n in range(entities)],
            "as_of": as_of,
            **{f"f{n}": np.arange(entities) * 0.5 + n for n in range(FEATURES)},
        }
    )
    return tuple(
        ViewRows(
            frame=frame,
            view=PublishedView(
                name=f"view{n}",
                join_keys=("customer_id",),
                key_types=("text",),
                features=names,
                as_of=as_of.isoformat(),
                version="v",
                rows=entities,
            ),
        )
        for n in range(views)
    )


def _body(entities: int, views: int) -> dict[str, object]:
    return {
        "features": [f"view{v}:f{n}" for v in range(views) for n in range(FEATURES)],
        "entities": {"customer_id": [f"c{n * 37 % ENTITIES}" for n in range(entities)]},
        "full_feature_names": True,
    }


def _loads_of_ours(folder: Path, address: str, seconds: int) -> dict[str, Load]:
    (folder / "raw").mkdir(exist_ok=True)
    open_store(Lake(data_dir=f"{folder}"), address).publish(Snapshot(inputs="0" * 8, views=_views(ENTITIES, VIEWS)))
    port = free_port()
    command = [sys.executable, "-m", "mlpipe_assets.cli", "serve", "--port", f"{port}"]
    environment = {"MLPIPE_DATA_DIR": f"{folder}", "MLPIPE_ONLINE_URL": address}
    with _running(command, ROOT, environment, port, folder / "log.txt") as process:
        return _loads(process, port, folder, seconds)


def _loads_of_feast(python: Path, folder: Path, address: str, seconds: int) -> dict[str, Load]:
    parts = urlsplit(address)
    store = f"{parts.hostname}:{parts.port},db=1,password={unquote(parts.password or '')}" if address else ""
    sizes = [f"{VIEWS}", f"{FEATURES}", f"{ENTITIES}"]
    script = Path(__file__).with_name("feast_repository.py")
    made = subprocess.run(
        [python, script, folder, store, *sizes], capture_output=True, text=True, check=False, env=_own(folder)
    )
    if made.returncode:
        raise ChildError(f"Feast's repository could not be made: {made.stderr[-1500:]}")
    port = free_port()
    command = [
        f"{python.with_name('feast')}",
        "serve",
        "--port",
        f"{port}",
        "--no-access-log",
        "--max-requests",
        "1000000000",
    ]
    with _running(command, folder, _own(folder), port, folder / "log.txt") as process:
        return _loads(process, port, folder, seconds)


def _own(folder: Path) -> dict[str, str]:
    """An environment in which Feast reports nothing to anybody."""
    return {**os.environ, "FEAST_USAGE": "False", "HOME": f"{folder}"}


def _loads(process: psutil.Process, port: int, folder: Path, seconds: int) -> dict[str, Load]:
    answers = {name: _ask(port, _body(entities, views)) for name, (entities, views, _) in _SHAPES.items()}
    for name, (entities, views, _) in _SHAPES.items():
        columns = answers[name]["results"]
        if (
            not isinstance(columns, Sequence)
            or len(columns) != 1 + views * FEATURES
            or len(columns[1]["values"]) != entities
        ):
            raise ChildError(f"the server on port {port} does not answer {name} as it should")
    return {
        name: _load(process, port, folder / "body.lua", _body(*shape[:2]), seconds) for name, shape in _SHAPES.items()
    }


def _load(process: psutil.Process, port: int, script: Path, body: Mapping[str, object], seconds: int) -> Load:
    script.write_text(_LUA.format(body=json.dumps(body)))
    command = [
        "wrk",
        "-t1",
        f"-c{_CONNECTIONS}",
        f"-d{seconds}s",
        "--latency",
        "-s",
        f"{script}",
        f"http://127.0.0.1:{port}/get-online-features",
    ]
    subprocess.run([*command[:3], "-d2s", *command[4:]], capture_output=True, check=True)  # warm
    before = _cpu(process)
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    used = _cpu(process) - before
    requests = re.search(r"(\d+) requests in", printed)
    if not requests or "Non-2xx" in printed:
        raise ChildError(f"wrk on port {port}: {printed[-800:]}")
    p50, p99 = (re.search(rf"^\s+{share}%\s+(\S+)$", printed, re.MULTILINE) for share in (50, 99))
    rate = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    return Load(
        cpu_ms=used / int(requests[1]) * 1e3,
        rate=float(rate[1]) if rate else 0.0,
        p50=p50[1] if p50 else "",
        p99=p99[1] if p99 else "",
    )


def _cpu(process: psutil.Process) -> float:
    """CPU seconds of a process and all it has started."""
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        times = one.cpu_times()
        total += times.user + times.system
    ended = process.cpu_times()
    return total + ended.children_user + ended.children_system


def _publish_and_read(folder: Path) -> tuple[float, float]:
    """Entities published a second, and the median of a read of one key in ms."""
    (folder / "raw").mkdir(exist_ok=True)
    store = open_store(Lake(data_dir=f"{folder}"), "")
    views = _views(PUBLISHED, 1)
    began = time.perf_counter()
    generation = store.publish(Snapshot(inputs="1" * 8, views=views))
    rate = PUBLISHED / (time.perf_counter() - began)
    reader = store.open(generation)
    reads = []
    for number in range(5_000):
        began = time.perf_counter()
        reader.read({"view0": [f"c{number * 7919 % PUBLISHED}"]})
        reads.append((time.perf_counter() - began) * 1e3)
    reader.close()
    return rate, statistics.median(reads)


@contextmanager
def _running(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], port: int, log: Path
) -> Iterator[psutil.Process]:
    """A server that answers."""
    with (
        log.open("w") as output,
        subprocess.Popen(
            command, cwd=folder, env={**os.environ, **environment}, stdout=output, stderr=output
        ) as process,
    ):
        try:
            for _ in range(600):
                if process.poll() is not None:
                    raise ChildError(f"{command[0]} ended: {log.read_text()[-1500:]}")
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            else:
                raise ChildError(f"{command[0]} does not answer: {log.read_text()[-1500:]}")
            yield psutil.Process(process.pid)
        finally:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.terminate()
            process.terminate()


def _ask(port: int, body: Mapping[str, object]) -> dict[str, object]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/get-online-features",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 (our own server)
        found: dict[str, object] = json.load(answer)
    return found


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
