"""mlpipe serve as a process: thousands of requests while snapshots are published, a graceful stop, and whatever OpenAPI allows."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import pytest
import uvicorn

from mlpipe_assets.cli import main
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.serving.http.gate import Limits
from mlpipe_assets.serving.push.pushes import Pushes
from mlpipe_assets.serving.snapshots.addresses import open_store
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.champions import crowned_lake
from mlpipe_assets_tests.planted import publish_online
from mlpipe_assets_tests.servers import free_port, postgres_server, redis_server
from mlpipe_assets_tests.serving.asking import Asked, serving
from mlpipe_assets_tests.serving.published import snapshot

pytestmark = pytest.mark.long

CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"),
    "negative_data_rejection",
)
REQUESTS, CLIENTS, ENTITIES = 10_000, 4, 500
ASKED = {
    "features": ["spend:orders", "visits:orders"],
    "entities": {"customer_id": [f"c{n}" for n in range(0, ENTITIES, 50)]},
    "full_feature_names": True,
}


@dataclass(frozen=True, kw_only=True)
class Running:
    """A server that runs as a process of its own."""

    port: int
    process: "subprocess.Popen[str]"
    log: Path

    def ask(self, connection: http.client.HTTPConnection, body: object = ASKED) -> tuple[int, dict[str, object]]:
        """Status and answer of one request."""
        connection.request("POST", "/get-online-features", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    @contextmanager
    def connect(self) -> Iterator[http.client.HTTPConnection]:
        """A connection to it."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            yield connection


@contextmanager
def running(lake: Lake, address: str = "", *options: str) -> Iterator[Running]:
    """A server of a lake, which answers."""
    port = free_port()
    env = {**os.environ, "MLPIPE_DATA_DIR": f"{lake.root}", "MLPIPE_ONLINE_URL": address}
    log = lake.root / "serve.log"
    command = [sys.executable, "-m", "mlpipe_assets.cli", "serve", "--port", f"{port}", *options]
    with (
        log.open("w") as output,
        subprocess.Popen(command, env=env, stdout=output, stderr=output, text=True) as process,
    ):
        server = Running(port=port, process=process, log=log)
        try:
            _wait(server)
            yield server
        finally:
            if process.poll() is None:
                process.kill()


def _wait(server: Running) -> None:
    for _ in range(300):
        try:
            with server.connect() as connection:
                connection.request("GET", "/health")
                connection.getresponse().read()
        except OSError:
            assert server.process.poll() is None, server.log.read_text()
            time.sleep(0.1)
        else:
            return
    raise AssertionError(server.log.read_text())


