"""Messages of a topic of Kafka: a range of offsets of each partition is one delivery, on record with it and nowhere else.

No consumer group is joined and no offset is committed at the broker: a reader that is cut off reads the same range again.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from itertools import count
from time import monotonic, sleep
from typing import Any, ClassVar

from mlpipe_assets.catalog.feeds import KafkaTopic
from mlpipe_assets.errors import spell_count
from mlpipe_assets.intake.intake import Mark
from mlpipe_assets.intake.messages import Decode, spool_message
from mlpipe_assets.intake.offsets import Ranges, Span
from mlpipe_assets.intake.ranges import PARTITIONS, TOPIC, StreamIntake, spell_milliseconds
from mlpipe_assets.intake.spooled import NotGivenError, Spooling
from mlpipe_assets.readers.blocks import as_received

_AT_ONCE = 5_000
_SECONDS = 10.0
_PATIENCE = 30.0  # seconds without a message that the broker says is there
_SETTLING = 5.0  # seconds that a broker which came back, or a partition which moves, is given to know itself again
_PASSING = frozenset(
    {
        "FENCED_LEADER_EPOCH",
        "KAFKA_STORAGE_ERROR",
        "LEADER_NOT_AVAILABLE",
        "NOT_LEADER_FOR_PARTITION",
        "OFFSET_NOT_AVAILABLE",
        "REPLICA_NOT_AVAILABLE",
        "UNKNOWN_LEADER_EPOCH",
        "UNKNOWN_TOPIC_OR_PART",
    }
)


@dataclass(kw_only=True)
class KafkaIntake(StreamIntake):
    """The intake of one topic."""

    client: ClassVar[str] = "confluent_kafka"
    system: ClassVar[str] = "Kafka"
    feed: KafkaTopic

    @property
    def called(self) -> str:
        """The name of the topic."""
        return self.feed.topic

    def _spell(self, ranges: Ranges) -> str:
        return " ".join(f"{number}:{start}-{end}" for number, (start, end) in ranges.items())

    def _ends(self) -> tuple[str, dict[int, Span]]:
        """What identifies the topic, and the first and the end offset of each partition, without what is in open transactions."""
        kafka, end = _client(), monotonic() + _SETTLING
        while True:
            try:
                return self._ends_now()
            except kafka.KafkaException as error:
                if _name(error) not in _PASSING or monotonic() > end:
                    raise NotGivenError(_why(error)) from None
            sleep(0.2)

    def _ends_now(self) -> tuple[str, dict[int, Span]]:
        """As `_ends`. Raises: KafkaException."""
        kafka, admin = _client(), import_module("confluent_kafka.admin")
        committed = kafka.IsolationLevel.READ_COMMITTED
        asking = admin.AdminClient(_options(self.feed.servers))
        described = asking.describe_topics(kafka.TopicCollection([self.feed.topic]), request_timeout=_SECONDS)
        topic = described[self.feed.topic].result()
        places = [kafka.TopicPartition(self.feed.topic, partition.id) for partition in topic.partitions]
        found: list[dict[int, int]] = []
        for spec in (admin.OffsetSpec.earliest(), admin.OffsetSpec.latest()):
            wanted = dict.fromkeys(places, spec)
            asked = asking.list_offsets(wanted, isolation_level=committed, request_timeout=_SECONDS)
            found.append({place.partition: future.result().offset for place, future in asked.items()})
        lows, highs = found
        return f"{topic.topic_id}", {number: (lows[number], highs[number]) for number in sorted(lows)}

    def _read(self, mark: Mark, out: Spooling) -> None:
        numbers = count(1)
        identity, there = self._ends()
        if identity != mark[TOPIC]:
            raise NotGivenError("it is another topic now than the one that was looked at")
        for number, (start, end) in sorted((int(name), span) for name, span in mark[PARTITIONS].items()):
            low = there.get(number, (end, end))[0]
            if low > start:
                gone = spell_count(min(low, end) - start, "message")
                out.notes.append(f"{gone} of partition {number} had expired at the broker before they were taken")
            for message in self._messages(number, max(start, low), end):
                _spool(self.feed, self.decode, message, next(numbers), out)

    def _messages(self, partition: int, start: int, end: int) -> Iterator[Any]:
        """The messages of one partition from `start` to before `end`; offsets may be missing."""
        if start >= end:
            return
        kafka = _client()
        consumer = kafka.Consumer(
            _options(self.feed.servers)
            | {"group.id": "mlpipe", "enable.auto.commit": False, "enable.auto.offset.store": False}
            | {"auto.offset.reset": "error", "isolation.level": "read_committed", "enable.partition.eof": True}
        )
        try:
            consumer.assign([kafka.TopicPartition(self.feed.topic, partition, start)])
            last = monotonic()
            while monotonic() - last < _PATIENCE:
                for message in consumer.consume(_AT_ONCE, timeout=1.0):
                    error = message.error()
                    if error is not None and error.name() in _PASSING:
                        continue
                    last = monotonic()
                    if error is not None and error.code() != kafka.KafkaError._PARTITION_EOF:  # noqa: SLF001 (the client's own spelling)
                        raise NotGivenError(_why(kafka.KafkaException(error)))
                    if message.offset() >= end:
                        return
                    if error is None:
                        yield message
                        if message.offset() + 1 >= end:
                            return
        except kafka.KafkaException as error:
            raise NotGivenError(_why(error)) from None
        finally:
            consumer.close()
        raise NotGivenError(f"no message came for {_PATIENCE:g} seconds, though partition {partition} has more")


def _client() -> Any:  # noqa: ANN401 (a module that need not be installed)
    return import_module(KafkaIntake.client)


def _spool(feed: KafkaTopic, decode: Decode, message: Any, number: int, out: Spooling) -> None:  # noqa: ANN401 (a class of the optional client)
    """A message as a record, or refused with the reason."""
    value = message.value()
    if value is None:
        out.refuse(number, "", "has no value: a deletion by key is not taken")
        return
    beside: dict[str, object] = {}
    if feed.key is not None:
        key = message.key()
        beside[feed.key] = key if key is None else as_received(key)
    if feed.timestamp is not None:
        kind, milliseconds = message.timestamp()
        beside[feed.timestamp] = spell_milliseconds(milliseconds) if kind else None
    spool_message(value, beside, number, out, decode)


def _options(variable: str) -> dict[str, Any]:
    """The options of the client in a variable: servers between commas, or a JSON object of librdkafka's options.

    Raises: NotGivenError when there are none.
    """
    given = os.environ.get(variable, "").strip()
    if not given:
        raise NotGivenError(f"the variable {variable} is not set: it holds the servers, as broker1:9092,broker2:9092")
    options: Any = {"bootstrap.servers": given}
    if given.startswith("{"):
        try:
            options = json.loads(given)
        except ValueError:
            options = None
        if not isinstance(options, dict) or "bootstrap.servers" not in options:
            raise NotGivenError(f'{variable} is no JSON object of options with "bootstrap.servers" among them')
    return {"log_level": 0, "error_cb": lambda _: None, **options}


def _name(error: Exception) -> str:
    """The client's name of what went wrong."""
    cause = error.args[0] if error.args else error
    name: str = getattr(cause, "name", lambda: type(error).__name__)()
    return name


def _why(error: Exception) -> str:
    """What a client says, without what it was given."""
    name, cause = _name(error), error.args[0] if error.args else error
    retriable = name in _PASSING - {"UNKNOWN_TOPIC_OR_PART"} or getattr(cause, "retriable", lambda: False)()
    known = {
        "UNKNOWN_TOPIC_OR_PART": "there is no such topic, or it is hidden from us",
        "_TIMED_OUT": "the brokers do not answer",
        "_TRANSPORT": "the brokers do not answer",
        "_ALL_BROKERS_DOWN": "the brokers do not answer",
        "_INVALID_ARG": "an option of the client is wrong",
        "TOPIC_AUTHORIZATION_FAILED": "we may not read it",
    }
    return known.get(name, f"Kafka says {name}") + ("; it is tried again" if retriable else "")
