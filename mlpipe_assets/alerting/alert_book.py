"""The alert book: open problems and messages not yet delivered, in meta/alerts.json; every message in alerts.jsonl."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mlpipe_assets.errors import LakeError
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.records import Log, Record

_log = logging.getLogger("mlpipe")
_MOST_WAITING = 50  # messages kept for a channel that does not answer


@dataclass(kw_only=True)
class AlertBook:
    """What has been told and is still open.

    Attributes:
        open: By scope, then by key: a problem as it was told.
        waiting: Messages some channel has not taken: `{message, channels, tries, not_before}`.
        seen: Marks of readers that go through a log, such as the newest run looked at.
    """

    lake: Lake
    open: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    waiting: list[dict[str, Any]] = field(default_factory=list)
    seen: dict[str, Any] = field(default_factory=dict)

    def save(self) -> None:
        """Replace the book, whole."""
        kept = self.waiting[-_MOST_WAITING:]
        if len(kept) < len(self.waiting):
            _log.warning(
                "alerts: gave up on %s undelivered messages; meta/alerts.jsonl has them", len(self.waiting) - len(kept)
            )
        content = {
            "open": {scope: found for scope, found in self.open.items() if found},
            "waiting": kept,
            "seen": self.seen,
        }
        _record(self.lake).write(content)

    def record(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """Add messages to meta/alerts.jsonl, which is kept whether or not anyone is told."""
        log = Log(objects=self.lake.objects, key=keys.ALERT_LOG, parse=dict)
        log.append(dict(sorted(message.items())) for message in messages)


@contextmanager
def open_book(lake: Lake) -> Iterator[AlertBook]:
    """The book as it stands, held by this process until the block ends.

    Raises: BusyError when another process holds it for ten seconds.
    """
    with lake.writing("meta", "alerts"):
        yield read_book(lake)


def read_book(lake: Lake) -> AlertBook:
    """The book as it stands; a new one where there is none, or none that can be read."""
    record = _record(lake)
    try:
        return AlertBook(lake=lake, **(record.read() or {}))
    except LakeError:
        where = lake.objects.locate(record.key)
        _log.warning("alerts: %s cannot be read and is started anew; open problems are told again", where)
        return AlertBook(lake=lake)


def _record(lake: Lake) -> Record[dict[str, Any]]:
    return Record(objects=lake.objects, key=keys.ALERTS, parse=_parse)


def _parse(content: dict[str, Any]) -> dict[str, Any]:
    opened = {scope: {key: dict(told) for key, told in found.items()} for scope, found in content["open"].items()}
    return {"open": opened, "waiting": [dict(entry) for entry in content["waiting"]], "seen": dict(content["seen"])}
