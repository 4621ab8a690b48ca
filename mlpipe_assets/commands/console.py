"""What every command prints with: tables, lines, progress."""

import argparse
import logging
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.loading import catalog_of
from mlpipe_assets.commands.calling import command
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.flow import written_folders
from mlpipe_assets.settings import Settings, read_settings
from mlpipe_assets.store import keys
from mlpipe_assets.store.copies.use import BucketLake
from mlpipe_assets.store.data_folder import expect_access, expect_records
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.tagged import at_tag
from mlpipe_assets.visible import visible

MOST_LINES = 12
_log = logging.getLogger("mlpipe")
_LONGEST = 400


def open_lake(*, begin: bool = False, writing: bool = False) -> tuple[Lake, Catalog]:
    """The lake and the catalog the environment names.

    Args:
        begin: Take a data folder that is not there yet.
        writing: The command will write: say now where that cannot be.
    """
    settings = read_settings()
    catalog = catalog_of(settings)
    if settings.lake_address:
        _fetch(settings, begin=begin, writing=writing)
    lake = Lake(data_dir=str(settings.data_dir))
    expect_access(lake.root, written_folders(), writing=writing)
    if not begin and lake.root == settings.project.root / "data" and not lake.root.exists():
        lacking = "" if settings.project.said_in else f"There is no project in {Path.cwd()}. "
        raise SettingsError(
            f"{lacking}The data folder {lake.root} does not exist. To begin there: mkdir -p {shlex.quote(str(lake.root / 'raw'))}. "
            "For a project of your own, with a sample: mlpipe init shop"
        )
    project = settings.project
    if not project.said_in and lake.root == project.root / "data" and not Path.cwd().is_relative_to(project.root):
        _log.warning("There is no project in %s, so this is the built-in example in %s", Path.cwd(), project.root)
    if not begin:
        lake.expect_used()
        expect_records(lake.root)
    return lake, catalog


def open_tagged(tag: str | None) -> tuple[Lake, Catalog]:
    """The same to read from, as a tag has its tables; as it is now where none is named.

    Raises: SettingsError where there is no such tag.
    """
    lake, catalog = open_lake()
    return (at_tag(lake, tag) if tag else lake), catalog


def _fetch(settings: Settings, *, begin: bool, writing: bool) -> None:
    """Bring the lake of a bucket to this machine; what is written goes back when the command ends."""
    place = BucketLake(address=settings.lake_address, root=settings.data_dir)
    if writing:
        place.begin()
    else:
        place.fetch()
    if not begin and not any((place.root / name).is_dir() for name in (keys.META, keys.DROP_ZONE)):
        raise SettingsError(
            f"{place.address} holds no lake, and no drop zone ({keys.DROP_ZONE}/) to begin one from. Is MLPIPE_DATA_DIR right? To "
            f"begin there, put files below {place.address}/{keys.DROP_ZONE}/, or: mlpipe sample"
        )


def expect_main(what: str) -> None:
    """Refuse what would write into the drop zone, which a branch shares.

    Raises: SettingsError in a branch.
    """
    if name := read_settings().branch:
        raise SettingsError(
            f"{what} writes into the drop zone, which branch {name} shares with main. Unset MLPIPE_BRANCH."
        )


def deliver_to_bucket() -> None:
    """Put what was written into the drop zone on this machine into that of the bucket, where the lake is in one."""
    settings = read_settings()
    if settings.lake_address:
        BucketLake(address=settings.lake_address, root=settings.data_dir).deliver()


def spell_place(lake: Lake, key: str = "") -> str:
    """Where something of the lake is for a person: below the address of the bucket, where it is in one."""
    settings = read_settings()
    own = settings.lake_address if lake.root == settings.data_dir else ""
    own += f" (branch {settings.branch})" if own and settings.branch and not key else ""
    return plain("/".join(filter(None, (own or f"{lake.root}", key))))


