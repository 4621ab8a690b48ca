"""What stands before every request: who asks, how much at once, how long; and what is counted and logged of it.

A log line says when, what and how long. It holds no key and no value of anybody, neither asked for nor answered.
"""

import asyncio
import re
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from secrets import token_hex
from typing import Any, TextIO

import orjson

from mlpipe_assets.errors import MlpipeError
from mlpipe_assets.serving.answers import BadRequestError
from mlpipe_assets.serving.http.access import ANYBODY, DeniedError, ServeKey
from mlpipe_assets.serving.http.counters import ServerCounters
from mlpipe_assets.serving.http.routes import Routes
from mlpipe_assets.serving.http.state import Loaded, ServerState

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
    """Lines of JSON. They reach their stream with the next `flush`, which a server does twice a second and when something fails."""

    stream: TextIO | None = None

    def write(self, event: str, **values: object) -> None:
        """One line."""
        now = time.time()
        line = {"time": f"{_spell_second(int(now))}.{int(now % 1 * 1e6):06d}Z", "event": event, **values}
        with suppress(OSError, ValueError):  # who closed the stream does not want to read it
            (self.stream or sys.stderr).write(orjson.dumps(line, default=str).decode() + "\n")

    def flush(self) -> None:
        """Let everything that was written be seen."""
        with suppress(OSError, ValueError):
            (self.stream or sys.stderr).flush()


@lru_cache(maxsize=16)
def _spell_second(second: int) -> str:
    return f"{datetime.fromtimestamp(second, tz=UTC):%Y-%m-%dT%H:%M:%S}"


@dataclass(kw_only=True, slots=True)
class Call:
    """A request that was let in.

    Attributes:
        body: Its body, as it came.
        name: The last part of its path, where that is a name.
        loaded: What it is answered from.
        key: Who asks.
        facts: What its line in the log says beside route, status and time.
        once: Its header Idempotency-Key.
    """

    body: bytes
    name: str
    loaded: Loaded
    key: ServeKey
    request_id: str
    facts: dict[str, object]
    once: bytes | None = None


Handler = Callable[[Call], Awaitable[bytes]]


@dataclass(frozen=True, kw_only=True)
class Gate:
    """An ASGI application before another one.

    Attributes:
        on_loopback: Whether nobody but this machine reaches it; else it answers to keys only, also when the last one is taken back.
        handlers: What answers POST, by path; a path that ends with a slash is followed by a name. FastAPI's own way to an
            endpoint takes as long as all of the answer, so it describes these and answers the rest.
    """

    app: App
    state: ServerState
    counters: ServerCounters
    limits: Limits
    log: RequestLog
    handlers: Mapping[str, Handler]
    routes: Routes
    on_loopback: bool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what is no request goes through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"")
        request_id = given.decode() if _ID.fullmatch(given) else token_hex(16)
        facts: dict[str, object] = {}
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
            await self._answer(scope, headers, receive, sent, request_id, facts)
        finally:
            self.counters.in_flight -= 1
            seconds = time.perf_counter() - began
            route = self.routes.label(scope["path"])
            self.counters.count(route, status, seconds)
            ms = round(seconds * 1e3, 3)
            self.log.write(
                "request", request_id=request_id, method=scope["method"], route=route, status=status, ms=ms, **facts
            )

    async def _answer(
        self,
        scope: Scope,
        headers: dict[bytes, bytes],
        receive: Receive,
        send: Send,
        request_id: str,
        facts: dict[str, object],
    ) -> None:
        try:
            key = self._let_in(scope, headers)
            if key.name:
                facts["key"] = key.name
            async with asyncio.timeout(self.limits.seconds):
                handler, name = self._handler_of(scope)
                if handler is None:
                    self.routes.expect(scope["method"], scope["path"])
                    await self.app(scope, receive, send)
                    return
                body = await self._body(headers, receive)
                once = headers.get(b"idempotency-key")
                call = Call(
                    body=body,
                    name=name,
                    loaded=self.state.loaded,
                    key=key,
                    request_id=request_id,
                    facts=facts,
                    once=once,
                )
                content = await handler(call)
            await _send_json(send, 200, content)
        except TimeoutError:
            late = f"There was no answer within {self.limits.seconds:g} seconds. Ask for less, or again."
            await respond(send, 504, late, request_id)
        except _HungUpError:
            return
        except MlpipeError as error:
            allow = getattr(error, "allow", "")
            await respond(send, why(error), f"{error}", request_id, [(b"allow", allow.encode())] if allow else [])
        except Exception as error:  # noqa: BLE001 (the last boundary: whatever a bug raises must not take the server with it)
            self.log.write("error", request_id=request_id, **spell_error(error))
            self.log.flush()
            with suppress(RuntimeError):  # an answer has begun
                await respond(send, 500, FAILED, request_id)

    def _handler_of(self, scope: Scope) -> tuple[Handler | None, str]:
        """What answers a path, and the name at its end; FastAPI says what is wrong with any other."""
        path = scope["path"]
        if scope["method"] != "POST":
            return None, ""
        if handler := self.handlers.get(path):
            return handler, ""
        folder, _, name = path.rpartition("/")
        return (self.handlers.get(f"{folder}/"), name) if name else (None, "")

    def _let_in(self, scope: Scope, headers: dict[bytes, bytes]) -> ServeKey:
        """Who asks.

        Raises: DeniedError, BadRequestError.
        """
        ring = self.state.loaded.keys
        if not ring.by_id and not self.on_loopback:
            raise DeniedError(
                "No key is left, and this server listens beyond localhost: it answers nobody.", status=403
            )
        if not ring.by_id and _host(headers) not in _LOOPBACK:  # a page of another site could ask by a name of its own
            raise DeniedError("Without keys this server answers to localhost only.", status=403)
        if scope["path"] == _OPEN:
            return ANYBODY
        authorization = headers.get(b"authorization")
        key = ring.find(authorization.decode("latin-1") if authorization else None)
        if self.counters.in_flight > self.limits.at_once:
            many = f"More than {self.limits.at_once} requests are being answered. Ask again in a second."
            raise BadRequestError(many, status=429)
        return key

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


async def respond(
    send: Send, status: int, detail: str, request_id: str, more: Sequence[tuple[bytes, bytes]] = ()
) -> None:
    """An answer that says why there is none."""
    headers = [*more, *([(b"retry-after", b"1")] if status in (429, 503, 504) else [])]
    headers += [(b"www-authenticate", b"Bearer")] if status == 401 else []  # noqa: PLR2004 (the statuses of HTTP)
    headers += [(b"connection", b"close")] if status == 413 else []  # noqa: PLR2004 (the rest of the body is not read)
    await _send_json(send, status, orjson.dumps({"detail": detail, "request_id": request_id}), headers)


async def _send_json(send: Send, status: int, content: bytes, more: Sequence[tuple[bytes, bytes]] = ()) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content)), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def why(error: MlpipeError) -> int:
    """The HTTP status of an error."""
    return error.status if isinstance(error, BadRequestError | DeniedError) else 503


def _host(headers: dict[bytes, bytes]) -> bytes:
    host = headers.get(b"host", b"").lower()
    return host.partition(b"]")[0] + b"]" if host.startswith(b"[") else host.partition(b":")[0]


def spell_error(error: BaseException) -> dict[str, object]:
    """What a log says of a bug: its kind and where it happened; its message may hold what somebody asked for."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    places = [f"{frame.filename.rpartition('mlpipe_assets/')[2]}:{frame.lineno}" for frame in frames]
    return {"error": type(error).__name__, "at": places}
