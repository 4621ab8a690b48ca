"""mlpipe verify: every file of the lake against the digest on record."""

import argparse
import json
import time
from dataclasses import asdict

from rich.console import Console

from mlpipe_assets.commands.console import make_console, open_lake, plain
from mlpipe_assets.verification import Verified, Wrong
from mlpipe_assets.verification import verify as verify_lake

_MOST_LINES = 20
_A_WHILE = 0.5  # seconds between two lines of progress
_WRONG = 1


def verify(options: argparse.Namespace) -> int:
    """Say of every file whether it holds what was written to it; 1 when one does not."""
    lake, catalog = open_lake()
    started = time.monotonic()
    console = make_console(options)
    if options.json or not console.is_terminal:
        found = verify_lake(lake, catalog, options.table, lambda _: None)
    else:
        with console.status("reading the lake") as status:
            last = [0.0]

            def show(so_far: Verified) -> None:
                if time.monotonic() - last[0] > _A_WHILE:
                    last[0] = time.monotonic()
                    status.update(f"{so_far.files:,} files, {so_far.size / 1e6:,.0f} MB, {len(so_far.wrong):,} wrong")

            found = verify_lake(lake, catalog, options.table, show)
    seconds = time.monotonic() - started
    if options.json:
        print(json.dumps(asdict(found) | {"seconds": round(seconds, 3)}))
    else:
        _print(console, found, seconds)
    return _WRONG if found.wrong else 0


def _print(console: Console, found: Verified, seconds: float) -> None:
    for title, again in (("Can be made again:", True), ("Needs a person:", False)):
        files = [wrong for wrong in found.wrong if wrong.again is again]
        if files:
            console.print(f"[bold red]{title}[/] {len(files):,}")
        for wrong in files[:_MOST_LINES]:
            console.print(f"  {plain(_spell(wrong))}", soft_wrap=True)
        if len(files) > _MOST_LINES:
            console.print(f"  … and {len(files) - _MOST_LINES:,} more; --json lists them all")
    if found.unknown:
        console.print(
            f"{_files(found.unknown)} of tables that no digest was ever kept of, written by an earlier version. The digests are taken "
            "of what is there when the table is next written.",
            soft_wrap=True,
        )
    if found.open_to_others:
        console.print(
            f"{_files(found.open_to_others)} open to users whom MLPIPE_FILE_MODE does not name: written before it was set, or changed "
            "by hand.",
            soft_wrap=True,
        )
    right = found.files - sum(wrong.what != "" for wrong in found.wrong if "not on record" not in wrong.what)
    hold = "file holds what was written to it" if found.files == 1 else "files hold what was written to them"
    console.print(f"{max(right, 0):,} of {found.files:,} {hold} ({found.size / 1e6:,.0f} MB, {seconds:.1f} s).")


def _files(count: int) -> str:
    return "1 file is" if count == 1 else f"{count:,} files are"


def _spell(wrong: Wrong) -> str:
    return f"{wrong.path} {wrong.what}. {wrong.to_do}"
