"""What a topic of Kafka and a stream of NATS share: ranges of offsets that are on record with their delivery and nowhere else.

Nothing is committed or acknowledged at the sender's: a reader that is cut off reads the same range again.
"""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from time import time_ns
from typing import ClassVar, Self

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.catalog.feeds import KafkaTopic, NatsStream
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.intake.avro import SchemaRegistry, parse_schema, read_value
from mlpipe_assets.intake.intake import DeliveryProblem, Mark, Pending
from mlpipe_assets.intake.known_at import Reading, read_time
from mlpipe_assets.intake.messages import Decode, from_json
from mlpipe_assets.intake.offsets import Ranges, Span, cut_ranges, merge_spans, uncovered
from mlpipe_assets.intake.spooled import NotGivenError, RangeIntake, Spools
from mlpipe_assets.rules import digest
from mlpipe_assets.store.lake import Lake

TOPIC, PARTITIONS, BEGUN = "topic", "partitions", "begun"  # of a mark
MOST = 500_000  # messages of one delivery
_LONGEST = 100  # characters of a name; of a topic with many partitions the rest is told by a digest


@dataclass(kw_only=True)
class StreamIntake(RangeIntake):
    """An intake of messages that are numbered from the first one on, in one partition or several.

    Attributes:
        client: The module that talks to what keeps them.
        system: Its name, and in small letters that of the extra which has the client.
    """

    client: ClassVar[str]
    system: ClassVar[str]
    feed: KafkaTopic | NatsStream
    decode: Decode

    @classmethod
    def of(cls, _: Lake, source: Source) -> Self:
        """The intake of a source that is fed by messages.

        Raises: SettingsError where the client is not installed.
        """
        feed = source.feed
        assert isinstance(feed, KafkaTopic | NatsStream)  # noqa: S101 (the registry asks by this kind)
        try:
            import_module(cls.client)
            decode = decoder_of(source.name, feed)
        except ImportError as error:
            raise SettingsError(
                f"source {source.name!r} takes messages of {cls.system}, and their client is not installed. Next: "
                f"pip install 'mlpipe-assets[{cls.system.lower()}]'"
            ) from error
        return cls(feed=feed, decode=decode)

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

    def afresh(self) -> Self:
        """The same without the files of ranges that were read; who reads on and on would keep them all."""
        return replace(self, _spools=Spools())

    def known(self, pending: Pending) -> Reading:
        """The moment of the look."""
        return Reading(known_at=read_time(pending.modified_ns), by="when it was taken")


def gather_marks(marks: Iterable[Mark]) -> dict[str, Mark]:
    """As few marks as say the same to a look: after years of deliveries, one for each topic and gap."""
    topics: dict[str, list[Mark]] = {}
    for mark in marks:
        if PARTITIONS in mark:
            topics.setdefault(mark[TOPIC], []).append(mark)
    gathered: list[Mark] = []
    for topic, some in topics.items():
        begun: dict[str, int] = {}
        for mark in some:
            begun |= {number: min(first, begun.get(number, first)) for number, first in mark[BEGUN].items()}
        merged = {number: merge_spans(spans) for number, spans in _covered(some).items()}
        for place in range(max(map(len, merged.values()), default=0)):
            spans = {f"{number}": [*spans[place]] for number, spans in merged.items() if place < len(spans)}
            gathered.append({TOPIC: topic, PARTITIONS: spans, BEGUN: begun})
    return {f"{place}": mark for place, mark in enumerate(gathered)}


def is_covered(mark: Mark, marks: Iterable[Mark]) -> bool:
    """Whether all of what one mark says was taken by others."""
    covered = _covered(marks)
    return not any(uncovered(covered.get(int(number), ()), *span) for number, span in mark[PARTITIONS].items())


def _covered(marks: Iterable[Mark]) -> dict[int, list[Span]]:
    """By partition what some marks say was taken."""
    covered: dict[int, list[Span]] = {}
    for mark in marks:
        for number, (start, end) in mark[PARTITIONS].items():
            covered.setdefault(int(number), []).append((start, end))
    return covered


def _left(
    identity: str, there: Mapping[int, Span], taken: Mapping[str, Mark]
) -> tuple[dict[str, int], dict[int, list[Span]]]:
    """Where each partition was begun with, and the spans of it that are on record nowhere.

    Raises: NotGivenError when the topic is another one than was taken from.
    """
    marks = [mark for mark in taken.values() if PARTITIONS in mark]
    covered = _covered(marks)
    begun = {f"{number}": low for number, (low, _) in there.items()}
    for mark in marks:
        begun |= {number: min(first, begun.get(number, first)) for number, first in mark[BEGUN].items()}
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