@contextmanager
def _address(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield ""
    else:
        with {"redis": redis_server, "postgres": postgres_server}[kind](folder) as address:
            yield address


def _publish(lake: Lake, address: str, number: int) -> None:
    """A snapshot in which every value is its number."""
    rows = {f"c{n}": number for n in range(ENTITIES)}
    open_store(lake, address).publish(snapshot(f"{number:08d}", spend=dict(rows), visits=dict(rows)))


@pytest.mark.parametrize("kind", ["sqlite", "redis", "postgres"])
def test_ten_thousand_requests_while_publishing_have_no_error_and_no_mixed_snapshot(
    kind: str, lake: Lake, tmp_path_factory: pytest.TempPathFactory
) -> None:
    done = Event()
    with _address(kind, tmp_path_factory.mktemp(kind)) as address:
        _publish(lake, address, 0)
        with running(lake, address, "--max-requests", "100") as server:

            def client() -> list[tuple[int, frozenset[object]]]:
                seen = []
                with server.connect() as connection:
                    for _ in range(REQUESTS // CLIENTS):
                        status, answer = server.ask(connection)
                        results = answer["results"]
                        assert isinstance(results, list)
                        seen.append((status, frozenset(value for column in results[1:] for value in column["values"])))
                return seen

            def publisher() -> int:
                number = 0
                while not done.wait(0.2):
                    number += 1
                    _publish(lake, address, number)
                return number

            with ThreadPoolExecutor(CLIENTS + 1) as threads:
                published = threads.submit(publisher)
                try:
                    clients = [threads.submit(client) for _ in range(CLIENTS)]
                    seen = [one for asking in clients for one in asking.result()]
                finally:
                    done.set()

            assert {status for status, _ in seen} == {200}
            assert {len(values) for _, values in seen} == {1}
            assert len(seen) == REQUESTS
            assert published.result() >= 3
            assert len({values for _, values in seen}) >= 3  # newer ones were picked up meanwhile


def test_a_server_that_is_asked_to_stop_answers_what_it_began_and_ends_with_0(lake: Lake) -> None:
    _publish(lake, "", 1)
    body = {**ASKED, "entities": {"customer_id": [f"c{n % ENTITIES}" for n in range(1000)]}}
    with running(lake) as server, ExitStack() as opened:
        connections = [opened.enter_context(server.connect()) for _ in range(20)]
        for connection in connections:
            connection.request("POST", "/get-online-features", json.dumps(body), {"Content-Type": "application/json"})
        time.sleep(0.05)
        server.process.send_signal(signal.SIGTERM)

        statuses = [connection.getresponse().status for connection in connections]

        assert statuses == [200] * 20
        assert server.process.wait(timeout=20) == 0
        assert "Traceback" not in server.log.read_text()


def test_an_address_that_others_reach_is_refused_without_keys(
    lake: Lake, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLPIPE_DATA_DIR", str(lake.root))

    assert main(["serve", "--host", "0.0.0.0"]) == 2  # noqa: S104 (it is refused)

    assert "anybody who reaches this machine could ask, and there are no keys" in capsys.readouterr().err
    assert main(["serve-key", "add", "checkout", "--views", "nothing"]) == 2
    assert "There is no view 'nothing'" in capsys.readouterr().err
    assert main(["serve-key", "add", "checkout", "-q"]) == 0
    token = capsys.readouterr().out.strip()
    assert main(["serve-key", "list", "--json"]) == 0
    shown = capsys.readouterr().out
    assert (json.loads(shown)[0]["key"], token[13:] in shown) == ("checkout", False)


def test_a_port_that_is_taken_is_named(
    lake: Lake, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLPIPE_DATA_DIR", str(lake.root))
    with running(lake) as server:
        assert main(["serve", "--port", f"{server.port}"]) == 2

    assert f"127.0.0.1:{server.port} cannot be served on: Address already in use" in capsys.readouterr().err


def test_whatever_the_description_allows_and_what_it_does_not_is_answered_as_it_says(tmp_path: Path) -> None:
    catalog, lake, _ = crowned_lake(tmp_path)
    publish_online(lake, catalog)
    pushes = Pushes(lake=lake, catalog=catalog, engine=DuckDBEngine())
    asked = serving(lake, catalog, Limits(entities=50), pushes=pushes)
    with socket.create_server(("127.0.0.1", 0)) as listening, listened(asked, listening):
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/openapi.json"
        command = [
            sys.executable,
            "-m",
            "schemathesis.cli",
            "run",
            address,
            "--checks",
            ",".join(CHECKS),
            "--max-examples",
            "200",
        ]

        found = subprocess.run(
            [*command, "--seed", "1", "--no-color"], capture_output=True, text=True, check=False, cwd=tmp_path
        )

    assert found.returncode == 0, found.stdout[-6000:] + found.stderr[-2000:]
    lines = asked.lines()
    assert {line["event"] for line in lines} == {"request"}
    answered = {(line["route"], line["status"]) for line in lines}
    assert answered >= {
        (route, status) for route in ("/get-online-features", "/predict/{model}") for status in (200, 400, 422)
    }
    assert answered >= {("/push/{source}", status) for status in (400, 404, 422)}


@contextmanager
def listened(asked: Asked, listening: socket.socket) -> Iterator[None]:
    """A server of this process on a real socket."""
    config = uvicorn.Config(asked.server.app(), log_config=None, access_log=False)
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
