"""mlpipe pull: take what is new at the feeds of sources, once or again and again; a run builds what follows from it."""

import argparse
import json
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from types import FrameType
from typing import Any

from rich.console import Console

from mlpipe_assets.catalog.declarations import Catalog, Source
from mlpipe_assets.catalog.feeds import Files
from mlpipe_assets.catalog.nearest import nearest
from mlpipe_assets.commands.calling import command
from mlpipe_assets.commands.console import Progress, make_console, open_lake, plain, print_lines
from mlpipe_assets.errors import BusyError, MlpipeError, SettingsError, shorten, spell_count
from mlpipe_assets.intake.counts import count_by_day
from mlpipe_assets.partitions import spell_days
from mlpipe_assets.settings import read_settings
from mlpipe_assets.stages.raw.taking import Ingested
from mlpipe_assets.stages.raw.taking import pull as pull_source
from mlpipe_assets.store.copies.use import BucketLake, end_all
from mlpipe_assets.store.lake import Lake

_DATA = 1
_COUNTS = ("received", "accepted", "quarantined", "not_processed")
_SPELLED = {"accepted": "accepted", "quarantined": "quarantined", "not_processed": "not processed"}


@dataclass(frozen=True, kw_only=True)
class _Round:
    """One look at every source: what it brought, what is wrong, and which sources another run was taking."""

    brought: dict[str, Ingested]
    errors: tuple[str, ...]
    busy: tuple[str, ...]
    seconds: float

    @property
    def is_news(self) -> bool:
        return any(found.new for found in self.brought.values())


def pull(options: argparse.Namespace) -> int:
    """Take what is new; 1 when something could not be taken. With `--every` it goes on until it is asked to stop, and ends with 0."""
    lake, catalog = open_lake(writing=True)
    sources = _sources(catalog, options.sources)
    console = make_console(options)
    if options.every is None:
        with Progress(console, options):
            found = _look(lake, sources, lambda: False)
        _tell(console, lake, found, options)
        return _DATA if found.errors else 0
    end_all()  # of a lake in a bucket: each round begins for itself, so that others come in between
    _go_on(console, lake, sources, options)
    return 0


def _go_on(console: Console, lake: Lake, sources: Sequence[Source], options: argparse.Namespace) -> None:
    """Look again and again; what is wrong is told when it begins, changes or ends."""
    wrong: tuple[str, ...] = ()
    names = shorten([source.name for source in sources])
    if not options.json:
        console.print(f"Taking {plain(names)} every {options.every:g} s; stop with Ctrl-C", soft_wrap=True)
    with _asked_to_stop() as stop:
        while not stop.is_set():
            try:
                with _at_work(lake):
                    found = _look(lake, sources, stop.is_set)
            except BusyError as error:
                found = _Round(brought={}, errors=(), busy=(f"{error}",), seconds=0.0)
            if found.is_news or (found.errors != wrong and not found.busy):
                _tell(console, lake, found, options)
            if wrong and not found.errors and not found.busy and not options.json:
                console.print(f"Nothing is wrong any more at {plain(names)}.", soft_wrap=True)
            wrong = wrong if found.busy else found.errors
            stop.wait(options.every)


@contextmanager
def _at_work(lake: Lake) -> Iterator[None]:
    """Have the lake of a bucket on this machine for a round, and publish what it brought."""
    address = read_settings().lake_address
    if not address:
        yield
        return
    place = BucketLake(address=address, root=lake.root)
    place.begin()
    try:
        yield
    finally:
        place.end()


