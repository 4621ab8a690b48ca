"""mlpipe diff: what differs between two tags, or between a tag and now."""

import argparse
import json
import textwrap
from collections.abc import Iterator
from typing import Any

from mlpipe_assets.commands.branches import fetch_branches
from mlpipe_assets.commands.console import make_console, open_lake
from mlpipe_assets.errors import spell_count
from mlpipe_assets.partitions import spell_days
from mlpipe_assets.settings import read_settings
from mlpipe_assets.tagging.differences import Difference, code_versions, differences, metrics, open_state
from mlpipe_assets.visible import visible

_WIDTH = 80
_MOST_COLUMNS = 12


def diff(options: argparse.Namespace) -> int:
    """Print what differs, table by table, then code and models."""
    lake, catalog = open_lake()
    fetch_branches(options.first, options.second)
    root = read_settings().project.root
    first, second = (open_state(lake, catalog, name, root) for name in (options.first, options.second))
    found = list(differences(catalog, first, second, options.tables))
    code, models = code_versions(first, second), metrics(first, second)
    if options.json:
        tables = [{**vars(one), "rows": {**vars(one.rows), "columns": dict(one.rows.columns)}} for one in found]
        document = {"from": first.name, "to": second.name, "tables": tables, "code_versions": code, "models": models}
        print(json.dumps(document, default=str))
        return 0
    console = make_console(options)
    if not (found or code or models):
        console.print(f"Nothing differs between {first.name} and {second.name}.", markup=False)
    lines = [line for one in found for line in _spell(one)]
    if code:
        lines += [
            "code",
            *(f"  {name}  {before or 'none'} → {after or 'none'}" for name, (before, after) in code.items()),
        ]
    for model, facts in models.items():
        lines += [f"champion of {model}", *(f"  {fact}  {_value(a)} → {_value(b)}" for fact, (a, b) in facts.items())]
    for line in lines:
        console.print(fold(visible(line)), markup=False, soft_wrap=True)
    return 0


def fold(line: str) -> str:
    """A line in lines of up to 80 characters, those after the first further in."""
    indent = len(line) - len(line.lstrip())
    return textwrap.fill(
        line.lstrip(),
        width=_WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + 4),
        break_on_hyphens=False,
    )


def _spell(one: Difference) -> Iterator[str]:
    yield one.table
    if one.missing:
        yield f"  not in {one.missing}; {spell_count(one.before or one.after, 'row')} in the other"
        return
    for what, days in (("changed", one.changed), ("added", one.added), ("removed", one.removed)):
        if days:
            yield f"  {spell_count(len(days), 'day')} {what}: {spell_days(days)}"
    yield f"  rows  {one.before:,} → {one.after:,}"
    if one.changed:
        rows = one.rows
        counts = f"{rows.added:,} added, {rows.removed:,} removed, {rows.changed:,} changed"
        same = "the same, made in another way or of other inputs"
        yield f"  rows of changed days  {counts if rows.added or rows.removed or rows.changed else same}"
    if one.rows.columns:
        named = [f"{name} {count:,}" for name, count in one.rows.columns.most_common(_MOST_COLUMNS)]
        more = len(one.rows.columns) - len(named)
        yield f"  values that differ  {', '.join(named)}{f' and {more:,} more columns' if more else ''}"
    if one.columns:
        yield f"  columns  {', '.join(one.columns)}"


def _value(value: Any) -> str:  # noqa: ANN401 (a number, a text or nothing, as JSON has it)
    if value is None:
        return "none"
    return f"{value:.4f}" if isinstance(value, float) else f"{value}"
