"""The commands of feeds, online answers, metrics and the warehouse, and their options."""

import argparse
from collections.abc import Callable
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 (argparse gives it no other name)
Make: TypeAlias = Callable[[Commands, str, tuple[str, str], str, str], argparse.ArgumentParser]


def add_online(commands: Commands, make: Make) -> None:
    """What is published for online answers."""
    online = make(
        commands,
        "online",
        ("online", "online"),
        "show what is published for online answers, publish it again, or take it back",
        '  mlpipe online\n  mlpipe online publish\n  mlpipe online rollback --reason "wrong prices since Monday"',
    )
    online.add_argument(
        "action", nargs="?", choices=("status", "publish", "rollback"), default="status", help="(%(default)s)"
    )
    online.add_argument("--reason", help="why it is taken back; kept with the snapshot")
    online.add_argument("--json", action="store_true", help="print the snapshots as one JSON object")


def add_publish(commands: Commands, make: Make) -> None:
    """The lake in a warehouse."""
    publish = make(
        commands,
        "publish",
        ("publish", "publish"),
        "publish the tables of the lake to PostgreSQL, those of MLPIPE_POSTGRES_URL",
        "  mlpipe publish\n  mlpipe publish stg.orders feats.customer_features\n  mlpipe publish --dry-run",
    )
    publish.add_argument("tables", nargs="*", metavar="TABLE", help="such as stg.orders (all)")
    publish.add_argument("--dry-run", action="store_true", help="show what is behind, publish nothing")
    publish.add_argument(
        "--take-over", action="store_true", help="publish where another data folder did before, from now on"
    )
    publish.add_argument("--json", action="store_true", help="print the tables as a JSON array")


def add_metrics(commands: Commands, make: Make) -> None:
    """Metrics of the lake."""
    metrics = make(
        commands,
        "metrics",
        ("metrics", "metrics"),
        "print what the lake holds as metrics: freshness, rows, quarantine, drift, models",
        "  mlpipe metrics\n  mlpipe metrics --out /var/lib/node_exporter/mlpipe.prom\n  mlpipe metrics --board > board.json",
    )
    metrics.add_argument("--out", metavar="FILE", help="replace this file in one step, for a textfile collector")
    metrics.add_argument("--board", action="store_true", help="print a Grafana board of all of them as JSON")


def add_serve(commands: Commands, make: Make) -> None:
    """The server, and who may ask it."""
    serve = make(
        commands,
        "serve",
        ("serve", "serve"),
        "answer for features and predictions over HTTP, in Feast's shape",
        "  mlpipe serve\n  mlpipe serve --port 8000 --timeout 0.5",
    )
    serve.add_argument("--host", default="127.0.0.1", help="the address; any but loopback needs keys (%(default)s)")
    serve.add_argument("--port", type=int, default=6566, metavar="N", help="(%(default)s)")
    serve.add_argument("--timeout", type=_positive, default=2.0, metavar="SECONDS", help="of one request (%(default)s)")
    serve.add_argument("--max-entities", type=int, default=1000, metavar="N", help="in one request (%(default)s)")
    serve.add_argument(
        "--max-requests", type=int, default=64, metavar="N", help="that are answered at once (%(default)s)"
    )
    serve.add_argument(
        "--log-share",
        type=_share,
        default=0.01,
        metavar="SHARE",
        help="of the entities whose features are logged, where the catalog has serving_log; predictions always are (%(default)s)",
    )
    key = make(
        commands,
        "serve-key",
        ("serve", "serve_key"),
        "make a key for mlpipe serve, take one back, or show which there are",
        "  mlpipe serve-key add checkout --views customer_features --models repeat_purchase\n"
        "  mlpipe serve-key add till --views '' --models '' --sources orders\n"
        "  mlpipe serve-key remove checkout\n  mlpipe serve-key list",
    )
    key.add_argument("action", choices=("add", "remove", "list"), help="what to do")
    key.add_argument("name", nargs="?", metavar="NAME", help="who it is for, such as checkout")
    key.add_argument("--views", default="*", metavar="NAMES", help="views that it may ask, between commas (all)")
    key.add_argument("--models", default="*", metavar="NAMES", help="models that it may ask, between commas (all)")
    key.add_argument(
        "--sources", default="", metavar="NAMES", help="sources that it may push rows to, between commas (none)"
    )
    key.add_argument("--json", action="store_true", help="print the keys as a JSON array")


def add_pull(commands: Commands, make: Make) -> None:
    """Rows from elsewhere than files, between two runs."""
    pull = make(
        commands,
        "pull",
        ("pull", "pull"),
        "take what is new in topics, tables and APIs, and build nothing of it yet",
        "  mlpipe pull\n  mlpipe pull orders --json\n  mlpipe pull orders clicks --every 5",
    )
    pull.add_argument(
        "sources", nargs="*", metavar="SOURCE", help="such as orders; all but those of files unless some are named"
    )
    pull.add_argument(
        "--every", type=_positive, metavar="SECONDS", help="go on, with this pause in between, until SIGTERM or Ctrl-C"
    )
    pull.add_argument("--json", action="store_true", help="print what was taken as one JSON object on a line")


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share from 0 to 1; write it as 0.01, or 1 for all")
    return value


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 3600:  # noqa: PLR2004 (an hour; also refuses nan)
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0; write it as 2 or 0.5")
    return value
