"""mlpipe branch, promote and drop: the lake under another name, to try things in."""

import argparse
import json
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from mlpipe_assets.commands.console import make_console, open_lake, plain, print_lines
from mlpipe_assets.commands.tables import print_table
from mlpipe_assets.errors import MlpipeError, SettingsError, shorten, spell_count
from mlpipe_assets.lineage.branches import begin_with_lineage, promote_lineage
from mlpipe_assets.partitions import spell_days
from mlpipe_assets.settings import read_settings
from mlpipe_assets.store.branches import MAIN, branch_folder, expect_branch, list_branches, read_base
from mlpipe_assets.store.copies.bucket_branches import (
    drop_bucket_branch,
    forget_branch,
    names_of_branches,
    publish_branch,
    share_contents,
)
from mlpipe_assets.store.copies.use import BucketLake
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.tags import NOW
from mlpipe_assets.tagging.branching import drop_branch, find_changes, make_branch
from mlpipe_assets.tagging.promoting import promote as promote_branch


def branch(options: argparse.Namespace) -> int:
    """Begin a branch, or list those there are."""
    if not options.name:
        return _list(options)
    lake, catalog = open_lake(writing=True)
    started = time.monotonic()
    with _published(options.name):
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
    if place := _place():
        _expect_there(place, options.name)
        place.of(options.name).begin()
        share_contents(place, options.name)
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
    if place := _place():
        _expect_there(place, options.name)
        place.of(options.name).begin()
    drop_branch(lake, options.name, force=options.force)
    if place:
        drop_bucket_branch(place.of(options.name))
    if options.json:
        print(json.dumps({"dropped": options.name}))
    else:
        make_console(options).print(f"Branch {plain(options.name)} is gone", soft_wrap=True)
    return 0


def _list(options: argparse.Namespace) -> int:
    found: list[dict[str, Any]] = []
    problems: list[str] = []
    place = _place()
    for name in names_of_branches(place) if place else list_branches(read_settings().main_dir):
        try:
            fetch_branches(name)
            one = _branch(name)
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


def fetch_branches(*names: str) -> None:
    """Have branches of a lake in a bucket on this machine; of other names, and of a lake in a folder, nothing is done."""
    place = _place()
    wanted = {*names} - {MAIN, NOW} if place else set()
    if place and wanted:
        for name in wanted.intersection(names_of_branches(place)):
            place.of(name).fetch(deliveries=False)


def _place() -> BucketLake | None:
    """The main lake, where it is in a bucket."""
    settings = read_settings()
    return BucketLake(address=settings.lake_address, root=settings.main_dir) if settings.lake_address else None


@contextmanager
def _published(name: str) -> Iterator[None]:
    """Publish the branch that is made in the block, where the lake is in a bucket; what is half done is none."""
    place = _place()
    if place is None:
        yield
        return
    branch = place.of(branch_folder(place.root, name).name)
    if name in names_of_branches(place):
        raise SettingsError(f"There is a branch {name!r} already. Choose another name; or first: mlpipe drop {name}")
    forget_branch(branch)  # of one that was killed, or that another machine dropped
    try:
        yield
        publish_branch(place, name)
    except BaseException:
        forget_branch(branch)
        raise


def _expect_there(place: BucketLake, name: str) -> None:
    """Make sure that a lake in a bucket has a branch.

    Raises: SettingsError.
    """
    there = names_of_branches(place)
    if branch_folder(place.root, name).name not in there:
        which = f"there are {shorten(there, 10)}" if there else f"there is none yet. To make one: mlpipe branch {name}"
        raise SettingsError(f"There is no branch {name!r}; {which}.")


def _expect_main() -> None:
    if name := read_settings().branch:
        raise SettingsError(
            f"This is branch {name}, by MLPIPE_BRANCH. Unset it: branches are promoted and dropped from main."
        )
