"""A webhook server on this machine, which keeps what it is sent."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(kw_only=True)
class Webhook:
    """What was received, in order, and how the server answers."""

    port: int = 0
    status: int = 200
    received: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)  # path and authorization of each request

    @property
    def url(self) -> str:
        """Where apprise posts to, with a token in its path."""
        return f"json://127.0.0.1:{self.port}/s3cret-token"

    def titles(self) -> list[str]:
        """Titles of what was received."""
        return [message["title"] for message in self.received]


@contextmanager
def webhook() -> Iterator[Webhook]:
    """A server on a free port of the loopback, gone when the block ends."""
    found = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.asked.append((self.path, self.headers.get("Authorization", "")))
            if found.status < 300:
                found.received.append(json.loads(body))
            self.send_response(found.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
