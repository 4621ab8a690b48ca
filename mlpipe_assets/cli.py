"""The `mlpipe` command: run, status, sql, accept, sample."""

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.logging import RichHandler
from rich.table import Table

from mlpipe_assets.errors import LakeError, MissingPartitionError, MlpipeError, SettingsError, SqlError

if TYPE_CHECKING:
    import dagster as dg

    from mlpipe_assets.automation.catch_up import Summary
    from mlpipe_assets.catalog.declarations import Catalog
    from mlpipe_assets.resources.lake import Lake
    from mlpipe_assets.status import Partition

_DATA, _USAGE, _STOPPED = 1, 2, 130
_MOST_LINES = 12
_MOST_ROWS = 200


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when all is well, 1 when data needs a person, 2 when the call or the set-up is wrong."""
    options = _parser().parse_args(arguments)
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        return int(options.command(options))
    except (SettingsError, SqlError, MissingPartitionError) as error:
        errors.print(f"[bold red]error:[/] {_plain(error)}")
        return _USAGE
    except MlpipeError as error:
        errors.print(f"[bold red]error:[/] {_plain(error)}")
        return _DATA
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        errors.print("stopped; nothing is half written, the next `mlpipe run` goes on from here")
        return _STOPPED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mlpipe",
        description="From raw files to leak-free training data. Files go into data/raw/<source>/; then: mlpipe run",
        epilog="Environment: MLPIPE_DATA_DIR (data), MLPIPE_START_DATE (2026-01-01), MLPIPE_MEMORY_LIMIT (1GB).",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="ingest the drop zone and bring every stage up to date")
    run.add_argument("--from", dest="first", type=_day, metavar="DAY", help="build no day before this one")
    run.add_argument("--to", dest="last", type=_day, metavar="DAY", help="build no day after this one")
    run.set_defaults(command=_run)
    status = commands.add_parser("status", help="what the lake holds, and what is wrong with it")
    status.add_argument("--json", action="store_true", help="every partition, for machines")
    status.set_defaults(command=_status)
    sql = commands.add_parser("sql", help='ask the lake, e.g. mlpipe sql "select count(*) from stg.orders"')
    sql.add_argument("query")
    sql.add_argument("--json", action="store_true", help="rows as a JSON array")
    sql.set_defaults(command=_sql)
    accept = commands.add_parser("accept", help="take a refused or missing day of a source as it is, on record")
    accept.add_argument("source")
    accept.add_argument("day", metavar="DATE", help="a day, or FIRST..LAST")
    accept.add_argument("--reason", required=True, help="why; shown in reports and metadata from then on")
    accept.set_defaults(command=_accept)
    sample = commands.add_parser("sample", help="write the built-in example's files into the drop zone")
    sample.add_argument("--days", type=int, default=120)
    sample.add_argument("--orders-per-day", type=int, default=300)
    sample.add_argument("--customers", type=int, default=2000)
    sample.add_argument("--seed", type=int, default=7)
    sample.set_defaults(command=_sample)
    return parser


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day; write it as 2026-01-31") from None


def _open() -> "tuple[Lake, Catalog]":
    """The lake and the catalog the environment names."""
    from mlpipe_assets.catalog.contents import load_catalog
    from mlpipe_assets.resources.lake import Lake
    from mlpipe_assets.settings import read_settings

    settings = read_settings()
    return Lake(data_dir=str(settings.data_dir)), load_catalog(settings.catalog)


def _run(options: argparse.Namespace) -> int:
    from mlpipe_assets.automation.catch_up import catch_up
    from mlpipe_assets.partitions import START_DATE, last_partition

    first, last = options.first or START_DATE, options.last or last_partition()
    if first > last or last < START_DATE or first > last_partition():
        raise SettingsError(
            f"No day lies between {first} and {last}; partitions run from {START_DATE} to {last_partition()}."
        )
    lake, catalog = _open()
    console = _console()
    started = time.monotonic()
    with _Progress(console):
        summary = catch_up(lake, catalog, _load_dagster, lambda day: first <= day <= last)
    _print_summary(console, lake, catalog, summary, time.monotonic() - started)
    return _DATA if summary.errors else 0


def _load_dagster() -> "tuple[dg.Definitions, dg.DagsterInstance]":
    """The project's definitions, and the instance of this checkout unless DAGSTER_HOME names another."""
    from mlpipe_assets.definitions import defs
    from mlpipe_assets.resources.instance import open_instance
    from mlpipe_assets.settings import PROJECT_ROOT

    named = os.environ.get("DAGSTER_HOME")
    if named and not Path(named).is_dir():
        raise SettingsError(f"DAGSTER_HOME={named!r} is not a folder. Make it, or unset it.")
    home = Path(named) if named else PROJECT_ROOT / ".dagster"
    if not named:
        home.mkdir(exist_ok=True)
        link = home / "dagster.yaml"
        if not link.exists() and (PROJECT_ROOT / "dagster.yaml").exists():
            link.symlink_to(Path("..") / "dagster.yaml")
        os.environ["DAGSTER_HOME"] = str(home)
    return defs, open_instance(home.absolute())


