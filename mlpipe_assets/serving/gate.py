"""What stands before every request: who asks, how much at once, how long; and what is counted and logged of it.

A log line says when, what and how long. It holds no key and no value of anybody, neither asked for nor answered.
"""

import asyncio
import re
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any, TextIO

import orjson

from mlpipe_assets.errors import MlpipeError
from mlpipe_assets.serving.access import DeniedError
from mlpipe_assets.serving.answers import BadRequestError
from mlpipe_assets.serving.counters import ServerCounters
from mlpipe_assets.serving.state import ServerState

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
FAILED = "The server failed over this request. Its log says where, by the request id."
_OPEN = "/health"  # asked by load balancers, which have no key
_LOOPBACK = (b"localhost", b"127.0.0.1", b"[::1]")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one request, and all at once, may take."""

    body_bytes: int = 1_000_000
    entities: int = 1_000
    values: int = 200_000
    seconds: float = 2.0
    at_once: int = 64


@dataclass(frozen=True, kw_only=True)
class RequestLog:
    """Lines of JSON."""

    stream: TextIO | None = None

    def write(self, event: str, **values: object) -> None:
        """One line."""
        line = {"time": f"{datetime.now(tz=UTC):%Y-%m-%dT%H:%M:%S.%fZ}", "event": event, **values}
        stream = self.stream or sys.stderr
        with suppress(OSError, ValueError):  # who closed the stream does not want to read it
            stream.write(orjson.dumps(line, default=str).decode() + "\n")
            stream.flush()


@dataclass(frozen=True, kw_only=True)
class Gate:
    """An ASGI application before another one."""

    app: App
    state: ServerState
    counters: ServerCounters
    limits: Limits
    log: RequestLog
    routes: frozenset[str]
    checks_host: Callable[[], bool]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what is no request goes through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"")
        request_id = given.decode() if _ID.fullmatch(given) else token_hex(16)
        facts: dict[str, Any] = {}
        scope["mlpipe"] = {"request_id": request_id, "facts": facts}
        status = 500

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                last = [(b"connection", b"close")] if self.state.stopping else []
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode()), *last]
            await send(message)

        self.counters.in_flight += 1
        try:
            await self._answer(scope, headers, receive, sent)
        finally:
            self.counters.in_flight -= 1
            seconds = time.perf_counter() - began
            route = _route(scope["path"], self.routes)
            self.counters.count(route, status, seconds)
            self.log.write(
                "request",
                request_id=request_id,
                method=scope["method"],
                route=route,
                status=status,
                ms=round(seconds * 1e3, 3),
                **facts,
            )

    async def _answer(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        request_id = scope["mlpipe"]["request_id"]
        try:
            self._expect_allowed(scope, headers)
            async with asyncio.timeout(self.limits.seconds):
                body = await self._body(headers, receive) if scope["method"] == "POST" else b""
                await self.app(scope, _giving(body, receive), send)
        except TimeoutError:
            await respond(
                send,
                504,
                f"There was no answer within {self.limits.seconds:g} seconds. Ask for less, or again.",
                request_id,
            )
        except (BadRequestError, DeniedError) as error:
            await respond(send, error.status, f"{error}", request_id)
        except _HungUpError:
            return
        except Exception as error:  # noqa: BLE001 (the last boundary: whatever a bug raises must not take the server with it)
            self.log.write("error", request_id=request_id, **spell_error(error))
            with suppress(RuntimeError):  # an answer has begun
                await respond(send, 500, FAILED, request_id)

    def _expect_allowed(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        """Raises: DeniedError, BadRequestError."""
        if (
            self.checks_host() and _host(headers) not in _LOOPBACK
        ):  # else a page of another site could ask by a name of its own
            raise DeniedError("Without keys this server answers to localhost only.", status=403)
        if scope["path"] != _OPEN:
            authorization = headers.get(b"authorization")
            key = self.state.loaded.keys.find(authorization.decode("latin-1") if authorization else None)
            scope["mlpipe"]["key"] = key
            if key.name:
                scope["mlpipe"]["facts"]["key"] = key.name
        if self.counters.in_flight > self.limits.at_once and scope["path"] != _OPEN:
            raise BadRequestError(
                f"More than {self.limits.at_once} requests are being answered. Ask again in a second.", status=429
            )

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """The body of a request, when it is JSON and not too long."""
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind != b"application/json":
            raise BadRequestError("Send the body as JSON, with the header Content-Type: application/json.", status=415)
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self.limits.body_bytes:
            raise self._too_long()
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _HungUpError
            part = message.get("body", b"")
            size += len(part)
            if size > self.limits.body_bytes:
                raise self._too_long()
            parts.append(part)
            if not message.get("more_body"):
                return b"".join(parts)

    def _too_long(self) -> BadRequestError:
        return BadRequestError(
            f"The body is longer than {self.limits.body_bytes:,} bytes. Ask in several requests.", status=413
        )


class _HungUpError(Exception):
    """The client is gone."""


async def respond(send: Send, status: int, detail: str, request_id: str) -> None:
    """An answer that says why there is none."""
    content = orjson.dumps({"detail": detail, "request_id": request_id})
    headers = [(b"content-type", b"application/json"), (b"content-length", f"{len(content)}".encode())]
    headers += [(b"retry-after", b"1")] if status in (429, 503, 504) else []
    headers += [(b"www-authenticate", b"Bearer")] if status == 401 else []  # noqa: PLR2004 (the statuses of HTTP)
    headers += [(b"connection", b"close")] if status == 413 else []  # noqa: PLR2004 (the rest of the body is not read)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def why(error: MlpipeError) -> int:
    """The HTTP status of an error."""
    return error.status if isinstance(error, BadRequestError | DeniedError) else 503


def _giving(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives a body that was read already, then what comes after it."""
    given = False

    async def give() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return give


def _route(path: str, routes: frozenset[str]) -> str:
    """A path as it is counted: a model's name, or whatever somebody tried, must not be a label each."""
    if path in routes:
        return path
    first = "/" + path.strip("/").partition("/")[0]
    return next((route for route in routes if route.startswith(f"{first}/{{")), "other")


def _host(headers: dict[bytes, bytes]) -> bytes:
    host = headers.get(b"host", b"").lower()
    return host.partition(b"]")[0] + b"]" if host.startswith(b"[") else host.partition(b":")[0]


def spell_error(error: BaseException) -> dict[str, object]:
    """What a log says of a bug: its kind and where it happened; its message may hold what somebody asked for."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    places = [f"{frame.filename.rpartition('mlpipe_assets/')[2]}:{frame.lineno}" for frame in frames]
    return {"error": type(error).__name__, "at": places}