@contextmanager
def _asked_to_stop() -> Iterator[Event]:
    """Set at SIGTERM and Ctrl-C, once the delivery that is being taken is on record; a second one ends it at once."""
    stop = Event()

    def note(_: int, __: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _sources(catalog: Catalog, names: Sequence[str]) -> list[Source]:
    """The sources named, or all that take their rows from elsewhere than files.

    Raises: SettingsError for a name that is none, or where there is nothing to take.
    """
    there = [source.name for source in catalog.sources]
    if unknown := [name for name in names if name not in there]:
        raise SettingsError(
            f"There is no source {unknown[0][:60]!r}; there are {shorten(there) or 'none'}.{nearest(unknown[0], there)}"
        )
    found = [s for s in catalog.sources if s.name in names or (not names and not isinstance(s.feed, Files))]
    if not found:
        raise SettingsError(
            "Every source takes files, and those are taken by mlpipe run. To take them between two runs, too, name the sources."
        )
    return found


def _look(lake: Lake, sources: Sequence[Source], stops: Callable[[], bool]) -> _Round:
    started = time.monotonic()
    brought: dict[str, Ingested] = {}
    errors: list[str] = []
    busy: list[str] = []
    for source in sources:
        if stops():
            break
        try:
            brought[source.name] = pull_source(lake, source, stops)
        except BusyError:
            busy.append(source.name)
        except SettingsError:
            raise
        except MlpipeError as error:
            errors.append(f"raw/{source.name}: {error}")
        else:
            errors += [f"raw/{source.name}/{p.name}: {p.reason}" for p in brought[source.name].problems]
    return _Round(brought=brought, errors=tuple(errors), busy=tuple(busy), seconds=time.monotonic() - started)


def _tell(console: Console, lake: Lake, found: _Round, options: argparse.Namespace) -> None:
    if options.json:
        document = {
            "data_dir": str(lake.root),
            "sources": [_document(name, brought) for name, brought in found.brought.items()],
            "busy": list(found.busy),
            "errors": list(found.errors),
            "seconds": round(found.seconds, 3),
        }
        print(json.dumps(document), flush=True)
        return
    if console.quiet:
        print_lines(Console(stderr=True, highlight=False, emoji=False), "[bold red]error:[/]", found.errors)
        return
    for name, brought in found.brought.items():
        if brought.new or options.every is None:
            console.print(plain(f"raw/{name}: {_spell(brought)}"), soft_wrap=True)
        notes = [f"raw/{name}: {note}" for note in _notes(brought)]
        print_lines(console, "[yellow]warning:[/]", notes, whole=options.verbose)
    for name in found.busy:
        console.print(f"raw/{plain(name)}: another run is taking it", soft_wrap=True)
    print_lines(console, "[bold red]error:[/]", found.errors, whole=options.verbose)
    if options.every is None and found.is_news:
        console.print(f"Done in {found.seconds:.1f} s. What follows from it is built by: {plain(command())} run")


def _document(name: str, found: Ingested) -> dict[str, Any]:
    days = sorted({day for delivery in found.new for day in delivery.events})
    numbers = {"source": name, "deliveries": len(found.new), **_counts(found)}
    return numbers | {"days": [f"{day}" for day in days], "notes": _notes(found)}


def _counts(found: Ingested) -> dict[str, int]:
    by_day = count_by_day(found.new).values()
    return {count: sum(day[count] for day in by_day) for count in _COUNTS}


def _notes(found: Ingested) -> list[str]:
    """What a person should know of what was taken, or left."""
    left_out = [f"{d.source_file}: {note}" for d in found.new for note in d.left_out]
    return [*left_out, *(f"{name}: still being written, left for the next time" for name in found.waiting)]


def _spell(found: Ingested) -> str:
    if not found.new:
        return "nothing new"
    counts = _counts(found)
    days = sorted({day for delivery in found.new for day in delivery.events})
    parts = ", ".join(f"{counts[name]:,} {spelled}" for name, spelled in _SPELLED.items() if counts[name])
    taken = f"{spell_count(counts['received'], 'row')} in {spell_count(len(found.new), 'delivery', 'deliveries')}"
    return f"{taken}{f', of {spell_days(days)}' if days else ''}{f' ({parts})' if parts else ''}"
