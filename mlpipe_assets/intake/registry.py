"""Which intake gives the rows of which kind of feed."""

from collections.abc import Callable, Sequence
from importlib import import_module

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.catalog.feeds import DatabaseTable, Feed, Files, HttpApi, KafkaTopic, NatsStream, files_of
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.intake.drop_zone import DropZone, undeclared_folders
from mlpipe_assets.intake.intake import DeliveryProblem, Intake
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake


def _of(module: str, name: str) -> Callable[[Lake, Source], Intake]:
    """An intake whose module, and what it needs, is imported when a source asks for it."""

    def make(lake: Lake, source: Source) -> Intake:
        made: Intake = getattr(import_module(f"mlpipe_assets.intake.{module}"), name).of(lake, source)
        return made

    return make


def _files(lake: Lake, source: Source) -> Intake:
    """The drop zone of a source: its folder in the lake, or where its feed says."""
    in_bucket = _of("bucket_zone", "BucketZone")
    return in_bucket(lake, source) if files_of(source.feed).location else DropZone.of(lake, source)


INTAKES: dict[type[Feed], Callable[[Lake, Source], Intake]] = {
    Files: _files,
    DatabaseTable: _of("database", "DatabaseIntake"),
    HttpApi: _of("http_api", "HttpIntake"),
    KafkaTopic: _of("kafka", "KafkaIntake"),
    NatsStream: _of("nats_stream", "NatsIntake"),
}


def intake_of(lake: Lake, source: Source) -> Intake:
    """The intake of a source.

    Raises: SettingsError for a kind of feed that none is registered for.
    """
    return _maker(source)(lake, source)


def check_feed(source: Source) -> None:
    """Refuse a source that no intake takes the feed of.

    Raises: SettingsError as `intake_of`.
    """
    _maker(source)


def _maker(source: Source) -> Callable[[Lake, Source], Intake]:
    make = next((INTAKES[kind] for kind in type(source.feed).__mro__ if kind in INTAKES), None)
    if make is None:
        raise SettingsError(
            f"source {source.name!r}: no intake takes a feed of {type(source.feed).__name__}; there are "
            f"{', '.join(sorted(kind.__name__ for kind in INTAKES))}. Add yours to INTAKES in mlpipe_assets.intake.registry."
        )
    return make


def find_idle_folders(lake: Lake, sources: Sequence[Source]) -> list[DeliveryProblem]:
    """Folders of the drop zone that none of the sources takes files from."""
    feeds = {source.name: source.feed for source in sources}
    idle = undeclared_folders(
        lake.root / keys.DROP_ZONE,
        [name for name, feed in feeds.items() if isinstance(feed, Files) and not feed.location],
    )
    lacking = {name: "takes files from there" if name in feeds else "is declared" for name in idle}
    return [
        DeliveryProblem(name=name, reason=f"no source of that name {lacking[name]}, its files are not read")
        for name in idle
    ]
