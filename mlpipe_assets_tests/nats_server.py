"""A real NATS server with JetStream for tests: on loopback, with a user and a password, and a store that outlives a kill."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import nats
from nats.js import JetStreamContext
from nats.js.api import StreamConfig

from mlpipe_assets_tests.servers import free_port

T = TypeVar("T")
PASSWORD = "canary-of-nats"  # noqa: S105 (of a server that lives for one test)
_SECONDS = 30.0


@dataclass(kw_only=True)
class NatsServer:
    """A server; what it was given is in its folder."""

    folder: Path
    port: int = field(default_factory=free_port)
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def address(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def options(self) -> str:
        """What the variable of a source holds."""
        return json.dumps({"servers": self.address, "user": "keeper", "password": PASSWORD})

    def start(self) -> None:
        """Start it, and wait until JetStream answers."""
        config = self.folder / "server.conf"
        config.write_text(
            f'listen: "127.0.0.1:{self.port}"\njetstream {{ store_dir: "{self.folder / "store"}" }}\n'
            f'authorization {{ users: [ {{ user: keeper, password: "{PASSWORD}" }},\n'
            '  { user: nobody, password: "x", permissions: { publish: { deny: ">" } } } ] }\n'
        )
        with (self.folder / "log").open("ab") as log:
            command = [f"{Path(sys.executable).with_name('nats-server')}", "-c", f"{config}"]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        end = time.monotonic() + _SECONDS
        while not self._is_ready():
            assert time.monotonic() < end, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.05)

    def kill(self) -> None:
        """End it at once, and wait until it is gone."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(timeout=30)
            self._process = None

    def ask(self, work: Callable[[JetStreamContext], Coroutine[Any, Any, T]]) -> T:
        """What some work with JetStream gives."""

        async def asked() -> T:
            connection = await nats.connect(
                self.address, user="keeper", password=PASSWORD, allow_reconnect=False, error_cb=_say_nothing
            )
            try:
                return await work(connection.jetstream())
            finally:
                await connection.close()

        return asyncio.run(asked())

    def make(self, stream: str, **more: Any) -> None:
        """A stream of `<stream>.>`."""
        self.ask(lambda js: js.add_stream(StreamConfig(name=stream, subjects=[f"{stream}.>"], **more)))

    def send(self, subject: str, messages: Iterable[str | bytes]) -> None:
        """Messages, each acknowledged by the server."""

        async def sent(js: JetStreamContext) -> None:
            for message in messages:
                await js.publish(subject, message if isinstance(message, bytes) else message.encode())

        self.ask(sent)

    def _is_ready(self) -> bool:
        try:
            self.ask(lambda js: js.account_info())
        except (OSError, nats.errors.Error):
            return False
        return True


@contextmanager
def nats_server(folder: Path) -> Iterator[NatsServer]:
    """A server that runs, and is stopped after it was used."""
    server = NatsServer(folder=folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


async def _say_nothing(_: Exception) -> None:
    """A refused connection while it comes up."""
