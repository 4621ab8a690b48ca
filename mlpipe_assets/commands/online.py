"""mlpipe online: what is published for online answers, published again, or taken back."""

import argparse
import json
from datetime import UTC, datetime
from functools import partial

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.commands.calling import command
from mlpipe_assets.commands.console import make_console, open_lake, plain
from mlpipe_assets.commands.tables import print_table
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.serving.snapshots.online_store import Reader
from mlpipe_assets.serving.snapshots.parity import expect_parity
from mlpipe_assets.serving.snapshots.selection import plan_snapshot
from mlpipe_assets.serving.snapshots.snapshot import Generation, Line, spell_line
from mlpipe_assets.stages.online.plan import store_of
from mlpipe_assets.store.lake import Lake

_COLUMNS = ("snapshot", "published", "view", "as of", "entities", "version", "state")


def online(options: argparse.Namespace) -> int:
    """Show the snapshots, publish one, or go back to the one before."""
    return {"status": _status, "publish": _publish, "rollback": _rollback}[options.action](options)


def _status(options: argparse.Namespace) -> int:
    lake, _ = open_lake()
    store = store_of(lake)
    line = store.line()
    if options.json:
        print(json.dumps({"store": store.locate(), **spell_line(line)}, default=str))
        return 0
    console = make_console(options)
    if not line.generations:
        console.print(f"Nothing is published online yet. Next: {plain(command())} run", soft_wrap=True)
        return 0
    rows = [
        [
            one.id,
            f"{one.published_at:%Y-%m-%d %H:%M}",
            view.name,
            view.as_of[:10],
            f"{view.rows:,}",
            view.version,
            _state(line, one),
        ]
        for one in line.generations
        for view in one.views.values()
    ]
    print_table(console, _COLUMNS, [[plain(cell) for cell in row] for row in rows], numbers=("entities",))
    console.print(f"In {plain(store.locate())}", soft_wrap=True)
    return 0


def _publish(options: argparse.Namespace) -> int:
    lake, catalog = open_lake(writing=True)
    now = datetime.now(tz=UTC)
    snapshot = plan_snapshot(lake, catalog, now).read()
    generation = store_of(lake).publish(snapshot, partial(_expect, lake, catalog, now))
    entities = sum(view.rows for view in generation.views.values())
    make_console(options).print(f"Published {generation.id}: {entities:,} rows of entities answer now.", soft_wrap=True)
    return 0


def _expect(lake: Lake, catalog: Catalog, now: datetime, reader: Reader) -> None:
    expect_parity(lake, catalog, reader, now)


def _rollback(options: argparse.Namespace) -> int:
    lake, _ = open_lake(writing=True)
    if not (options.reason or "").strip():
        raise SettingsError("--reason is missing. Say why the snapshot has to go; it stays on record.")
    restored = store_of(lake).roll_back(options.reason.strip())
    make_console(options).print(
        f"The snapshot {restored.id} answers again. No run publishes what was taken back; new features are published as ever, and "
        f"{plain(command())} online publish does it at once.",
        soft_wrap=True,
    )
    return 0


def _state(line: Line, one: Generation) -> str:
    if one.id == line.current:
        return "answers"
    return f"taken back: {one.withdrawn}" if one.withdrawn else "kept"
