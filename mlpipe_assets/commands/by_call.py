"""Bring a data folder up to date from Python, without the command line."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from datetime import date
from typing import Any

import dagster as dg

from mlpipe_assets.automation.catch_up import catch_up
from mlpipe_assets.automation.home import open_home
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import RunError
from mlpipe_assets.pipeline import build_graph
from mlpipe_assets.settings import read_settings
from mlpipe_assets.store.lake import Lake


def run_project(lake: Lake, catalog: Catalog, wanted: Callable[[date], bool]) -> list[dict[str, Any]]:
    """What was built: table, partitions, first, last and seconds of each table, in flow order.

    Raises: RunError with everything that needs a person.
    """
    settings = read_settings()
    with ExitStack() as opened:
        if "DAGSTER_HOME" not in os.environ:  # opening a home sets it, and the next project of this process has another
            opened.callback(os.environ.pop, "DAGSTER_HOME", None)

        def load() -> tuple[dg.Definitions, dg.DagsterInstance]:
            own = lake.root == settings.data_dir
            instance = opened.enter_context(open_home() if own else dg.DagsterInstance.ephemeral())
            return build_graph(catalog, settings.for_lake(lake.root)), instance

        summary = catch_up(lake, catalog, load, wanted)
    if summary.errors:
        raise RunError(summary.errors)
    return [
        {"table": t.table, "partitions": len(t.days), "first": min(t.days), "last": max(t.days), "seconds": t.seconds}
        for t in summary.tables.values()
        if t.days
    ]
