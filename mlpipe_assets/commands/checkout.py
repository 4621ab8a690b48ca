"""mlpipe checkout: tables go to a tag, and come back."""

import argparse
import json
import shlex
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from mlpipe_assets.automation.checked_out import note_resets
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.commands.console import make_console, open_lake, plain, print_lines
from mlpipe_assets.commands.tables import print_table
from mlpipe_assets.errors import SettingsError, shorten, spell_count
from mlpipe_assets.partitions import spell_days
from mlpipe_assets.store.hold import tell_hold
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.tags import NOW, read_tag
from mlpipe_assets.tagging.checkout import Reset, check_out, go_back
from mlpipe_assets.tagging.making import describe_code
from mlpipe_assets.tagging.own_lake import write_lake


def checkout(options: argparse.Namespace) -> int:
    """Reset tables to a tag, or bring them back."""
    if options.name == NOW and options.tables:
        raise SettingsError("mlpipe checkout now brings back every table that is held; leave --tables out.")
    if options.into and options.name == NOW:
        raise SettingsError(
            f"--into takes a tag. For the newest state: mlpipe tag NAME, then mlpipe checkout NAME --into {options.into}"
        )
    lake, catalog = open_lake(writing=not options.into)
    if options.into:
        return _write_lake(lake, catalog, options)
    started = time.monotonic()
    if options.name == NOW:
        resets = go_back(lake, catalog)
    else:
        resets = check_out(lake, catalog, options.name, tables=options.tables, now=datetime.now(tz=UTC))
    seconds = time.monotonic() - started
    note_resets(lake, catalog, resets, options.name)
    held = tell_hold(lake.objects)
    if options.json:
        print(
            json.dumps({"state": options.name, "tables": _in_json(resets), "held": held, "seconds": round(seconds, 3)})
        )
        return 0
    console = make_console(options)
    touched = [reset for reset in resets if reset.touched]
    if touched:
        rows = [[r.place, f"{len(r.days):,}", f"{len(r.gone):,}", spell_days(r.touched)] for r in touched]
        print_table(console, ("table", "reset", "gone", "days"), rows, numbers=("reset", "gone"))
    count = sum(len(reset.touched) for reset in touched)
    what = (
        f"{spell_count(count, 'partition')} of {spell_count(len(touched), 'table')} changed"
        if count
        else "nothing differed"
    )
    console.print(f"The tables are as in {plain(options.name)}: {what} ({seconds:.1f} s)", soft_wrap=True)
    print_lines(console, "[yellow]held:[/]", held, whole=True)
    print_lines(console, "[yellow]note:[/]", _other_code(lake, catalog, options.name), whole=True)
    return 0


def _other_code(lake: Lake, catalog: Catalog, name: str) -> list[str]:
    """That tables were made by other code than the project has now: what is there would not be made so again."""
    if name == NOW:
        return []
    tag, code = read_tag(lake.objects, name), describe_code(catalog)
    then = tag.about.get("code_versions") or {}
    other = [table for table, version in then.items() if code.get(table) != version]
    commit = (tag.about.get("git") or {}).get("commit")
    where = f"The tag is of commit {commit[:12]}" if commit else "The tag names no commit of git"
    return [f"{shorten(other, 3)}: made by other code than the project has now. {where}"] if other else []


def _write_lake(lake: Lake, catalog: Catalog, options: argparse.Namespace) -> int:
    """Write a lake of its own."""
    started = time.monotonic()
    folder = Path(options.into).absolute()
    written = write_lake(lake, catalog, options.name, folder, tables=options.tables, now=datetime.now(tz=UTC))
    seconds = time.monotonic() - started
    if options.json:
        print(json.dumps({"into": f"{folder}", **asdict(written), "seconds": round(seconds, 3)}))
        return 0
    console = make_console(options)
    console.print(
        f"{plain(folder)} has {spell_count(len(written.tables), 'table')} as in {plain(options.name)}: {written.linked / 1e6:,.1f} MB "
        f"linked, {written.copied / 1e6:,.1f} MB copied ({seconds:.1f} s)",
        soft_wrap=True,
    )
    if not written.links:
        console.print("[yellow]note:[/] there are no hard links from the data folder to there, so files were copied")
    console.print(f"Next: MLPIPE_DATA_DIR={plain(shlex.quote(str(folder)))} mlpipe status", soft_wrap=True)
    return 0


def _in_json(resets: Sequence[Reset]) -> dict[str, dict[str, list[str]]]:
    return {
        reset.place: {"reset": [f"{day}" for day in sorted(reset.days)], "gone": [f"{day}" for day in reset.gone]}
        for reset in resets
        if reset.touched
    }
