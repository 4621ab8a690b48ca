"""What `mlpipe run` prints at its end: each table, what was done to it, and what a person should know."""

import argparse
import json
import re
import shlex
from collections.abc import Sequence
from datetime import date
from typing import Any

from rich.console import Console

from mlpipe_assets.automation.catch_up import Summary
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.commands.calling import command, make_dev
from mlpipe_assets.commands.console import nothing_yet, plain, print_lines, spell_place
from mlpipe_assets.commands.tables import print_table
from mlpipe_assets.errors import spell_count
from mlpipe_assets.executors.registry import HERE, open_executor
from mlpipe_assets.flow import tables_of
from mlpipe_assets.settings import read_settings
from mlpipe_assets.status import partitions
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake

_COUNTS = ("rows", "quarantined", "duplicates", "not processed")  # of raw and interim, together the rows received
_ONLINE = "online/features"
_TABLE = re.compile(r"[a-z_]+/[\w.]+")
_OTHER_SPLITS = ("/validation", "/test")  # one training set is one partition, whatever its splits


def tell_summary(
    console: Console, lake: Lake, catalog: Catalog, summary: Summary, seconds: float, options: argparse.Namespace
) -> None:
    """Print what a run did, as tables and lines, or as one JSON object."""
    tables = _tables(lake, catalog, summary)
    executor = open_executor(read_settings().executor).name
    if options.json:
        document = {
            "data_dir": str(lake.root),
            "tables": tables,
            "errors": summary.errors,
            "warnings": summary.warnings,
            "busy": summary.busy,
            "run_ids": summary.run_ids,
            "executor": executor,
            "engine": read_settings().engine,
            "seconds": round(seconds, 1),
        }
        print(json.dumps(document))
        return
    if console.quiet:
        to_errors = Console(stderr=True, highlight=False, emoji=False)
        print_lines(to_errors, "[yellow]busy:[/]", summary.busy)
        print_lines(to_errors, "[bold red]error:[/]", summary.errors)
        return
    if tables and summary.did_nothing and not (summary.errors or summary.warnings or summary.busy):
        console.print(
            f"Everything is up to date: nothing new in {spell_place(lake, keys.DROP_ZONE)} ({seconds:.1f} s)."
        )
        return
    if not summary.did_nothing:
        counts = [name for name in _COUNTS if name != "not processed" or any(t["not_processed"] for t in tables)]
        numbers = ("partitions", "built now", *counts, "seconds")
        rows = [_row(table, counts) for table in tables]
        print_table(console, ("table", *numbers), rows, numbers=numbers, title="Every stage, in the order data flows")
    elif tables and not summary.busy:
        console.print("Nothing new to build.")
    print_lines(console, "[yellow]warning:[/]", _together(summary.warnings), whole=options.verbose)
    print_lines(console, "[yellow]busy:[/]", summary.busy, whole=options.verbose)
    print_lines(console, "[bold red]error:[/]", summary.errors, whole=options.verbose)
    if executor != HERE and not summary.did_nothing:
        console.print(
            f"Files were read, days judged, features made and profiles counted by {plain(executor)}.", soft_wrap=True
        )
    _tell_online(console, lake, summary, tables)
    report = lake.root / keys.REPORT_PAGE
    if report.exists() and not summary.did_nothing:
        console.print(f"What changed in the data, in pictures: {plain(report)}", soft_wrap=True)
    if not (tables or summary.errors or summary.warnings or summary.busy):
        console.print(nothing_yet(lake, catalog), soft_wrap=True)
    elif summary.errors:
        where = plain(lake.root / keys.VALIDATION)
        console.print(
            f"Done in {seconds:.1f} s, with errors. Next: {_on(lake)}{plain(command())} status, or see {where}",
            soft_wrap=True,
        )
    else:
        console.print(f"Done in {seconds:.1f} s. Next: {_next(lake, catalog)}", soft_wrap=True)


def _together(lines: Sequence[str]) -> list[str]:
    """What is said of several tables in the same words, said once: `monitoring/a, monitoring/b: …`."""
    tables: dict[str, list[str]] = {}
    for line in lines:
        table, _, words = line.partition(": ")
        if _TABLE.fullmatch(table):
            tables.setdefault(words, []).append(table)
        else:
            tables[line] = []
    return [f"{', '.join(found)}: {words}" if found else words for words, found in tables.items()]


def _tables(lake: Lake, catalog: Catalog, summary: Summary) -> list[dict[str, Any]]:
    """Per table what it holds, and how many of its partitions were built now."""
    whole = {table.key for table in tables_of(catalog) if table.holds}  # made anew, whatever day they are of
    totals: dict[str, dict[str, Any]] = {}
    days: dict[str, set[date]] = {}
    for p in partitions(lake, catalog, digests=False):
        name = "/".join(p.table.split("/")[:2])
        total = totals.setdefault(name, {"table": name, **dict.fromkeys(map(_key, ("received", *_COUNTS)), 0)})
        present = days.setdefault(name, set())
        if p.rows is not None and not p.table.endswith(_OTHER_SPLITS):
            present.add(p.date)
        for count in map(_key, ("received", *_COUNTS)):
            total[count] += getattr(p, count) or 0
    for name, total in totals.items():
        done = summary.tables.get(name)
        built = set(done.days) & days[name] if done and name not in whole else days[name] if done else set()
        total |= {
            "partitions": len(days[name]),
            "built_now": len(built),
            "seconds": round(done.seconds, 1) if done else None,
        }
        if not name.startswith(("raw", "interim")):
            total |= {"received": None, "quarantined": None}
        if not name.startswith("interim"):
            total["duplicates"] = None
        if not name.startswith("raw"):
            total["not_processed"] = None
    return list(totals.values())


def _tell_online(console: Console, lake: Lake, summary: Summary, tables: Sequence[dict[str, Any]]) -> None:
    """Where a snapshot was published now, what answers from it."""
    [rows] = [table["rows"] for table in tables if table["table"] == _ONLINE] or [0]
    if _ONLINE in summary.tables and rows:
        serve = f"{_on(lake)}{plain(command())} serve"
        console.print(f"{spell_count(rows, 'row')} of features answer online: {serve}", soft_wrap=True)


def _key(column: str) -> str:
    return column.replace(" ", "_")


def _row(table: dict[str, Any], counts: Sequence[str]) -> list[str]:
    done = table["seconds"] is not None
    return [
        table["table"],
        f"{table['partitions']:,}",
        f"{table['built_now']:,}" if done else "-",
        *("" if table[_key(count)] is None else f"{table[_key(count)]:,}" for count in counts),
        f"{table['seconds']:.1f}" if done else "",
    ]


def _next(lake: Lake, catalog: Catalog) -> str:
    names = [f"feats.{view.name}" for view in catalog.feature_views] or [f"stg.{s.name}" for s in catalog.sources]
    ask = (
        f'{_on(lake)}{plain(command())} sql "from {names[0]} limit 5"'
        if names
        else f"{_on(lake)}{plain(command())} status"
    )
    return ask if _on(lake) else f"{plain(make_dev())}   (the UI), or   {ask}"


def _on(lake: Lake) -> str:
    """What to put before a command so that it asks this lake, where the environment names another one."""
    return "" if lake.root == read_settings().data_dir else f"MLPIPE_DATA_DIR={plain(shlex.quote(str(lake.root)))} "
