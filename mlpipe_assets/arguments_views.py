"""The commands of `mlpipe` that print what follows from a declaration."""

import argparse
from collections.abc import Callable
from datetime import date


def add_views(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    command: Callable[..., argparse.ArgumentParser],
    day: Callable[[str], date],
) -> None:
    """Add `show-sql` and `scaffold`.

    Args:
        commands: Where to.
        command: Makes one, with what every command takes.
        day: Reads a day.
    """
    shown = command(
        commands,
        "show-sql",
        ("views", "show_sql"),
        "print the SQL of a feature view, as it is written from its aggregates or as its file has it",
        "  mlpipe show-sql customer_features\n  mlpipe show-sql customer_features --from 2026-01-05 --to 2026-01-11",
    )
    shown.add_argument("view", metavar="VIEW", help="a feature view of the catalog, such as customer_features")
    shown.add_argument("--from", dest="first", type=day, metavar="DAY", help="put this day in place of $start")
    shown.add_argument("--to", dest="last", type=day, metavar="DAY", help="put this day in place of $end")
    scaffold = command(
        commands,
        "scaffold",
        ("views", "scaffold"),
        "print the contract that fits what a feature view declares, to begin with",
        "  mlpipe scaffold view customer_features > shop/contracts/customer_features.py",
    )
    scaffold.add_argument("kind", choices=("view",), help="what to write: the contract of a feature view")
    scaffold.add_argument(
        "name", metavar="VIEW", help="a feature view of the catalog, whatever its contract says so far"
    )
