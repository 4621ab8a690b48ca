"""mlpipe gc: take away contents that neither a tag nor the newest state names, here and in the bucket of the lake."""

import argparse
import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from mlpipe_assets.commands.console import make_console, open_lake, plain, print_lines
from mlpipe_assets.commands.tables import print_table
from mlpipe_assets.errors import BusyError, spell_count
from mlpipe_assets.settings import read_settings
from mlpipe_assets.store.copies.garbage import SAFE, Garbage
from mlpipe_assets.store.copies.use import BucketLake
from mlpipe_assets.tagging.collecting import Collected, collect

_NOBODY = "that neither a tag nor the newest state names"


def gc(options: argparse.Namespace) -> int:
    """Take away contents that nothing names."""
    settings, remove = read_settings(), not options.dry_run
    lake, _ = open_lake(writing=True)
    done = list(collect(lake, time.time(), remove=remove))
    left = [one.left for one in done if one.left]
    bucket = None
    if settings.lake_address and settings.branch:
        left.append(
            f"{settings.lake_address}: the bucket is cleaned by mlpipe gc of main. Unset MLPIPE_BRANCH for that."
        )
    elif settings.lake_address:  # what has just gone here is named there until this ends, and stays for a day from then
        try:
            bucket = BucketLake(address=settings.lake_address, root=settings.data_dir).collect(remove=remove)
        except BusyError as error:
            left.append(f"{error}")
    found = {one.table: asdict(one.found) for one in done if one.found}
    total = {name: sum(table[name] for table in found.values()) for name in ("contents", "size", "waiting")}
    if options.json:
        told = _describe(bucket) if bucket else None
        print(json.dumps({**total, "tables": found, "bucket": told, "left": left, "dry_run": options.dry_run}))
        return 0
    console = make_console(options)
    _print_tables(console, done)
    verb = "would go" if options.dry_run else "went"
    place = " from the copy on this machine" if settings.lake_address else ""
    contents, size = spell_count(total["contents"], "content"), total["size"] / 1e6
    console.print(f"{contents} {_NOBODY} {verb}{place} ({size:,.1f} MB)", soft_wrap=True)
    if total["waiting"]:
        kept = f"{spell_count(total['waiting'], 'content')} replaced within the last hour"
        console.print(f"Kept for those who still read: {kept}", soft_wrap=True)
    if bucket:
        _print_bucket(console, bucket, settings.lake_address, verb)
    print_lines(console, "[yellow]note:[/]", left, whole=True)
    return 0


def _print_tables(console: Console, done: list[Collected]) -> None:
    rows = [
        [one.table, f"{one.found.contents:,}", f"{one.found.size / 1e6:,.1f}"]
        for one in done
        if one.found and one.found.contents
    ]
    if rows:
        print_table(console, ("table", "contents", "MB"), rows, numbers=("contents", "MB"))


def _print_bucket(console: Console, bucket: Garbage, address: str, verb: str) -> None:
    told = _describe(bucket)
    console.print(
        f"{spell_count(told['contents'], 'object')} {_NOBODY} {verb} from {plain(address)} ({told['size'] / 1e6:,.1f} MB); "
        f"{spell_count(told['named'], 'object')} {'is' if told['named'] == 1 else 'are'} named ({told['named_size'] / 1e6:,.1f} MB)",
        soft_wrap=True,
    )
    if told["waiting"]:
        kept = f"{spell_count(told['waiting'], 'object')} ({told['waiting_size'] / 1e6:,.1f} MB)"
        after = f"{told['next_after'][:16].replace('T', ' ')} UTC"
        console.print(
            f"Kept there for a day for those who still read: {kept}; some may go after {after}", soft_wrap=True
        )


def _describe(bucket: Garbage) -> dict[str, Any]:
    """What people and programs are told of a bucket."""
    waiting = bucket.waiting.values()
    first = min((one.since for one in waiting), default=None)
    return {
        "contents": len(bucket.may_go),
        "size": sum(one.size for one in bucket.may_go.values()),
        "waiting": len(waiting),
        "waiting_size": sum(one.size for one in waiting),
        "named": bucket.named,
        "named_size": bucket.named_size,
        "next_after": None if first is None else datetime.fromtimestamp(first + SAFE, tz=UTC).isoformat(),
    }