def _console() -> Console:
    """Where tables go; wide enough for one when the output is not a terminal."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=10_000)


class _Progress:
    """Shows what is being done: one moving line on a terminal, a line per table elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._logger = logging.getLogger("mlpipe")

    def __enter__(self) -> None:
        self._logger.setLevel(logging.INFO)
        self._logger.propagate = False
        if self._console.is_terminal:
            self._status = self._console.status("looking at the drop zone")
            self._status.start()
            self._handler: logging.Handler = _StatusHandler(self._status.update)
        else:
            self._handler = _LineHandler(lambda line: print(line, flush=True))
        self._logger.addHandler(self._handler)

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self._handler)
        if self._console.is_terminal:
            self._status.stop()


class _StatusHandler(RichHandler):
    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__(level=logging.INFO)
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.INFO:
            self._show(record.getMessage())


class _LineHandler(logging.Handler):
    """One line per table and stretch of days; the files and days inside it are left out."""

    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__(level=logging.INFO)
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == "mlpipe" and record.levelno == logging.INFO and record.module == "catch_up":
            self._show(record.getMessage())


def _print_summary(console: Console, lake: "Lake", catalog: "Catalog", summary: "Summary", seconds: float) -> None:
    from mlpipe_assets.status import partitions

    totals: dict[str, dict[str, int]] = {}
    for p in partitions(lake, catalog, digests=False):
        table = "/".join(p.table.split("/")[:2])
        total = totals.setdefault(table, {"partitions": 0, "rows": 0, "quarantined": 0, "duplicates": 0})
        total["partitions"] += 0 if p.table.endswith(("/validation", "/test")) or p.rows is None else 1
        for name in ("rows", "quarantined", "duplicates"):
            total[name] += getattr(p, name) or 0
    if totals and summary.did_nothing and not summary.errors and not summary.warnings:
        console.print(f"Everything is up to date: nothing new in {lake.root / 'raw'} ({seconds:.1f} s).")
        return
    if not summary.did_nothing:
        table_of = Table(title="Every stage, in the order data flows", title_justify="left")
        for name in ("table", "partitions", "built now", "rows", "quarantined", "duplicates", "seconds"):
            table_of.add_column(name, justify="left" if name == "table" else "right")
        for table, total in totals.items():
            done = summary.tables.get(table)
            made = table.startswith(("raw", "interim"))
            table_of.add_row(
                table,
                f"{total['partitions']:,}",
                f"{len(set(done.days)):,}" if done else "-",
                f"{total['rows']:,}",
                f"{total['quarantined']:,}" if made else "",
                f"{total['duplicates']:,}" if table.startswith("interim") else "",
                f"{done.seconds:.1f}" if done else "",
            )
        console.print(table_of)
    elif totals:
        console.print("Nothing new to build.")
    _print_lines(console, "[yellow]warning:[/]", summary.warnings)
    _print_lines(console, "[bold red]error:[/]", summary.errors)
    if not totals and not summary.errors and not summary.warnings:
        console.print(_nothing_yet(lake))
    elif summary.errors:
        console.print(f"Done in {seconds:.1f} s, with errors. Next: mlpipe status, or see {lake.root / 'validation'}")
    else:
        console.print(f"Done in {seconds:.1f} s. Next: {_next(catalog)}")


def _nothing_yet(lake: "Lake") -> str:
    return f"There are no files yet. Put some into {lake.root / 'raw'}/<source>/, or try: mlpipe sample"


def _next(catalog: "Catalog") -> str:
    names = [f"feats.{view.name}" for view in catalog.feature_views] or [f"stg.{s.name}" for s in catalog.sources]
    ask = f'.venv/bin/mlpipe sql "from {names[0]} limit 5"' if names else ".venv/bin/mlpipe status"
    return f"make dev   (the UI), or   {ask}"


def _print_lines(console: Console, label: str, lines: Sequence[str]) -> None:
    for line in lines[:_MOST_LINES]:
        console.print(f"{label} {_plain(line)}", soft_wrap=True)
    if len(lines) > _MOST_LINES:
        console.print(f"{label} … and {len(lines) - _MOST_LINES:,} more; see mlpipe status")


def _plain(text: object) -> str:
    """Text that rich prints as it stands."""
    return str(text).replace("[", r"\[")


