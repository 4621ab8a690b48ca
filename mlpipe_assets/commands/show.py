"""mlpipe status and mlpipe sql: what the lake holds."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from mlpipe_assets.automation.loop_plan import golden_work, model_work, prediction_work
from mlpipe_assets.automation.plan import feature_work, interim_work, look_at_drop_zone, spell_blocked
from mlpipe_assets.commands.console import make_console, nothing_yet, open_lake, plain, print_lines
from mlpipe_assets.partitions import spell_days
from mlpipe_assets.resources.engine import Engine
from mlpipe_assets.resources.models import lost_pointer
from mlpipe_assets.resources.warehouse import query
from mlpipe_assets.settings import read_settings
from mlpipe_assets.status import Partition, partitions

_MOST_ROWS = 200


def status(options: argparse.Namespace) -> int:
    """What is there per table, what is behind, what is wrong."""
    lake, catalog = open_lake()
    found = list(partitions(lake, catalog, digests=options.json))
    zone = look_at_drop_zone(lake, catalog)
    problems = list(zone.problems)
    works = [interim_work(lake, s, lambda _: True) for s in catalog.sources]
    works += [feature_work(lake, catalog, v, lambda _: True) for v in catalog.feature_views]
    for model in (m for m in catalog.models if m.learner):
        works += [look(lake, catalog, model, lambda _: True) for look in (model_work, golden_work, prediction_work)]
    behind = {work.table: work.days for work in works if work.days}
    problems += [line for work in works for _, line in spell_blocked(work)]
    problems += filter(None, (lost_pointer(lake, model.name) for model in catalog.models if model.learner))
    if options.json:
        document: dict[str, Any] = {
            "partitions": [asdict(p) for p in found],
            "new_files": zone.new_files,
            "behind": {table: [f"{day}" for day in days] for table, days in behind.items()},
            "problems": problems,
        }
        print(json.dumps(document, default=str))
        return 0
    console = make_console()
    if not found and not zone.new_files and not problems:
        console.print(nothing_yet(lake))
        return 0
    _print_tables(console, found)
    if zone.new_files:
        console.print(f"{zone.new_files:,} new files in {lake.root / 'raw'}. Next: mlpipe run", soft_wrap=True)
    for name, days in behind.items():
        console.print(f"{name} is behind: {spell_days(days)}. Next: mlpipe run", soft_wrap=True)
    print_lines(console, "[bold red]problem:[/]", problems)
    return 0


def _print_tables(console: Console, found: Sequence[Partition]) -> None:
    """One line a table, and the partitions there is something to say of."""
    table = Table()
    for name in ("table", "partitions", "first", "last", "received", "accepted", "duplicates", "quarantined", "rows"):
        table.add_column(name, justify="left" if name in ("table", "first", "last") else "right")
    for name in dict.fromkeys(p.table for p in found):
        own = [p for p in found if p.table == name]
        counts = [_sum(own, field) for field in ("received", "accepted", "duplicates", "quarantined", "rows")]
        table.add_row(name, f"{len(own):,}", f"{own[0].date}", f"{own[-1].date}", *counts)
    console.print(table)
    for partition in found:
        if partition.note:
            console.print(f"{partition.table} {partition.date}: {plain(partition.note)}", soft_wrap=True)


def _sum(rows: Sequence[Any], name: str) -> str:
    values = [getattr(row, name) for row in rows if getattr(row, name) is not None]
    return f"{sum(values):,}" if values else ""


def sql(options: argparse.Namespace) -> int:
    """Rows of one statement over the lake."""
    lake, catalog = open_lake()
    names, rows = query(lake, Engine(memory_limit=read_settings().memory_limit), catalog, options.query)
    if options.json:
        print(json.dumps([dict(zip(names, row, strict=True)) for row in rows], default=str))
        return 0
    table = Table()
    for name in names:
        table.add_column(plain(name))
    for row in rows[:_MOST_ROWS]:
        table.add_row(*("" if value is None else plain(value) for value in row))
    console = make_console()
    console.print(table)
    if len(rows) > _MOST_ROWS:
        console.print(f"… the first {_MOST_ROWS} of {len(rows):,} rows; --json prints them all")
    return 0
