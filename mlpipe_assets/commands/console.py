"""What every command prints with: tables, lines, progress."""

import logging
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.logging import RichHandler

from mlpipe_assets.catalog.contents import load_catalog
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.resources.lake import Lake
from mlpipe_assets.settings import read_settings

MOST_LINES = 12
_LONGEST = 400


def open_lake() -> tuple[Lake, Catalog]:
    """The lake and the catalog the environment names."""
    settings = read_settings()
    if settings.data_dir.exists() and not settings.data_dir.is_dir():
        raise SettingsError(f"MLPIPE_DATA_DIR={str(settings.data_dir)!r} is not a folder. Name one, or unset it.")
    return Lake(data_dir=str(settings.data_dir)), load_catalog(settings.catalog)


def make_console() -> Console:
    """Where tables go; wide enough for one when the output is not a terminal."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=10_000)


def print_lines(console: Console, label: str, lines: Sequence[str]) -> None:
    """Lines under a label, the first dozen of them."""
    for line in lines[:MOST_LINES]:
        shown = line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
        console.print(f"{label} {plain(shown)}", soft_wrap=True)
    if len(lines) > MOST_LINES:
        console.print(f"{label} … and {len(lines) - MOST_LINES:,} more; see mlpipe status")


def plain(text: object) -> str:
    """Text that rich prints as it stands."""
    return str(text).replace("[", r"\[")


def nothing_yet(lake: Lake) -> str:
    """What to do with an empty lake."""
    return f"There are no files yet. Put some into {lake.root / 'raw'}/<source>/, or try: mlpipe sample"


class Progress:
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
