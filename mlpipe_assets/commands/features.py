"""mlpipe features: join features to the rows of a file as they were known then, or list what there is."""

import argparse
import json
import textwrap
import time
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from mlpipe_assets.catalog.view_facts import reading_of
from mlpipe_assets.commands.console import make_console, open_lake, open_tagged, plain, print_lines
from mlpipe_assets.commands.feature_list import ListedView, list_views
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
    lake, catalog = open_tagged(options.tag)
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
    readings = {view.name: reading_of(catalog, view) for view in retrieval.views}
    if options.json:
        written = {"out": f"{out}", "tag": options.tag, "rows": rows, "columns": retrieval.names, "readings": readings}
        print(json.dumps({**written, "notes": retrieval.notes, "seconds": round(seconds, 3)}))
        return 0
    console = make_console(options)
    as_in = f", as in tag {plain(options.tag)}" if options.tag else ""
    added = spell_count(retrieval.features, "feature")
    console.print(
        f"{spell_count(rows, 'row')} with {added} in {plain(out)}{as_in} ({seconds:.1f} s)",
        soft_wrap=True,
    )
    for name, reading in readings.items():
        console.print(f"features/{name}: {reading}", soft_wrap=True)
    if not options.quiet:
        beside = Console(stderr=True, highlight=False, emoji=False)
        print_lines(beside, "[yellow]note:[/]", retrieval.notes, whole=True)
    return 0


def _list(options: argparse.Namespace) -> int:
    if options.tag:
        raise SettingsError("--list shows what is declared now; leave --tag out. What a tag pins: mlpipe tags --json")
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
    """A heading, a line a fact, and a line a feature, none wider than a terminal."""
    heading = f"{view.view} of {view.entity} ({', '.join(view.join_keys)}), from {', '.join(view.inputs)}"
    _print_folded(console, heading, first="", then="  ", style="bold")
    _print_folded(console, view.description, first="  ", then="  ")
    facts = {
        "past days": view.late,
        "a row holds": view.holds,
        "newest": _spell_newest(view),
        "version": view.version,
        "used by": view.used,
        "online": _spell_online(view),
    }
    for name, text in facts.items():
        _print_folded(console, text, first=f"  {name:<12}", then=" " * 14)
    width = max((len(one.name) for one in view.features), default=0)
    for one in view.features:
        window = f"{one.window_days} d" if one.window_days else ""
        kind = " ".join(filter(None, (one.type, one.unit, "or null" if one.nullable else "")))
        told = f"{one.made}; {kind}{f': {one.description}' if one.description else ''}"
        _print_folded(console, told, first=f"  {one.name:<{width}}  {window:>5}  ", then=" " * (width + 11))


def _spell_newest(view: ListedView) -> str:
    if view.newest is None:
        return (
            "no partition yet" if view.late_since is None else f"none, late since {view.late_since:%Y-%m-%d %H:%M} UTC"
        )
    since = f"late since {view.late_since:%Y-%m-%d %H:%M} UTC" if view.late_since else "fresh"
    return f"{view.newest}, of {spell_count(view.days, 'day')}; {since}"


def _spell_online(view: ListedView) -> str:
    if view.online_problem:
        return view.online_problem
    if view.online is None:
        return "not published"
    other = "" if view.online.this_version else ", of another version"
    return f"{spell_count(view.online.entities, 'entity', 'entities')} as of {view.online.as_of[:16]}Z{other}"


def _print_folded(console: Console, text: str, *, first: str, then: str, style: str = "") -> None:
    width = console.width if console.is_terminal else len(first) + len(text) + 1
    lines = textwrap.wrap(
        visible(text),
        width,
        initial_indent=first,
        subsequent_indent=then,
        break_on_hyphens=False,
        break_long_words=False,
    )
    for line in lines:
        console.print(plain(line), soft_wrap=True, style=style or None)
