"""What a topic of Kafka and a stream of NATS share: ranges of offsets that are on record with their delivery and nowhere else.

Nothing is committed or acknowledged at the sender's: a reader that is cut off reads the same range again.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from time import time_ns

from mlpipe_assets.catalog.feeds import KafkaTopic, NatsStream
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.intake.avro import SchemaRegistry, parse_schema, read_value
from mlpipe_assets.intake.intake import DeliveryProblem, Mark, Pending
from mlpipe_assets.intake.known_at import Reading, read_time
from mlpipe_assets.intake.messages import Decode, from_json
from mlpipe_assets.intake.offsets import Ranges, Span, cut_ranges, uncovered
from mlpipe_assets.intake.spooled import NotGivenError, RangeIntake
from mlpipe_assets.rules import digest

TOPIC, PARTITIONS, BEGUN = "topic", "partitions", "begun"  # of a mark
MOST = 500_000  # messages of one delivery
_LONGEST = 100  # characters of a name; of a topic with many partitions the rest is told by a digest


@dataclass(kw_only=True)
class StreamIntake(RangeIntake):
    """An intake of messages that are numbered from the first one on, in one partition or several."""

    decode: Decode

    @property
    @abstractmethod
    def called(self) -> str:
        """What its sender calls it."""

    @abstractmethod
    def _ends(self) -> tuple[str, dict[int, Span]]:
        """What identifies it, and the first and the end offset of each partition. Raises: NotGivenError."""

    @abstractmethod
    def _spell(self, ranges: Ranges) -> str:
        """Ranges as the name of a delivery."""

    def look(self, taken: Mapping[str, Mark]) -> tuple[list[Pending], list[DeliveryProblem]]:
        """What lies after the ranges on record, in ranges of at most some messages; none where nothing is new."""
        try:
            identity, there = self._ends()
            begun, left = _left(identity, there, taken)
        except NotGivenError as error:
            return [], [DeliveryProblem(name=self.called, reason=f"{error}")]
        now = time_ns()
        found: list[Pending] = []
        for ranges in cut_ranges(left, MOST):
            spans = {f"{number}": [*span] for number, span in ranges.items()}
            name = self._spell(ranges)
            found.append(
                Pending(
                    name=name if len(name) <= _LONGEST else f"{name[:_LONGEST]} {digest([name])[:8]}",
                    mark={TOPIC: identity, PARTITIONS: spans, BEGUN: begun},
                    modified_ns=now + len(found),
                )
            )
        return found, []

    def known(self, pending: Pending) -> Reading:
        """The moment of the look."""
        return Reading(known_at=read_time(pending.modified_ns), by="when it was taken")


def _left(
    identity: str, there: Mapping[int, Span], taken: Mapping[str, Mark]
) -> tuple[dict[str, int], dict[int, list[Span]]]:
    """Where each partition was begun with, and the spans of it that are on record nowhere.

    Raises: NotGivenError when the topic is another one than was taken from.
    """
    marks = [mark for mark in taken.values() if PARTITIONS in mark]
    covered: dict[int, list[Span]] = {}
    begun = {f"{number}": low for number, (low, _) in there.items()}
    for mark in marks:
        begun |= {number: min(first, begun.get(number, first)) for number, first in mark[BEGUN].items()}
        for number, (start, end) in mark[PARTITIONS].items():
            covered.setdefault(int(number), []).append((start, end))
    shrunk = any(end > there.get(number, (0, 0))[1] for number, spans in covered.items() for _, end in spans)
    if shrunk or any(mark[TOPIC] != identity for mark in marks):
        raise NotGivenError(
            "it is another one now than the one that was taken from: it was deleted and made anew, so its offsets begin again. "
            "Give the source, or it, another name"
        )
    left = {number: uncovered(covered.get(number, ()), begun[f"{number}"], high) for number, (_, high) in there.items()}
    return begun, left


def decoder_of(source: str, feed: KafkaTopic | NatsStream) -> Decode:
    """What reads the values of messages. Raises: SettingsError for a schema that is none; ImportError."""
    if feed.schema_registry is not None:
        import_module("fastavro")
        return SchemaRegistry(variable=feed.schema_registry).decode
    if feed.avro_schema is None:
        return from_json
    try:
        schema = parse_schema(feed.avro_schema)
    except ValueError as error:
        raise SettingsError(f"source {source!r}: feed.avro_schema is no schema of Avro: {f'{error}'[:200]}") from error
    if not isinstance(schema, dict) or schema["type"] != "record":
        raise SettingsError(
            f"source {source!r}: feed.avro_schema is no schema of Avro for a record, which a message is"
        )
    return partial(read_value, schema)


def spell_milliseconds(milliseconds: int) -> str:
    """A moment after 1970 as a row has it."""
    return f"{read_time(milliseconds * 1_000_000):%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"
