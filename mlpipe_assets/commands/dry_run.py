"""mlpipe run --dry-run: what a run would read and build, from looks that change nothing."""

import argparse
import json
from collections.abc import Callable
from datetime import date

from rich.console import Console

from mlpipe_assets.automation.pending import pending
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.commands.calling import command
from mlpipe_assets.commands.console import plain, print_lines, spell_place
from mlpipe_assets.commands.tables import print_table
from mlpipe_assets.errors import spell_count
from mlpipe_assets.partitions import spell_days
from mlpipe_assets.stages.raw.plan import look_at_intakes, new_files
from mlpipe_assets.stages.work import spell_blocked
from mlpipe_assets.store.hold import tell_hold
from mlpipe_assets.store.lake import Lake


def tell_what_would_run(
    console: Console, lake: Lake, catalog: Catalog, wanted: Callable[[date], bool], options: argparse.Namespace
) -> int:
    """Print the new files of each source and the days behind of each table; exit 0 whatever they are."""
    fresh = {source.name: [file.name for file in new_files(lake, source)] for source in catalog.sources}
    fresh = {name: files for name, files in fresh.items() if files}
    works = pending(lake, catalog, wanted, everything=True)
    days = {work.table: work.days for work in works if work.days}
    problems = [
        *look_at_intakes(lake, catalog).problems,
        *(line for work in works for _, line in spell_blocked(work)),
    ]
    held = tell_hold(lake.objects)
    if options.json:
        document = {
            "new_files": fresh,
            "behind": {table: [f"{day}" for day in found] for table, found in days.items()},
            "problems": problems,
            "held": held,
        }
        print(json.dumps(document))
        return 0
    print_lines(console, "[yellow]held:[/]", held, whole=True)
    rows = [
        [f"raw/{name}", f"{spell_count(len(files), 'new file')}, such as {files[0]}"] for name, files in fresh.items()
    ]
    rows += [[table, f"{spell_count(len(found), 'day')}: {spell_days(found)}"] for table, found in days.items()]
    if rows:
        print_table(console, ("table", "what would be done"), rows)
    else:
        console.print(f"Nothing would be done: {spell_place(lake)} is up to date.", soft_wrap=True)
    if fresh:
        console.print("The days that new files bring, and what follows from them, are known when the files are read.")
    print_lines(console, "[yellow]now:[/]", problems, whole=options.verbose)
    if rows:
        console.print(f"Nothing was changed. Next: {plain(command())} run")
    return 0
