"""An intake as a user adds one: messages of a topic in memory, taken range by range, exactly once by our own record."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.catalog.feeds import Feed
from mlpipe_assets.intake.intake import DeliveryProblem, Intake, Mark, Pending
from mlpipe_assets.intake.known_at import Reading
from mlpipe_assets.readers.blocks import Block, malformed_frame, records_frame
from mlpipe_assets.store.lake import Lake


@dataclass(frozen=True, kw_only=True)
class Topic(Feed):
    """Messages of a topic, each one row."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Message:
    """A row, and when it was published."""

    published_at: datetime
    row: dict[str, str]


TOPICS: dict[str, list[Message]] = {}


@dataclass(kw_only=True)
class TopicIntake(Intake):
    """What was published since the last range taken is one delivery, whose mark is its range of offsets."""

    messages: Sequence[Message]

    @classmethod
    def of(cls, _: Lake, source: Source) -> "TopicIntake":
        """The intake of a source that is fed by a topic."""
        assert isinstance(source.feed, Topic)
        return cls(messages=TOPICS.setdefault(source.feed.name, []))

    def look(self, taken: Mapping[str, Mark]) -> tuple[list[Pending], list[DeliveryProblem]]:
        """One range, or none."""
        start, end = max((mark["end"] for mark in taken.values()), default=0), len(self.messages)
        if start == end:
            return [], []
        published_ns = int(self.messages[-1].published_at.timestamp()) * 1_000_000_000
        mark = {"start": start, "end": end}
        return [Pending(name=f"{start}-{end}", mark=mark, modified_ns=published_ns)], []

    def known(self, pending: Pending) -> Reading:
        """When the last of it was published."""
        return Reading(known_at=self._range(pending)[-1].published_at, by="time of publication")

    def digest(self, pending: Pending) -> str:
        """SHA-256 of its rows."""
        return hashlib.sha256("\n".join(self._rows(pending)).encode()).hexdigest()

    def open(self, pending: Pending) -> Iterator[Block]:
        """Its rows, in the order published."""
        rows = self._rows(pending)
        records = records_frame(range(1, len(rows) + 1), rows)
        yield Block(records=records, text=None, malformed=malformed_frame([]))

    def _rows(self, pending: Pending) -> list[str]:
        return [json.dumps(message.row) for message in self._range(pending)]

    def _range(self, pending: Pending) -> Sequence[Message]:
        return self.messages[pending.mark["start"] : pending.mark["end"]]
