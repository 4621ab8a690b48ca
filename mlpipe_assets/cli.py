"""The `mlpipe` command: run, status, sql, explain-prediction, accept, rollback, sample."""

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence
from datetime import date

from rich.console import Console
from rich.markup import escape

from mlpipe_assets.errors import MissingPartitionError, MlpipeError, SettingsError, SqlError

_DATA, _USAGE, _STOPPED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when all is well, 1 when data needs a person, 2 when the call or the set-up is wrong."""
    _print_whatever_comes()
    options = _parser().parse_args(arguments)
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    module, name = options.command
    try:
        command = getattr(importlib.import_module(f"mlpipe_assets.commands.{module}"), name)
        return int(command(options))
    except (SettingsError, SqlError, MissingPartitionError) as error:
        errors.print(f"[bold red]error:[/] {escape(str(error))}")
        return _USAGE
    except MlpipeError as error:
        errors.print(f"[bold red]error:[/] {escape(str(error))}")
        return _DATA
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        errors.print("stopped; nothing is half written, the next `mlpipe run` goes on from here")
        return _STOPPED


def _print_whatever_comes() -> None:
    """Let a character that the terminal's code page lacks be printed as its escape, instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mlpipe",
        description="From raw files to predictions one can trust. Files go into data/raw/<source>/; then: mlpipe run",
        epilog="Environment: MLPIPE_DATA_DIR (data), MLPIPE_START_DATE (2026-01-01), MLPIPE_MEMORY_LIMIT (1GB), "
        "MLPIPE_ALERT_URLS (none).",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="ingest the drop zone and bring every stage up to date")
    run.add_argument("--from", dest="first", type=_day, metavar="DAY", help="build no day before this one")
    run.add_argument("--to", dest="last", type=_day, metavar="DAY", help="build no day after this one")
    run.add_argument(
        "--sample", type=float, metavar="SHARE", help="a prototype: this share of the entities, in data/prototype"
    )
    run.set_defaults(command=("run", "run"))
    status = commands.add_parser("status", help="what the lake holds, and what is wrong with it")
    status.add_argument("--json", action="store_true", help="every partition, for machines")
    status.set_defaults(command=("show", "status"))
    sql = commands.add_parser("sql", help='ask the lake, e.g. mlpipe sql "select count(*) from stg.orders"')
    sql.add_argument(
        "query",
        help="one statement that reads: select, from, with, values, pivot, describe, summarize, show, or explain of one. "
        "It can open the files of the lake's tables, and nothing else; nothing is written",
    )
    sql.add_argument("--json", action="store_true", help="rows as a JSON array")
    sql.set_defaults(command=("show", "sql"))
    explain = commands.add_parser(
        "explain-prediction", help="one prediction back to model, features, rows, file and line"
    )
    explain.add_argument("model")
    explain.add_argument("key", help="the entity, e.g. C00001")
    explain.add_argument("day", type=_day, metavar="DATE")
    explain.add_argument("--json", action="store_true", help="everything, for machines")
    explain.set_defaults(command=("trace", "explain_prediction"))
    accept = commands.add_parser("accept", help="take a refused or missing day of a source as it is, on record")
    accept.add_argument("source")
    accept.add_argument("day", metavar="DATE", help="a day, or FIRST..LAST")
    accept.add_argument("--reason", required=True, help="why; shown in reports and metadata from then on")
    accept.set_defaults(command=("duty", "accept"))
    rollback = commands.add_parser("rollback", help="make the previous champion of a model champion again, on record")
    rollback.add_argument("model")
    rollback.add_argument("--reason", required=True, help="why; kept with the history of champions")
    rollback.set_defaults(command=("duty", "rollback"))
    sample = commands.add_parser("sample", help="write the built-in example's files into the drop zone")
    sample.add_argument("--days", type=int, default=120)
    sample.add_argument("--orders-per-day", type=int, default=300)
    sample.add_argument("--customers", type=int, default=2000)
    sample.add_argument("--seed", type=int, default=7)
    sample.set_defaults(command=("sample", "sample"))
    return parser


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day; write it as 2026-01-31") from None


if __name__ == "__main__":
    sys.exit(main())
