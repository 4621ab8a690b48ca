"""The commands of `mlpipe` and their options, each with its help."""

import argparse
from collections.abc import Sequence
from datetime import date, time

from mlpipe_assets.arguments_catalog import add_catalog
from mlpipe_assets.arguments_lake import add_copy_lake, add_sample
from mlpipe_assets.arguments_lineage import add_lineage
from mlpipe_assets.arguments_online import add_metrics, add_online, add_publish, add_pull, add_serve
from mlpipe_assets.arguments_reading import add_reading
from mlpipe_assets.arguments_versions import add_versions
from mlpipe_assets.arguments_views import add_views

ENVIRONMENT = """environment:
  MLPIPE_DATA_DIR     where everything is (data in the project's folder)
  MLPIPE_START_DATE   the first partition (2026-01-01)
  MLPIPE_CATALOG      what exists, as package.module:CATALOG; packages in the current folder are found
  MLPIPE_ALERT_URLS   where alerts go (nowhere but data/meta/alerts.jsonl)
  MLPIPE_ENVIRONMENT  its name, such as production: in the title of each alert
  MLPIPE_UI_URL       the address of Dagster's UI: in each alert
  The others are in docs/settings.md.

exit codes: 0 all is well, 1 data needs a person, 2 the call or the set-up is wrong"""


