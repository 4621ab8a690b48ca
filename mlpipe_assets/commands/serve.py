"""mlpipe serve and mlpipe serve-key: online answers over HTTP, and who may ask for them."""

import argparse
import ipaddress
import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer
from types import FrameType

import uvicorn

from mlpipe_assets.catalog.serving_log import find_serving_log
from mlpipe_assets.commands.calling import command
from mlpipe_assets.commands.console import expect_main, make_console, open_lake, plain
from mlpipe_assets.commands.tables import print_table
from mlpipe_assets.engines.registry import open_engine
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.metrics import RememberedMetrics
from mlpipe_assets.serving.answer_log import AnswerLog
from mlpipe_assets.serving.http.access import ALL, KeyBook
from mlpipe_assets.serving.http.gate import Limits, RequestLog
from mlpipe_assets.serving.http.outbox import Outbox
from mlpipe_assets.serving.http.server import Server
from mlpipe_assets.serving.http.state import ServerState
from mlpipe_assets.serving.push.pushed_rows import why_not
from mlpipe_assets.serving.push.pushes import Pushes
from mlpipe_assets.serving.spool import Spool
from mlpipe_assets.settings import read_settings
from mlpipe_assets.stages.online.plan import store_of
from mlpipe_assets.store.copies.use import BucketLake, open_bucket
from mlpipe_assets.store.lake import Lake

_MOST_PORTS = 65_535
_DRAIN_SECONDS = 0.5
_FETCH_SECONDS = 5.0
_NO_PUSHES = (
    "The lake of this server is in a bucket, and no rows can be pushed there: that they are taken once, whichever server they come "
    "to, rests on a folder that the servers share. Deliver them as files."
)


def serve(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C; requests that are being answered are answered first."""
    expect_main("mlpipe serve")
    lake, catalog = open_lake()
    settings = read_settings()
    bucket = BucketLake(address=settings.lake_address, root=lake.root) if settings.lake_address else None
    on_loopback = _expect_safe(lake, options.host)
    if not 0 < options.port <= _MOST_PORTS:
        raise SettingsError(f"--port {options.port} is no port. Name one from 1 to {_MOST_PORTS}.")
    listening = _listen(options.host, options.port)
    pushes = None if bucket else Pushes(lake=lake, catalog=catalog, engine=open_engine(settings.memory_limit))
    state = ServerState(
        lake=lake,
        catalog=catalog,
        store=store_of(lake),
        pushes=pushes,
        fetch=now_and_then(bucket) if bucket else _nothing,
    )
    state.look()
    if state.problem:
        raise SettingsError(f"The server cannot begin: {state.problem}")
    limits = Limits(entities=options.max_entities, seconds=options.timeout, at_once=options.max_requests)
    logged = find_serving_log(catalog)
    spooled = bucket.outbox if bucket else lake.root
    server = Server(
        state=state,
        limits=limits,
        on_loopback=on_loopback,
        log=RequestLog(),
        more_metrics=RememberedMetrics(lake=lake, catalog=catalog),
        answers=AnswerLog(spool=Spool(root=spooled, source=logged.name), share=options.log_share) if logged else None,
        outbox=Outbox(objects=open_bucket(bucket.address), root=spooled, source=logged.name)
        if bucket and logged
        else None,
        no_pushes=_NO_PUSHES if bucket else Server.no_pushes,
    )
    if not options.quiet:
        what = state.loaded.snapshot or "nothing yet: it looks for a snapshot twice a second"
        console = make_console(options)
        console.print(
            f"Serving {plain(what)} on http://{options.host}:{options.port}; stop with Ctrl-C", soft_wrap=True
        )
    config = uvicorn.Config(
        server.app(),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=round(options.timeout) + 5,
    )
    _Stoppable(config, state).run(sockets=[listening])
    return 0


def now_and_then(bucket: BucketLake) -> Callable[[], None]:
    """Fetches what a bucket has new, every few seconds however often it is called: one small request where nothing is."""
    last = [time.monotonic()]

    def fetch() -> None:
        if time.monotonic() - last[0] >= _FETCH_SECONDS:
            last[0] = time.monotonic()
            bucket.fetch(deliveries=False)

    return fetch


def _nothing() -> None:
    """The files are where the lake is."""


class _Stoppable(uvicorn.Server):
    """A server that ends well when it is asked to: what clients have sent by then is answered, and the exit code is 0."""

    def __init__(self, config: uvicorn.Config, state: ServerState) -> None:
        super().__init__(config)
        self._state = state

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGTERM and Ctrl-C, without raising the signal again afterwards."""
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """Send clients elsewhere, wait for what is on its way, then end; at once when asked a second time."""
        if self._state.stopping:
            self.handle_exit(number, frame)
            return
        self._state.stopping = True
        timer = Timer(_DRAIN_SECONDS, self.handle_exit, (number, frame))
        timer.daemon = True
        timer.start()


def _listen(host: str, port: int) -> socket.socket:
    """Take a port, before anything says that it is served. Raises: SettingsError when another process has it."""
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=1024
        )
    except OSError as error:
        raise SettingsError(
            f"{host}:{port} cannot be served on: {error.strerror}. Name another with --port."
        ) from error