def make_console(options: argparse.Namespace | None = None) -> Console:
    """Where a command prints: nowhere with --quiet, and without a width where the output is no terminal."""
    quiet = bool(options and getattr(options, "quiet", False))
    console = Console(highlight=False, emoji=False, quiet=quiet)
    return console if console.is_terminal else Console(highlight=False, emoji=False, quiet=quiet, width=10_000)


def print_lines(console: Console, label: str, lines: Sequence[str], *, whole: bool = False) -> None:
    """Lines under a label: the first dozen of them, each up to a few hundred characters, or all of it."""
    for line in lines if whole else lines[:MOST_LINES]:
        shown = line if whole or len(line) <= _LONGEST else f"{line[:_LONGEST].rpartition(' ')[0]} …"
        console.print(f"{label} {plain(shown)}", soft_wrap=True)
    if not whole and len(lines) > MOST_LINES:
        console.print(f"{label} … and {len(lines) - MOST_LINES:,} more; see {plain(command())} status, or --verbose")


def plain(text: object) -> str:
    """Text that rich prints as it stands, in one visible line."""
    shown = visible(str(text))
    escaped = escape(shown)  # it doubles a backslash at the end, which stays double when nothing follows
    return escaped[:-1] if shown.endswith("\\") else escaped


def nothing_yet(lake: Lake, catalog: Catalog) -> str:
    """What to do with an empty lake."""
    if not catalog.sources:
        return f"The catalog declares no source yet, so there is nothing to read. It is made in {plain(catalog.place)}."
    zone = spell_place(lake, keys.DROP_ZONE)
    sampled = f", or try: {plain(command())} sample" if takes_sample(catalog) else "."
    return f"There are no files yet. Put some into {zone}/<source>/{sampled}"


def takes_sample(catalog: Catalog) -> bool:
    """Whether the sources of the sample are declared, as the built-in example and projects made of it do."""
    from mlpipe_assets.sample import ORDER_COLUMNS  # noqa: PLC0415 (it brings spreadsheets, and few calls come here)

    contracts = {source.name: {*source.contract.to_schema().columns} for source in catalog.sources}
    return {*ORDER_COLUMNS} <= contracts.get("orders", set()) and "customers" in contracts


class Progress:
    """Shows what is being done: one moving line on a terminal, a line per table elsewhere, nothing with --quiet.

    Args:
        console: Where to show it.
        options: With `verbose` every line of the log is shown; with `json` they go to the error stream.
    """

    def __init__(self, console: Console, options: argparse.Namespace | None = None) -> None:
        self._console = console
        self._logger = logging.getLogger("mlpipe")
        self._verbose = bool(getattr(options, "verbose", False))
        self._json = bool(getattr(options, "json", False))

    def __enter__(self) -> None:
        self._logger.setLevel(logging.INFO)
        self._propagated, self._logger.propagate = self._logger.propagate, False
        self._status = None
        if self._console.quiet or (self._json and not self._verbose):
            self._handler: logging.Handler = logging.NullHandler()
        elif self._console.is_terminal and not self._verbose and not self._json:
            self._status = self._console.status("looking at the drop zone")
            self._status.start()
            self._handler = _StatusHandler(self._status.update)
        else:
            stream = sys.stderr if self._json else sys.stdout
            self._handler = _LineHandler(lambda line: print(line, file=stream, flush=True), every=self._verbose)
        self._logger.addHandler(self._handler)

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self._handler)
        self._logger.propagate = self._propagated
        if self._status is not None:
            self._status.stop()


class _StatusHandler(RichHandler):
    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__(level=logging.INFO)
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.INFO:
            self._show(plain(record.getMessage()))


class _LineHandler(logging.Handler):
    """One line per table and stretch of days; the files and days inside it are left out, unless every line is wanted."""

    def __init__(self, show: Callable[[str], None], *, every: bool) -> None:
        super().__init__(level=logging.INFO)
        self._show = show
        self._every = every

    def emit(self, record: logging.LogRecord) -> None:
        step = record.name == "mlpipe" and record.levelno == logging.INFO and record.module == "catch_up"
        if step or self._every:
            self._show(visible(record.getMessage()))
