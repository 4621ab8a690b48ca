"""The commands of `mlpipe` that fill or copy a lake as a whole."""

import argparse
from collections.abc import Callable


def add_copy_lake(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", command: Callable[..., argparse.ArgumentParser]
) -> None:
    """Add `copy-lake`; `command` makes one, with what every command takes."""
    copied = command(
        commands,
        "copy-lake",
        ("copy_lake", "copy_lake"),
        "copy the lake into a bucket, or from a bucket into a folder, every file held to its digest",
        "  mlpipe copy-lake s3://lake/shop                                       # from the folder of this project\n"
        "  MLPIPE_DATA_DIR=s3://lake/shop mlpipe copy-lake /srv/shop/data        # and back",
    )
    copied.add_argument("target", metavar="TARGET", help="a bucket without a lake, or a folder that does not exist")


def add_sample(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", command: Callable[..., argparse.ArgumentParser]
) -> None:
    """Add `sample`; `command` as above."""
    sample = command(
        commands,
        "sample",
        ("sample", "sample"),
        "write the built-in example's files into the drop zone",
        "  mlpipe sample\n  mlpipe sample --days 30 --customers 200",
    )
    sample.add_argument("--days", type=int, default=120, metavar="N", help="days of orders (%(default)s)")
    sample.add_argument("--orders-per-day", type=int, default=300, metavar="N", help="orders a day (%(default)s)")
    sample.add_argument("--customers", type=int, default=2000, metavar="N", help="customers (%(default)s)")
    sample.add_argument("--seed", type=int, default=7, metavar="N", help="of everything random (%(default)s)")
