"""The commands of `mlpipe` that read the tables."""

import argparse
from collections.abc import Callable

_AS_IN_A_TAG = "read the tables as this tag has them; see mlpipe tags"


def add_reading(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", command: Callable[..., argparse.ArgumentParser]
) -> None:
    """Add `sql` and `features`.

    Args:
        commands: Where to.
        command: Makes one, with what every command takes.
    """
    _add_sql(commands, command)
    _add_features(commands, command)


def _add_sql(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", command: Callable[..., argparse.ArgumentParser]
) -> None:
    sql = command(
        commands,
        "sql",
        ("show", "sql"),
        "print the rows of one select over the lake",
        '  mlpipe sql "show all tables"\n  mlpipe sql "select count(*) from stg.orders"\n'
        '  mlpipe sql "from feats.customer_features limit 5" --json > rows.json',
    )
    sql.add_argument(
        "query",
        metavar="QUERY",
        help="one statement that reads: select, from, with, values, pivot, describe, summarize, show, or explain of one. "
        "It can open the files of the lake's tables and nothing else; nothing is written",
    )
    sql.add_argument("--tag", metavar="NAME", help=_AS_IN_A_TAG)
    sql.add_argument("--json", action="store_true", help="print all rows as a JSON array; without it the first 200")


def _add_features(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", command: Callable[..., argparse.ArgumentParser]
) -> None:
    features = command(
        commands,
        "features",
        ("features", "features"),
        "join features to the rows of a file as they were known at each row's time, or list what features there are",
        "  mlpipe features --list\n"
        "  mlpipe features --spine labels.parquet --features customer_features:orders_30d,customer_features:age --out training.parquet\n"
        "  mlpipe features --spine calls.csv --time-zone Europe/Berlin --features 'customer_features:*' --statuses --out calls_with.csv",
    )
    features.add_argument(
        "--list", action="store_true", help="list the feature views with their features; nothing is joined"
    )
    features.add_argument("--spine", metavar="FILE", help="Parquet or CSV with the join keys and a time in each row")
    features.add_argument(
        "--features",
        nargs="+",
        metavar="VIEW:FEATURE",
        help="such as customer_features:orders_30d, or customer_features:*",
    )
    features.add_argument("--tag", metavar="NAME", help=_AS_IN_A_TAG)
    features.add_argument("--out", metavar="FILE", help="where to: .parquet or .csv; written whole or not at all")
    features.add_argument(
        "--event-time", default="event_timestamp", metavar="COL", help="the time of each row (default: %(default)s)"
    )
    features.add_argument(
        "--time-zone",
        metavar="ZONE",
        help="the zone of times without one, and of dates; unless given, they are refused",
    )
    features.add_argument(
        "--statuses", action="store_true", help="add <feature>__status: PRESENT, NULL_VALUE, NOT_FOUND, OUTSIDE_MAX_AGE"
    )
    features.add_argument("--full-names", action="store_true", help="call a feature <view>__<feature>")
    features.add_argument("--no-as-of", dest="as_of", action="store_false", help="leave out <view>__as_of")
    features.add_argument("--json", action="store_true", help="print what was done, or the list, as one JSON object")
