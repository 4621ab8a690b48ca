"""A proxy before a server on loopback: it loses, delays and forges answers as a network and a busy server do, and counts."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

Kind = Literal["cut", "refuse", "forge", "hang", "truncate"]
_SKIPPED = {"connection", "transfer-encoding", "content-length", "keep-alive"}


@dataclass(kw_only=True)
class Fault:
    """What goes wrong with the requests of a method.

    Attributes:
        kind: `cut`: the server does it, and the line is cut before the answer. `refuse`: answered with `status`, and the server
            never hears of it. `forge`: the server does it, and the answer is `status`. `hang`: the server does it, and there
            is no answer. `truncate`: half of the body, then the line is cut.
        times: How many requests; then all goes well.
        path: What the path must contain.
    """

    kind: Kind
    method: str
    times: int = 1
    status: int = 503
    body: bytes = b""
    path: str = ""


@dataclass(kw_only=True)
class FaultProxy:
    """What lies before the server.

    Attributes:
        delay: Seconds before each request is passed on.
        seen: Each request as `PUT /lake/key`.
    """

    upstream: int
    port: int = 0
    delay: float = 0.0
    faults: list[Fault] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fault_of(self, method: str, path: str) -> Fault | None:
        """What goes wrong with a request that has just come."""
        with self._guard:
            self.seen.append(f"{method} {path}")
            for fault in self.faults:
                if fault.times and fault.method == method and fault.path in path:
                    fault.times -= 1
                    return fault
        return None

    def count(self, method: str = "") -> int:
        """How many requests there were."""
        return sum(line.startswith(method) for line in self.seen)


@contextmanager
def fault_proxy(upstream: int) -> Iterator[FaultProxy]:
    """A proxy on a free port of loopback, before the server on another one."""
    proxy = FaultProxy(upstream=upstream)

    class Handler(_Handler):
        state = proxy

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        proxy.port = listening.server_address[1]
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            listening.shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: FaultProxy

    def handle_one_request(self) -> None:
        with suppress(OSError):
            super().handle_one_request()
            return
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.state.fault_of(self.command, self.path)
        time.sleep(self.state.delay)
        if fault and fault.kind == "refuse":
            self._answer(fault.status, {}, fault.body)
            return
        upstream = http.client.HTTPConnection("127.0.0.1", self.state.upstream, timeout=60)
        try:
            upstream.request(self.command, self.path, body, dict(self.headers))  # with the host that was signed
            answer = upstream.getresponse()
            found = answer.read()
            headers = {name: value for name, value in answer.getheaders() if name.lower() not in _SKIPPED}
            if self.command == "HEAD":
                headers["Content-Length"] = answer.getheader("Content-Length") or "0"
        finally:
            upstream.close()
        match fault.kind if fault else "":
            case "cut":
                self.close_connection = True
            case "hang":
                self.close_connection = True
                self.connection.settimeout(30)
                self.connection.recv(1)  # until the other side hangs up
            case "forge" if fault:
                self._answer(fault.status, {}, fault.body)
            case "truncate":
                self.close_connection = True
                self._answer(answer.status, headers, found, sent=len(found) // 2)
            case _:
                self._answer(answer.status, headers, found)

    def _answer(self, status: int, headers: dict[str, str], body: bytes, sent: int | None = None) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers and status not in (204, 304):
            self.send_header("Content-Length", f"{len(body)}")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:sent])

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass_on  # noqa: N815 (the base class finds them by these names)
