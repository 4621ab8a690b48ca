"""A server of the tests that speaks the documented reading part of a schema registry."""

import json
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

import fastavro


@dataclass(kw_only=True)
class Registry:
    """What it answers: documents by path, a status instead of any of them, and what it was asked."""

    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    status: int = 200
    asked: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def add(self, number: int, schema: object, **more: object) -> None:
        """Give a schema a number."""
        self.documents[f"/schemas/ids/{number}"] = {"schema": json.dumps(schema), **more}


@contextmanager
def schema_registry() -> Iterator[Registry]:
    """A registry on loopback, as long as the block lasts."""
    registry = Registry()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            registry.asked.append(self.path)
            found = registry.documents.get(self.path)
            status = registry.status if registry.status != 200 else 200 if found else 404
            body = json.dumps(found or {"error_code": 40403, "message": "Schema not found"}).encode()
            self.send_response(status)
            self.send_header("Content-Length", f"{len(body)}")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    registry.port = server.server_port
    serving = threading.Thread(target=server.serve_forever, args=(0.01,))
    serving.start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        serving.join()


def avro_bytes(schema: Any, row: object, number: int | None = None) -> bytes:
    """A value by a schema; with the number of the schema before it, in Confluent's wire format."""
    stream = BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), row)
    return (b"" if number is None else struct.pack(">bI", 0, number)) + stream.getvalue()
