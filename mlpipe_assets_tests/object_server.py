"""A real object storage on this machine for tests: SeaweedFS, which speaks S3, on free ports of loopback."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mlpipe_assets_tests.servers import free_port

_SECONDS = 90.0
BUCKET = "lake"
KEEPER = {"accessKey": "keeper-key", "secretKey": "keeper-canary/secret"}
READER = {"accessKey": "reader-key", "secretKey": "reader-canary/secret"}
_PORTS = ("master.port", "volume.port", "filer.port", "s3.port")


@dataclass(kw_only=True)
class ObjectServer:
    """A server with one bucket, and who may use it.

    Attributes:
        port: Of S3, on 127.0.0.1.
        folder: Where it keeps what it is given.
    """

    folder: Path
    ports: Mapping[str, int] = field(default_factory=lambda: {name: free_port() for name in _all_ports()})
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def port(self) -> int:
        return self.ports["s3.port"]

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers and has its bucket."""
        data, config = self.folder / "data", self.folder / "identities.json"
        data.mkdir(exist_ok=True)
        config.write_text(json.dumps({"identities": _identities()}))
        options = {
            "dir": data,
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "master.volumeSizeLimitMB": 64,
            "master.telemetry": "false",
            "volume.max": 50,
            "filer": "true",
            "s3": "true",
            "s3.config": config,
            "s3.autoCreateBucket": "false",
            **self.ports,
            "s3.port.lance": 0,
        }
        # It ends with us, however we end; started from another thread than the first one it would end with that.
        dies_too = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        command = [*dies_too, f"{Path(sys.executable).with_name('weed')}", "-logtostderr=true", "server"]
        command += [f"-{name}={value}" for name, value in options.items()]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, start_new_session=True)
        end = time.monotonic() + _SECONDS
        while not self._is_ready():
            assert self._process.poll() is None, (self.folder / "log").read_text()[-2000:]
            assert time.monotonic() < end, "the object server did not come up"
            time.sleep(0.1)

    def kill(self) -> None:
        """End it at once, as a power cut ends it, and wait until it is gone."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=30)
            self._process = None

    def _is_ready(self) -> bool:
        """Whether S3 answers, refusing who is nobody, the bucket is there, and there is a place to write to."""
        filer = f"http://127.0.0.1:{self.ports['filer.port']}"
        return (
            _status("GET", f"{self.endpoint}/") == 403
            and _status("POST", f"{filer}/buckets/{BUCKET}/") in (201, 409)
            and _status("PUT", f"{filer}/ready", b"yes") == 201
        )

    def environ(self, who: Mapping[str, str] = KEEPER, endpoint: str = "") -> dict[str, str]:
        """Variables of the environment of somebody who uses it."""
        return {
            "AWS_ENDPOINT_URL": endpoint or self.endpoint,
            "AWS_ACCESS_KEY_ID": who["accessKey"],
            "AWS_SECRET_ACCESS_KEY": who["secretKey"],
        }


@contextmanager
def object_server(folder: Path) -> Iterator[ObjectServer]:
    """A server with an empty bucket."""
    server = ObjectServer(folder=folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def _all_ports() -> list[str]:
    return [*_PORTS, *(f"{name}.grpc" for name in _PORTS), "s3.port.iceberg"]


def _identities() -> list[dict[str, object]]:
    return [
        {"name": "keeper", "credentials": [KEEPER], "actions": ["Admin", "Read", "Write", "List"]},
        {"name": "reader", "credentials": [READER], "actions": ["Read", "List"]},
    ]


def _status(method: str, address: str, body: bytes | None = None) -> int:
    request = urllib.request.Request(address, method=method, data=body)  # noqa: S310 (our own server)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 (as above)
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