class _Version(argparse.Action):
    """Print the version; looked up only when it is asked for, so that other calls start faster."""

    def __init__(self, option_strings: Sequence[str], dest: str, **_: object) -> None:
        super().__init__(option_strings, dest=dest, nargs=0, help="print the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version  # noqa: PLC0415

        print(f"mlpipe {version('mlpipe_assets')}")  # noqa: T201
        parser.exit()


def make_parser() -> argparse.ArgumentParser:
    """Every command with its options; also what shell completion is made of."""
    parser = argparse.ArgumentParser(
        prog="mlpipe",
        description="From raw files to predictions one can trust. Files go into data/raw/<source>/; then: mlpipe run",
        epilog=ENVIRONMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    _add_init(commands)
    _add_run(commands)
    add_pull(commands, _command)
    _add_status(commands)
    add_reading(commands, _command)
    _add_verify(commands)
    add_views(commands, _command, read_day)
    add_catalog(commands, _command)
    add_versions(commands, _command, read_day)
    _add_trace(commands)
    add_lineage(commands, _command)
    _add_duty(commands)
    add_online(commands, _command)
    add_serve(commands, _command)
    add_metrics(commands, _command)
    add_publish(commands, _command)
    add_copy_lake(commands, _command)
    add_sample(commands, _command)
    _add_completion(commands)
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    function: tuple[str, str],
    summary: str,
    examples: str,
) -> argparse.ArgumentParser:
    """A command; `function` is the module below `commands/` and the name in it."""
    added = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    how_much = added.add_mutually_exclusive_group()
    how_much.add_argument("-q", "--quiet", action="store_true", help="print results and errors only")
    how_much.add_argument("-v", "--verbose", action="store_true", help="print every step and every message whole")
    added.set_defaults(command=function)
    return added


def _add_init(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    init = _command(
        commands,
        "init",
        ("init", "init"),
        "write a project of your own that runs at once; it never overwrites a file",
        "  mlpipe init shop\n  mlpipe init bank --example empty\n  mlpipe init .",
    )
    init.add_argument("folder", metavar="DIR", help="where; its last part names the package")
    init.add_argument(
        "--example",
        choices=("shop", "empty"),
        default="shop",
        help="shop: orders, customers, features, a model and a small sample; empty: nothing is declared yet (default: shop)",
    )
    init.add_argument("--name", metavar="NAME", help="the name of the Python package, where DIR gives none")


def _add_run(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    run = _command(
        commands,
        "run",
        ("run", "run"),
        "ingest the drop zone and bring every stage up to date",
        "  mlpipe run\n  mlpipe run --dry-run\n  mlpipe run --from 2026-01-05 --to 2026-01-11\n  mlpipe run --sample 0.01",
    )
    run.add_argument("--from", dest="first", type=read_day, metavar="DAY", help="build no day before this one")
    run.add_argument("--to", dest="last", type=read_day, metavar="DAY", help="build no day after this one")
    run.add_argument("--json", action="store_true", help="print what was done as one JSON object")
    either = run.add_mutually_exclusive_group()
    either.add_argument("--dry-run", action="store_true", help="print what would be read and built; change nothing")
    either.add_argument(
        "--sample", type=_share, metavar="SHARE", help="try it on this share of the entities, in data/prototype"
    )


def _add_status(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    status = _command(
        commands,
        "status",
        ("show", "status"),
        "show what the lake holds, what is behind and what is wrong",
        "  mlpipe status\n  mlpipe status --json | jq .attention\n  mlpipe status --check || echo somebody is needed",
    )
    status.add_argument("--json", action="store_true", help="print every partition as one JSON object")
    status.add_argument("--check", action="store_true", help="end with exit code 1 when something needs a person")


def _add_verify(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    verify = _command(
        commands,
        "verify",
        ("verify", "verify"),
        "read every file of the lake and say which does not hold what was written to it, and what to do",
        "  mlpipe verify\n  mlpipe verify --table interim/orders\n  mlpipe verify --json",
    )
    verify.add_argument("--table", metavar="TABLE", help="one table only, such as interim/orders or raw/orders")
    verify.add_argument("--json", action="store_true", help="every file that is wrong, as one JSON object")


def _add_trace(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    explain = _command(
        commands,
        "explain-prediction",
        ("trace", "explain_prediction"),
        "show what one prediction rests on: model, training set, rows, file and line",
        "  mlpipe explain-prediction repeat_purchase C00001 2026-04-30\n  mlpipe explain-prediction --request 5f0c2a9e",
    )
    explain.usage = "mlpipe explain-prediction [-q | -v] [--json] [--at TIME] MODEL KEY DATE\n\
       mlpipe explain-prediction [-q | -v] [--json] [--row N] --request ID"
    explain.add_argument(
        "what",
        metavar="MODEL KEY DATE",
        nargs="*",
        help="a model such as repeat_purchase, the join key of the entity (its values in turn where it has several), and the day "
        "of the prediction, as 2026-04-30",
    )
    explain.add_argument(
        "--at",
        type=_time,
        metavar="TIME",
        help="of a model of moments, which one of the day, as 10:30:00 in UTC (the last)",
    )
    explain.add_argument(
        "--request",
        metavar="ID",
        help="a prediction that mlpipe serve gave: the id of its request, as the answer had it",
    )
    explain.add_argument(
        "--row", type=int, default=0, metavar="N", help="which prediction of the request, from 0 (the first)"
    )
    explain.add_argument("--json", action="store_true", help="print everything as one JSON object")


def _add_duty(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    accept = _command(
        commands,
        "accept",
        ("duty", "accept"),
        "take a refused or missing day of a source as it is, or answers that differ from the lake, on record",
        '  mlpipe accept orders 2026-02-04 --reason "closed for the holiday"\n'
        '  mlpipe accept orders 2026-02-04..2026-02-06 --reason "closed for the holiday"\n'
        '  mlpipe accept validation/online_parity 2026-02-04 --reason "the snapshot was restored by hand"',
    )
    accept.add_argument(
        "source", metavar="SOURCE", help="a source of the catalog, such as orders; or validation/online_parity"
    )
    accept.add_argument("day", metavar="DATE", help="a day, or FIRST..LAST")
    accept.add_argument("--reason", required=True, help="why; shown in reports and metadata from then on")
    rollback = _command(
        commands,
        "rollback",
        ("duty", "rollback"),
        "make the previous champion of a model champion again, on record",
        '  mlpipe rollback repeat_purchase --reason "complaints since Monday"',
    )
    rollback.add_argument("model", metavar="MODEL", help="a model of the catalog, such as repeat_purchase")
    rollback.add_argument("--reason", required=True, help="why; kept with the history of champions")


def _add_completion(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    completion = _command(
        commands,
        "completion",
        ("completion", "completion"),
        "print a script that completes commands and options in your shell",
        "  source <(mlpipe completion bash)     # in ~/.bashrc\n  source <(mlpipe completion zsh)      # in ~/.zshrc\n"
        "  mlpipe completion fish | source      # in config.fish",
    )
    completion.add_argument("shell", choices=("bash", "zsh", "fish"), help="your shell")


def read_day(text: str) -> date:
    """A day as it is typed. Raises: argparse.ArgumentTypeError."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day; write it as 2026-01-31") from None
    if f"{day}" != text:  # 20260131 and 2026-W05 are ISO too, and typing errors more often
        raise argparse.ArgumentTypeError(f"{text!r} is not a day; write it as {day}")
    return day


def _time(text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time of day; write it as 10:30:00") from None


def _share(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share of the entities; write it as 0.01") from None
