"""mlpipe publish: bring the warehouse up to date with the lake."""

import argparse
import json
from dataclasses import asdict

from mlpipe_assets.commands.console import make_console, open_lake, plain
from mlpipe_assets.commands.tables import print_table
from mlpipe_assets.errors import RunError, SettingsError
from mlpipe_assets.warehouse.plan import expect_warehouse, publish_behind, tables_named
from mlpipe_assets.warehouse.postgres import Behind
from mlpipe_assets.warehouse.tables import warehouse_tables

_COLUMNS = ("table", "partitions", "taken away", "rows")


def publish(options: argparse.Namespace) -> int:
    """Publish what is behind, or show it."""
    lake, catalog = open_lake(writing=not options.dry_run)
    if options.dry_run and options.take_over:
        raise SettingsError("--take-over changes who publishes, and --dry-run changes nothing: leave one of them away.")
    warehouse = expect_warehouse(lake, writing=not options.dry_run)
    if options.take_over:
        warehouse.take_over()
    behind = warehouse.find_behind(tables_named(warehouse_tables(lake, catalog), options.tables))
    console = make_console(options)
    if options.dry_run:
        rows = [[one.table.full_name, len(one.parts), len(one.gone), _why(one)] for one in behind]
        if options.json:
            print(
                json.dumps([dict(zip(("table", "partitions", "taken_away", "why"), row, strict=True)) for row in rows])
            )
        elif rows:
            told = [[plain(f"{cell:,}" if isinstance(cell, int) else cell) for cell in row] for row in rows]
            print_table(console, (*_COLUMNS[:3], "why"), told, numbers=_COLUMNS[1:3])
        else:
            console.print(f"{plain(warehouse.locate())} has what the lake has.", soft_wrap=True)
        return 0
    published, problems = publish_behind(warehouse, behind)
    if options.json:
        print(json.dumps([asdict(one) for one in published]))
    elif published:
        told = [[plain(one.table), f"{one.parts:,}", f"{one.gone:,}", f"{one.rows:,}"] for one in published]
        print_table(console, _COLUMNS, told, numbers=_COLUMNS[1:])
    if problems:
        raise RunError(problems)
    if not options.json:
        console.print(f"{plain(warehouse.locate())} has what the lake has.", soft_wrap=True)
    return 0


def _why(behind: Behind) -> str:
    if behind.anew:
        return "not there, or of other columns"
    return "changed" if behind.parts or behind.gone else "described otherwise"
