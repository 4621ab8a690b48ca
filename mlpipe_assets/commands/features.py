"""mlpipe features: join features to the rows of a file as they were known then, or list what there is."""

import argparse
import json
import textwrap
import time
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from mlpipe_assets.commands.console import make_console, open_lake, plain, print_lines
from mlpipe_assets.commands.feature_list import ListedView, list_views, reading_of
from mlpipe_assets.errors import SettingsError, spell_count
from mlpipe_assets.point_in_time.retrieval import Retrieval, Wording
from mlpipe_assets.point_in_time.retrieved_file import expect_target, write_features
from mlpipe_assets.visible import visible


def features(options: argparse.Namespace) -> int:
    """Write the rows of a spine with features, or print the list of views."""
    if options.list:
        return _list(options)
    lacking = [f"--{name}" for name in ("spine", "features", "out") if not getattr(options, name)]
    if lacking:
        raise SettingsError(
            f"mlpipe features needs {', '.join(lacking)}; or --list, which shows what features there are."
        )
    lake, catalog = open_lake()
    spine, out = Path(options.spine), Path(options.out)
    expect_target(out, spine)
    asked = [name for text in options.features for name in text.split(",") if name]
    wording = Wording(
        event_time=options.event_time,
        time_zone=options.time_zone,
        statuses=options.statuses,
        as_of=options.as_of,
        full_names=options.full_names,
    )
    started = time.monotonic()
    retrieval = Retrieval(lake, catalog, asked, spine, wording)
    rows = write_features(retrieval, out)
    seconds = time.monotonic() - started
    readings = {view.name: reading_of(view) for view in retrieval.views}
    if options.json:
        written = {"out": f"{out}", "rows": rows, "columns": retrieval.names, "readings": readings}
        print(json.dumps({**written, "notes": retrieval.notes, "seconds": round(seconds, 3)}))
        return 0
    console = make_console(options)
    added = spell_count(retrieval.features, "feature")
    console.print(f"{spell_count(rows, 'row')} with {added} in {plain(out)} ({seconds:.1f} s)", soft_wrap=True)
    for name, reading in readings.items():
        console.print(f"features/{name}: {reading}", soft_wrap=True)
    if not options.quiet:
        beside = Console(stderr=True, highlight=False, emoji=False)
        print_lines(beside, "[yellow]note:[/]", retrieval.notes, whole=True)
    return 0


def _list(options: argparse.Namespace) -> int:
    lake, catalog = open_lake()
    found = list_views(lake, catalog)
    if options.json:
        print(json.dumps({"views": [asdict(view) for view in found]}, default=str))
        return 0
    console = make_console()
    if not found:
        console.print("The catalog declares no feature view yet.")
    for view in found:
        _print_view(console, view)
    return 0


def _print_view(console: Console, view: ListedView) -> None:
    """A heading, what holds for all of it, and a line a feature, none wider than a terminal."""
    console.print(
        f"[bold]{plain(view.view)}[/] of {plain(view.entity)} ({plain(', '.join(view.join_keys))})", soft_wrap=True
    )
    facts = [
        f"looks back {spell_count(view.lookback_days, 'day')}",
        f"a row holds for {view.ttl}" if view.ttl else "a row holds until the next",
        f"past days are {view.reading}",
        f"{spell_count(view.days, 'day')}, the newest {view.newest}" if view.newest else "no partition yet",
        f"version {view.version}",
        f"used by {', '.join(view.models) or 'no model'}",
    ]
    for text in (view.description, f"{'; '.join(facts)}."):
        _print_folded(console, text, first="  ", then="  ")
    width = max((len(one.name) for one in view.features), default=0)
    for one in view.features:
        kind = " ".join(filter(None, (one.type, one.unit, "or null" if one.nullable else "")))
        _print_folded(
            console,
            f"{kind}{f': {one.description}' if one.description else ''}",
            first=f"  {one.name:<{width}}  ",
            then=" " * (width + 4),
        )


def _print_folded(console: Console, text: str, *, first: str, then: str) -> None:
    width = console.width if console.is_terminal else len(first) + len(text) + 1
    for line in textwrap.wrap(visible(text), width, initial_indent=first, subsequent_indent=then):
        console.print(plain(line), soft_wrap=True)