def _status(options: argparse.Namespace) -> int:
    from mlpipe_assets.automation.plan import feature_work, interim_work, look_at_drop_zone
    from mlpipe_assets.partitions import spell_days
    from mlpipe_assets.status import partitions

    lake, catalog = _open()
    found = list(partitions(lake, catalog, digests=options.json))
    zone = look_at_drop_zone(lake, catalog)
    problems = list(zone.problems)
    works = [interim_work(lake, s, lambda _: True) for s in catalog.sources]
    works += [feature_work(lake, catalog, v, lambda _: True) for v in catalog.feature_views]
    behind = {work.table: work.days for work in works if work.days}
    for work in works:
        reasons: dict[str, list[date]] = {}
        for day, reason in work.blocked:
            reasons.setdefault(reason if work.table.startswith("interim") else "a hole in the window", []).append(day)
        problems += [f"{work.table} {spell_days(days)}: {reason}" for reason, days in reasons.items()]
    if options.json:
        document: dict[str, Any] = {
            "partitions": [asdict(p) for p in found],
            "new_files": zone.new_files,
            "behind": {table: [f"{day}" for day in days] for table, days in behind.items()},
            "problems": problems,
        }
        print(json.dumps(document, default=str))
        return 0
    console = _console()
    if not found and not zone.new_files and not problems:
        console.print(_nothing_yet(lake))
        return 0
    _print_tables(console, found)
    if zone.new_files:
        console.print(f"{zone.new_files:,} new files in {lake.root / 'raw'}. Next: mlpipe run", soft_wrap=True)
    for name, days in behind.items():
        console.print(f"{name} is behind: {spell_days(days)}. Next: mlpipe run", soft_wrap=True)
    _print_lines(console, "[bold red]problem:[/]", problems)
    return 0


def _print_tables(console: Console, found: "Sequence[Partition]") -> None:
    """One line a table, and the partitions there is something to say of."""
    table = Table()
    for name in ("table", "partitions", "first", "last", "received", "accepted", "duplicates", "quarantined", "rows"):
        table.add_column(name, justify="left" if name in ("table", "first", "last") else "right")
    for name in dict.fromkeys(p.table for p in found):
        own = [p for p in found if p.table == name]
        counts = [_sum(own, field) for field in ("received", "accepted", "duplicates", "quarantined", "rows")]
        table.add_row(name, f"{len(own):,}", f"{own[0].date}", f"{own[-1].date}", *counts)
    console.print(table)
    for partition in found:
        if partition.note:
            console.print(f"{partition.table} {partition.date}: {_plain(partition.note)}", soft_wrap=True)


def _sum(rows: Sequence[Any], name: str) -> str:
    values = [getattr(row, name) for row in rows if getattr(row, name) is not None]
    return f"{sum(values):,}" if values else ""


def _sql(options: argparse.Namespace) -> int:
    from mlpipe_assets.resources.engine import Engine
    from mlpipe_assets.resources.warehouse import query
    from mlpipe_assets.settings import read_settings

    lake, catalog = _open()
    names, rows = query(lake, Engine(memory_limit=read_settings().memory_limit), catalog, options.query)
    if options.json:
        print(json.dumps([dict(zip(names, row, strict=True)) for row in rows], default=str))
        return 0
    table = Table()
    for name in names:
        table.add_column(_plain(name))
    for row in rows[:_MOST_ROWS]:
        table.add_row(*("" if value is None else _plain(value) for value in row))
    console = _console()
    console.print(table)
    if len(rows) > _MOST_ROWS:
        console.print(f"… the first {_MOST_ROWS} of {len(rows):,} rows; --json prints them all")
    return 0


def _accept(options: argparse.Namespace) -> int:
    from mlpipe_assets.partitions import days_between, existing_days, spell_days
    from mlpipe_assets.resources.acceptances import accept

    lake, catalog = _open()
    source = catalog.source(options.source)
    if not options.reason.strip():
        raise SettingsError("--reason is empty. Say why the day is right as it is; it stays on record.")
    first, _, last = options.day.partition("..")
    try:
        wanted = days_between(date.fromisoformat(first), date.fromisoformat(last or first))
    except ValueError:
        raise SettingsError(
            f"{options.day!r} is not a day. Write it as 2026-01-31, or 2026-01-05..2026-01-09."
        ) from None
    days = existing_days([f"{day}" for day in wanted], f"interim/{source.name}")
    if not days:
        raise SettingsError(f"{options.day!r} holds no day: the last lies before the first.")
    accept(lake, source.name, days, options.reason.strip())
    Console(highlight=False).print(
        f"Accepted {source.name} {spell_days(days)}: {_plain(options.reason.strip())}. Next: mlpipe run", soft_wrap=True
    )
    return 0


def _sample(options: argparse.Namespace) -> int:
    from mlpipe_assets.sample import write_sample

    for name in ("days", "orders_per_day", "customers"):
        if getattr(options, name) < 1:
            raise SettingsError(f"--{name.replace('_', '-')} is {getattr(options, name)}; it takes at least 1.")
    lake, _ = _open()
    try:
        counts = write_sample(
            lake.root,
            days=options.days,
            orders_per_day=options.orders_per_day,
            customers=options.customers,
            seed=options.seed,
        )
    except OSError as error:
        raise LakeError(f"Cannot write the sample below {lake.root}: {error.strerror}.") from error
    console = Console(highlight=False)
    console.print(
        f"Wrote the sample into {lake.root / 'raw'}: {', '.join(f'{v:,} {k}' for k, v in counts.items())}",
        soft_wrap=True,
    )
    console.print("Next: mlpipe run")
    return 0


if __name__ == "__main__":
    sys.exit(main())
