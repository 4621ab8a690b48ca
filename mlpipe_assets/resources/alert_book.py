"""The alert book: open problems and messages not yet delivered, in meta/alerts.json; every message in alerts.jsonl."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlpipe_assets.resources.documents import UNREADABLE
from mlpipe_assets.resources.lake import Lake

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
        self.lake.write_json(_path(self.lake), content)

    def record(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """Add messages to meta/alerts.jsonl, which is kept whether or not anyone is told."""
        path = self.lake.root / "meta" / "alerts.jsonl"
        old = path.read_bytes() if path.exists() else b""
        if old and not old.endswith(b"\n"):  # half a line stays a line of its own
            old += b"\n"
        new = "".join(json.dumps(message, sort_keys=True) + "\n" for message in messages)
        self.lake.commit(self.lake.stage_bytes(path, old + new.encode()))


@contextmanager
def open_book(lake: Lake) -> Iterator[AlertBook]:
    """The book as it stands, held by this process until the block ends.

    Raises: BusyError when another process holds it for ten seconds.
    """
    with lake.writing("meta", "alerts"):
        yield read_book(lake)


def read_book(lake: Lake) -> AlertBook:
    """The book as it stands; a new one where there is none, or none that can be read."""
    path = _path(lake)
    if not path.exists():
        return AlertBook(lake=lake)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        opened = {scope: {key: dict(told) for key, told in found.items()} for scope, found in content["open"].items()}
        waiting = [dict(entry) for entry in content["waiting"]]
        return AlertBook(lake=lake, open=opened, waiting=waiting, seen=dict(content["seen"]))
    except UNREADABLE:
        _log.warning("alerts: %s cannot be read and is started anew; open problems are told again", path)
        return AlertBook(lake=lake)


def _path(lake: Lake) -> Path:
    return lake.root / "meta" / "alerts.json"
