"""mlpipe branch, promote and drop: the lake under another name, to try things in."""

import argparse
import json
import shlex
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from mlpipe_assets.commands.console import make_console, open_lake, plain, print_lines
from mlpipe_assets.commands.tables import print_table
from mlpipe_assets.errors import MlpipeError, SettingsError, shorten, spell_count
from mlpipe_assets.lineage.branches import begin_with_lineage, promote_lineage
from mlpipe_assets.partitions import spell_days
from mlpipe_assets.settings import read_settings
from mlpipe_assets.store.branches import expect_branch, list_branches, read_base
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.tagging.branching import drop_branch, find_changes, make_branch
from mlpipe_assets.tagging.promoting import promote as promote_branch


def branch(options: argparse.Namespace) -> int:
    """Begin a branch, or list those there are."""
    _expect_folder()
    if not options.name:
        return _list(options)
    lake, catalog = open_lake(writing=True)
    started = time.monotonic()
    written = make_branch(lake, catalog, options.name, now=datetime.now(tz=UTC))
    begin_with_lineage(lake, catalog, _branch(options.name))
    seconds = time.monotonic() - started
    if options.json:
        print(json.dumps({"branch": options.name, **asdict(written), "seconds": round(seconds, 3)}))
        return 0
    console = make_console(options)
    console.print(
        f"Branch {plain(options.name)} has {spell_count(len(written.tables), 'table')}: {written.linked / 1e6:,.1f} MB linked, "
        f"{written.copied / 1e6:,.1f} MB copied ({seconds:.1f} s)",
        soft_wrap=True,
    )
    if not written.links:
        console.print("[yellow]note:[/] the file system has no hard links, so files were copied")
    console.print(f"Next: MLPIPE_BRANCH={plain(shlex.quote(options.name))} mlpipe run", soft_wrap=True)
    return 0


def promote(options: argparse.Namespace) -> int:
    """Bring what a branch changed into the lake it began from."""
    _expect_main()
    lake, catalog = open_lake(writing=True)
    started = time.monotonic()
    done = promote_branch(lake, catalog, options.name, now=datetime.now(tz=UTC))
    promote_lineage(lake, catalog, _branch(options.name))
    seconds = time.monotonic() - started
    from mlpipe_assets.automation.checked_out import note_resets  # noqa: PLC0415 (brings Dagster, which the list does without)

    note_resets(lake, catalog, done.tables, f"branch {options.name}")
    touched = [reset for reset in done.tables if reset.touched]
    if options.json:
        tables = {reset.place: [f"{day}" for day in reset.touched] for reset in touched}
        told = {"branch": options.name, "tables": tables, "documents": done.documents, "seconds": round(seconds, 3)}
        print(json.dumps(told))
        return 0
    console = make_console(options)
    if touched:
        rows = [[r.place, f"{len(r.days):,}", f"{len(r.gone):,}", spell_days(r.touched)] for r in touched]
        print_table(console, ("table", "reset", "gone", "days"), rows, numbers=("reset", "gone"))
    count = sum(len(reset.touched) for reset in touched)
    what = f"{spell_count(count, 'partition')} of {spell_count(len(touched), 'table')} and {spell_count(len(done.documents), 'document')}"
    console.print(
        f"Branch {plain(options.name)} is promoted: {what if count or done.documents else 'nothing differed'} ({seconds:.1f} s)",
        soft_wrap=True,
    )
    return 0


def drop(options: argparse.Namespace) -> int:
    """Take a branch away."""
    _expect_main()
    lake, _ = open_lake(writing=True)
    drop_branch(lake, options.name, force=options.force)
    if options.json:
        print(json.dumps({"dropped": options.name}))
    else:
        make_console(options).print(f"Branch {plain(options.name)} is gone", soft_wrap=True)
    return 0


def _list(options: argparse.Namespace) -> int:
    found: list[dict[str, Any]] = []
    problems: list[str] = []
    for name in list_branches(read_settings().main_dir):
        one = _branch(name)
        try:
            changes = find_changes(one)
            found.append({"name": name, "made_at": read_base(one.objects).made_at, "changes": changes.spell()})
        except MlpipeError as error:
            problems.append(f"{error}")
    if options.json:
        print(json.dumps({"branches": found, "problems": problems}))
        return int(bool(problems))
    console = make_console(options)
    if found:
        rows = [
            [
                f"{one['name']}",
                f"{one['made_at']}"[:16].replace("T", " "),
                shorten(list(one["changes"]), 3) or "nothing",
            ]
            for one in found
        ]
        print_table(console, ("branch", "began (UTC)", "not promoted"), rows)
    elif not problems:
        console.print("There is no branch. To begin one: mlpipe branch NAME")
    print_lines(make_console(), "[bold red]problem:[/]", problems, whole=True)
    return int(bool(problems))


def _branch(name: str) -> Lake:
    return Lake(data_dir=f"{expect_branch(read_settings().main_dir, name)}")


def _expect_main() -> None:
    _expect_folder()
    if name := read_settings().branch:
        raise SettingsError(
            f"This is branch {name}, by MLPIPE_BRANCH. Unset it: branches are promoted and dropped from main."
        )


def _expect_folder() -> None:
    if address := read_settings().lake_address:
        raise SettingsError(
            f"Branches are of a lake in a folder, and this one is in {address}. To try something: mlpipe copy-lake FOLDER, and work there."
        )
