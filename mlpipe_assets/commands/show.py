"""mlpipe status and mlpipe sql: what the lake holds."""

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from mlpipe_assets.alerting.messages import Problem
from mlpipe_assets.automation.pending import pending
from mlpipe_assets.automation.problems import problems_now
from mlpipe_assets.commands.calling import command
from mlpipe_assets.commands.console import (
    MOST_LINES,
    make_console,
    nothing_yet,
    open_lake,
    open_tagged,
    plain,
    print_lines,
    spell_place,
)
from mlpipe_assets.commands.tables import print_rows, print_table
from mlpipe_assets.engines.distinct_names import distinct_names
from mlpipe_assets.engines.registry import open_engine
from mlpipe_assets.errors import spell_count
from mlpipe_assets.partitions import spell_days
from mlpipe_assets.publish.warehouse import query, tell_gaps
from mlpipe_assets.settings import read_settings
from mlpipe_assets.stages.raw.plan import look_at_intakes
from mlpipe_assets.stages.work import spell_blocked
from mlpipe_assets.status import Partition, arrivals, partitions, spell_left_out, spell_surprising
from mlpipe_assets.store import keys
from mlpipe_assets.store.digests import only_looking
from mlpipe_assets.store.hold import tell_hold
from mlpipe_assets.training.champion_record import lost_record
from mlpipe_assets.visible import spell_value

_MOST_ROWS = 200


@only_looking()
def status(options: argparse.Namespace) -> int:
    """What is there per table, what is behind, what is wrong."""
    lake, catalog = open_lake()
    found = list(partitions(lake, catalog, digests=options.json))
    zone = look_at_intakes(lake, catalog)
    problems = list(zone.problems)
    works = pending(lake, catalog, lambda _: True)
    behind = {work.table: work.days for work in works if work.days}
    problems += [line for work in works for _, line in spell_blocked(work)]
    problems += filter(None, (lost_record(lake, model.name) for model in catalog.models if model.learner))
    attention = problems_now(lake, catalog, datetime.now(tz=UTC))
    needs_a_person = bool(attention or problems)
    if options.json:
        document: dict[str, Any] = {
            "partitions": [asdict(p) for p in found],
            "deliveries": [asdict(a) for a in arrivals(lake, catalog)],
            "new_files": zone.new_files,
            "damaged": [str(damaged) for damaged in zone.damaged],
            "held": tell_hold(lake.objects),
            "behind": {table: [f"{day}" for day in days] for table, days in behind.items()},
            "problems": problems,
            "attention": [{"scope": scope, **asdict(p)} for scope, some in attention.items() for p in some],
        }
        print(json.dumps(document, default=str))
        return int(needs_a_person and options.check)
    console = make_console(options)
    if lake.is_new:
        console.print(f"{spell_place(lake)} was never used before.", soft_wrap=True)
    if not found and not zone.new_files and not needs_a_person:
        console.print(nothing_yet(lake, catalog), soft_wrap=True)
        return 0
    if found:
        _print_tables(console, found)
    print_lines(console, "[yellow]held:[/]", tell_hold(lake.objects), whole=True)
    if zone.new_files:
        where = spell_place(lake, keys.DROP_ZONE)
        console.print(
            f"{spell_count(zone.new_files, 'new file')} in {where}. Next: {plain(command())} run", soft_wrap=True
        )
    for damaged in zone.damaged:
        if damaged.source_file:
            console.print(plain(f"{damaged}"), soft_wrap=True)
    for name, days in behind.items():
        console.print(f"{name} is behind: {spell_days(days)}. Next: {plain(command())} run", soft_wrap=True)
    files = list(arrivals(lake, catalog))
    print_lines(console, "[bold]date of a file:[/]", spell_surprising(files), whole=options.verbose)
    print_lines(console, "[bold]left out of a file:[/]", spell_left_out(files), whole=options.verbose)
    _print_attention(make_console(), attention, whole=options.verbose)
    # What is left says what cannot be built, and why.
    told = {p.key for p in attention.get("files", [])}
    blocked = [line for line in problems if line.partition(": ")[0] not in told]
    print_lines(make_console(), "[bold red]problem:[/]", blocked, whole=options.verbose)
    return int(needs_a_person and options.check)


def _print_attention(console: Console, attention: Mapping[str, Sequence[Problem]], *, whole: bool) -> None:
    """What alerts report: where, what, since when, how many, an example, and what to do."""
    found = [problem for some in attention.values() for problem in some]
    if found:
        how_many = spell_count(len(found), "thing needs", "things need")
        console.print(f"\n[bold]{how_many} a person:[/]")
    for problem in found if whole else found[:MOST_LINES]:
        since = f", since {problem.since:%Y-%m-%d %H:%M} UTC" if problem.since else ""
        console.print(f"[bold red]{plain(problem.where)}[/]: {plain(problem.what)}{since}", soft_wrap=True)
        console.print(f"  {plain(problem.how_many)}; e.g. {plain(problem.example)}", soft_wrap=True)
        console.print(f"  to do: {plain(problem.to_do)}", soft_wrap=True)
    if not whole and len(found) > MOST_LINES:
        console.print(f"… and {len(found) - MOST_LINES:,} more; see {plain(command())} status --verbose")


def _print_tables(console: Console, found: Sequence[Partition]) -> None:
    """One line a table, and the partitions there is something to say of; what is not processed where something is."""
    unused = any(p.not_processed for p in found)
    counts = ("received", "accepted", "duplicates", "quarantined", *(["not processed"] if unused else []), "rows")
    rows: list[list[str]] = []
    for name in dict.fromkeys(p.table for p in found):
        own = [p for p in found if p.table == name]
        days = [p.date for p in own if p.received is None or p.rows is not None]
        span = [f"{days[0]}", f"{days[-1]}"] if days else ["", ""]
        rows.append([name, f"{len(days):,}", *span, *(_sum(own, count.replace(" ", "_")) for count in counts)])
    print_table(console, ("table", "partitions", "first", "last", *counts), rows, numbers=("partitions", *counts))
    for partition in found:
        if partition.note:
            console.print(f"{partition.table} {partition.date}: {plain(partition.note)}", soft_wrap=True)


def _sum(rows: Sequence[Any], name: str) -> str:
    values = [getattr(row, name) for row in rows if getattr(row, name) is not None]
    return f"{sum(values):,}" if values else ""


def sql(options: argparse.Namespace) -> int:
    """Rows of one statement over the lake."""
    lake, catalog = open_tagged(options.tag)
    names, rows = query(lake, open_engine(read_settings().memory_limit), catalog, options.query)
    if not options.quiet:  # beside the answer, which may go to a file
        beside = Console(stderr=True, highlight=False, emoji=False)
        print_lines(beside, "[yellow]note:[/]", tell_gaps(lake, catalog, options.query), whole=options.verbose)
    if options.json:
        keys = distinct_names(names)
        print(
            json.dumps([dict(zip(keys, map(_in_json, row), strict=True)) for row in rows], default=str, allow_nan=False)
        )
        return 0
    console = make_console()
    print_rows(console, names, [["" if v is None else spell_value(v) for v in row] for row in rows[:_MOST_ROWS]])
    if len(rows) > _MOST_ROWS and not options.quiet:
        console.print(f"… the first {_MOST_ROWS} of {len(rows):,} rows; --json prints them all")
    return 0


def _in_json(value: object) -> object:
    """A value as JSON can hold it: no number that is none or infinite, and keys of text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {f"{key}": _in_json(one) for key, one in value.items()}
    return [_in_json(one) for one in value] if isinstance(value, list | tuple) else value
