"""The commands of `mlpipe` for versions of the lake."""

import argparse
from collections.abc import Callable
from datetime import date


def add_versions(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    command: Callable[..., argparse.ArgumentParser],
    day: Callable[[str], date],
) -> None:
    """Add `tag`, `tags`, `diff`, `checkout`, `branch`, `promote`, `drop`, `reproduce` and `gc`.

    Args:
        commands: Where to.
        command: Makes one, with what every command takes.
        day: Reads a day.
    """
    _add_tag(commands, command)
    _add_tags(commands, command)
    diff = command(
        commands,
        "diff",
        ("diff", "diff"),
        "print what differs between two of tags, branches, main and now: tables, days, rows, columns, models",
        "  mlpipe diff v1.0-training-set now\n  mlpipe diff main try-x\n  mlpipe diff v1.0 v1.1 --tables features/customer_features --json",
    )
    diff.add_argument("first", metavar="A", help="a tag, a branch, main or now")
    diff.add_argument("second", metavar="B", help="a tag, a branch, main or now")
    diff.add_argument(
        "--tables",
        nargs="+",
        default=[],
        metavar="TABLE",
        help="compare these alone, such as interim/orders (default: all)",
    )
    diff.add_argument("--json", action="store_true", help="print everything as one JSON object")
    _add_checkout(commands, command)
    _add_branches(commands, command)
    _add_reproduce(commands, command, day)
    collect = command(
        commands,
        "gc",
        ("gc", "gc"),
        "take away contents that neither a tag nor the newest state names",
        "  mlpipe gc --dry-run\n  mlpipe gc",
    )
    collect.add_argument("--dry-run", action="store_true", help="print what would go; change nothing")
    collect.add_argument("--json", action="store_true", help="print what went, table by table, as one JSON object")


def _add_reproduce(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    command: Callable[..., argparse.ArgumentParser],
    day: Callable[[str], date],
) -> None:
    reproduce = command(
        commands,
        "reproduce",
        ("reproduce", "reproduce"),
        "build a version of a model again, elsewhere, or predict a day again, and say whether all is equal",
        "  mlpipe reproduce repeat_purchase\n  mlpipe reproduce repeat_purchase 2026-04-30-1a2b3c4d --into /tmp/again\n"
        "  mlpipe reproduce repeat_purchase --day 2026-04-30",
    )
    reproduce.add_argument("model", metavar="MODEL", help="a model of the catalog")
    reproduce.add_argument("version", metavar="VERSION", nargs="?", default="champion", help="default: the champion")
    reproduce.add_argument(
        "--day", type=day, metavar="DAY", help="make the predictions of this day again, by the version that made them"
    )
    reproduce.add_argument("--into", metavar="DIR", help="build it there, and leave it (default: a folder that goes)")
    reproduce.add_argument("--json", action="store_true", help="print what was found as one JSON object")


def _add_branches(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", command: Callable[..., argparse.ArgumentParser]
) -> None:
    branch = command(
        commands,
        "branch",
        ("branches", "branch"),
        "begin a branch: the whole lake without a copy, to run and change anything in; without NAME, list them",
        "  mlpipe branch try-x\n  MLPIPE_BRANCH=try-x mlpipe run\n  mlpipe branch",
    )
    branch.add_argument("name", metavar="NAME", nargs="?", help="letters, digits and . _ + -, such as try-x")
    promote = command(
        commands,
        "promote",
        ("branches", "promote"),
        "bring what a branch changed into main; refused, saying where, when main has moved where it matters",
        "  mlpipe diff main try-x\n  mlpipe promote try-x",
    )
    promote.add_argument("name", metavar="NAME", help="a branch")
    drop = command(
        commands,
        "drop",
        ("branches", "drop"),
        "take a branch away; refused when it has what was not promoted",
        "  mlpipe drop try-x\n  mlpipe drop try-x --force",
    )
    drop.add_argument("name", metavar="NAME", help="a branch")
    drop.add_argument("--force", "--yes", action="store_true", help="lose what was not promoted")
    for one in (branch, promote, drop):
        one.add_argument("--json", action="store_true", help="print what was done as one JSON object")


def _add_checkout(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", command: Callable[..., argparse.ArgumentParser]
) -> None:
    checkout = command(
        commands,
        "checkout",
        ("checkout", "checkout"),
        "reset tables to a tag and hold them there, or bring them back; only days that differ are touched",
        "  mlpipe checkout v1.0-training-set\n  mlpipe checkout now\n"
        "  mlpipe checkout v1.0-training-set --tables processed/repeat_purchase\n"
        "  mlpipe checkout v1.0-training-set --into /tmp/as-it-was",
    )
    checkout.add_argument(
        "name", metavar="NAME", help="a tag; or now, for what the tables held before, from where runs go on"
    )
    checkout.add_argument(
        "--tables",
        nargs="+",
        default=[],
        metavar="TABLE",
        help="these alone, such as interim/orders (default: all of the tag)",
    )
    checkout.add_argument(
        "--into",
        metavar="DIR",
        help="write a lake of its own there instead, with hard links where it can; this one stays as it is",
    )
    checkout.add_argument("--json", action="store_true", help="print what was done as one JSON object")


def _add_tag(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", command: Callable[..., argparse.ArgumentParser]
) -> None:
    tag = command(
        commands,
        "tag",
        ("versions", "tag"),
        "give what the tables hold now a name; no byte of them is copied, and what the name stands for stays",
        '  mlpipe tag v1.0-training-set --message "what the model of March learnt from"\n'
        "  mlpipe tag before-the-move --tables interim/orders features/customer_features\n"
        "  mlpipe tag v1.0-training-set --delete",
    )
    tag.add_argument("name", metavar="NAME", help="letters, digits and . _ + -, such as v1.0-training-set")
    tag.add_argument(
        "--tables",
        nargs="+",
        default=[],
        metavar="TABLE",
        help="pin these alone, such as interim/orders (default: all)",
    )
    tag.add_argument("--message", default="", metavar="TEXT", help="why; shown by mlpipe tags")
    tag.add_argument(
        "--delete", action="store_true", help="take the tag away; what only it names goes with the next mlpipe gc"
    )
    tag.add_argument("--json", action="store_true", help="print what was done as one JSON object")


def _add_tags(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", command: Callable[..., argparse.ArgumentParser]
) -> None:
    tags = command(
        commands,
        "tags",
        ("versions", "tags"),
        "list the tags of the lake, the oldest first, with what each pins; or hand one to Iceberg or DVC",
        "  mlpipe tags\n  mlpipe tags --json\n  mlpipe tags export v1.0-training-set --format iceberg --tables interim/orders",
    )
    tags.add_argument("action", nargs="?", choices=("export",), help="write tables of a tag (default: list all tags)")
    tags.add_argument("name", nargs="?", metavar="NAME", help="of export: the tag")
    tags.add_argument(
        "--format", choices=("iceberg", "dvc"), help="of export: tables of Apache Iceberg, or pointers of DVC"
    )
    tags.add_argument(
        "--tables", nargs="+", default=[], metavar="TABLE", help="of export: these alone (default: all of the tag)"
    )
    tags.add_argument("--out", metavar="DIR", help="of export: the folder to write, or to add to (tags_FORMAT)")
    tags.add_argument(
        "--copy",
        action="store_true",
        help="of export to Iceberg: take the files along, so that they stay when the tag goes (default: name them)",
    )
    tags.add_argument("--json", action="store_true", help="print every tag, or what was written, as JSON")
