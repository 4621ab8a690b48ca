"""A server in this process, and how tests ask it."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from typing import Any

import httpx

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.serving.answer_log import AnswerLog
from mlpipe_assets.serving.http.gate import Limits, RequestLog
from mlpipe_assets.serving.http.server import Server
from mlpipe_assets.serving.http.state import ServerState
from mlpipe_assets.serving.push.pushes import Pushes
from mlpipe_assets.serving.snapshots.sqlite_store import SqliteStore
from mlpipe_assets.store.lake import Lake


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A server, and what it has logged."""

    server: Server
    logged: StringIO

    def post(
        self, path: str, body: object, headers: Mapping[str, str] | None = None, base: str = "http://localhost"
    ) -> httpx.Response:
        """The answer to a body as JSON, or as the bytes that are given."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send(
            "POST", path, content=content, headers={"content-type": "application/json", **(headers or {})}, base=base
        )

    def features(self, *names: str, **entities: list[Any]) -> httpx.Response:
        """The answer for features of entities."""
        return self.post("/get-online-features", {"features": list(names), "entities": entities})

    def send(self, method: str, path: str, base: str = "http://localhost", **more: Any) -> httpx.Response:
        """The answer to any request."""

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.server.app())
            async with httpx.AsyncClient(transport=transport, base_url=base) as client:
                return await client.request(method, path, **more)

        return asyncio.run(ask())

    def lines(self) -> list[dict[str, Any]]:
        """What was logged."""
        return [json.loads(line) for line in self.logged.getvalue().splitlines()]


def serving(
    lake: Lake,
    catalog: Catalog,
    limits: Limits | None = None,
    answers: AnswerLog | None = None,
    pushes: Pushes | None = None,
    *,
    on_loopback: bool = True,
) -> Asked:
    """A server of a lake, which has looked once."""
    state = ServerState(lake=lake, catalog=catalog, store=SqliteStore(lake=lake), pushes=pushes)
    state.look()
    logged = StringIO()
    log = RequestLog(stream=logged)
    server = Server(state=state, limits=limits or Limits(), log=log, answers=answers, on_loopback=on_loopback)
    return Asked(server=server, logged=logged)