def serve_key(options: argparse.Namespace) -> int:
    """Make a key, take one back, or show which there are."""
    return {"add": _add, "remove": _remove, "list": _list}[options.action](options)


def _add(options: argparse.Namespace) -> int:
    lake, catalog = open_lake(writing=True)
    views = _names(options.views, "view", [view.name for view in catalog.online_views])
    models = _names(options.models, "model", [model.name for model in catalog.models])
    sources = _names(options.sources, "source", [one.name for one in catalog.sources if why_not(one) is None])
    token = KeyBook(lake=lake).add(_name(options), views, models, sources)
    console = make_console(options)
    if not options.quiet:
        console.print("The key, shown once and kept nowhere; send it as `Authorization: Bearer KEY`:", soft_wrap=True)
    print(token)
    return 0


def _remove(options: argparse.Namespace) -> int:
    lake, _ = open_lake(writing=True)
    KeyBook(lake=lake).remove(_name(options))
    left = "" if KeyBook(lake=lake).read().by_id else " No key is left: a server beyond loopback answers nobody then."
    make_console(options).print(f"Taken back; a running server refuses it within a second.{left}", soft_wrap=True)
    return 0


def _list(options: argparse.Namespace) -> int:
    lake, _ = open_lake()
    ring = KeyBook(lake=lake).read()
    scopes = [[", ".join(names) for names in (one.views, one.models, one.sources)] for one in ring.by_id.values()]
    rows = [[one.name, *scope, one.created_at] for one, scope in zip(ring.by_id.values(), scopes, strict=True)]
    names = ("key", "views", "models", "pushes to", "made at")
    if options.json:
        print(json.dumps([dict(zip(names, row, strict=True)) for row in rows]))
        return 0
    console = make_console(options)
    if not rows:
        console.print(
            f"There are no keys: a server answers on loopback, and beyond it nobody. Next: {plain(command())} serve-key add NAME"
        )
        return 0
    print_table(console, names, [[plain(cell) for cell in row] for row in rows], numbers=())
    return 0


def _expect_safe(lake: Lake, host: str) -> bool:
    """Make sure that nobody beyond this machine can ask without a key; whether nobody beyond it reaches the server at all."""
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        raise SettingsError(f"--host {host[:100]!r} is no address. Write it as 127.0.0.1 or 0.0.0.0.") from None
    if not loopback and not KeyBook(lake=lake).read().by_id:
        raise SettingsError(
            f"On {host} anybody who reaches this machine could ask, and there are no keys. Next: mlpipe serve-key add NAME; or serve "
            "on 127.0.0.1."
        )
    return loopback


def _name(options: argparse.Namespace) -> str:
    if not options.name:
        raise SettingsError("Which key? Next: mlpipe serve-key add NAME")
    return str(options.name)


def _names(given: str, kind: str, there: list[str]) -> list[str]:
    """The views or models that a key may ask: all, or some that the catalog has."""
    names = [name.strip() for name in given.split(",") if name.strip()]
    if unknown := [name for name in names if name not in (ALL, *there)]:
        raise SettingsError(
            f"There is no {kind} {unknown[0][:60]!r}; there are {', '.join(there) or 'none'}, or * for all."
        )
    return names
