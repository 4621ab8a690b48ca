"""A real Apache Kafka for tests: one broker on loopback that keeps its log, and can be killed and started again.

It needs Java 17, and Maven for its jars.
"""

import base64
import socket
import subprocess
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from mlpipe_assets_tests.fetched import expect_tools, fetch_jars
from mlpipe_assets_tests.servers import free_port

VERSION = "4.4.0"
_SECONDS = 240.0  # a busy machine starts Java slowly
_ARTIFACTS = (f"org.apache.kafka:kafka_2.13:{VERSION}", "org.slf4j:slf4j-nop:1.7.36")
_PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={log}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
auto.create.topics.enable=false
log.retention.check.interval.ms=500
log.initial.task.delay.ms=500
"""


@dataclass(kw_only=True)
class Broker:
    """A broker and what a test does to it."""

    folder: Path
    port: int = field(default_factory=free_port)
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def address(self) -> str:
        """Its bootstrap server."""
        return f"127.0.0.1:{self.port}"

    @cached_property
    def _properties(self) -> Path:
        """Its settings, with its log formatted for them."""
        path = self.folder / "server.properties"
        path.write_text(_PROPERTIES.format(port=self.port, controller=free_port(), log=self.folder / "log"))
        name = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self._java(
            "kafka.tools.StorageTool", "format", f"--cluster-id={name}", "-c", f"{path}"
        )  # a name may begin with -
        return path

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = ["java", "-Xmx256m", "-cp", f"{_jars()}/*", "kafka.Kafka", f"{self._properties}"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + _SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                self.admin().list_topics(timeout=5)
            except (OSError, KafkaException):  # whatever a client says of a broker that is not up yet
                assert time.monotonic() < end, "the broker did not come up"
                time.sleep(0.1)
            else:
                return

    def kill(self) -> None:
        """End it as a power cut of its process does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def admin(self) -> AdminClient:
        """Who makes topics."""
        return AdminClient({"bootstrap.servers": self.address, "log_level": 0})

    def make(self, topic: str, partitions: int = 1, **config: str) -> None:
        """Make a topic."""
        admin = self.admin()  # it has to live until the answer is there
        admin.create_topics([NewTopic(topic, partitions, 1, config=config)])[topic].result()

    def drop(self, topic: str) -> None:
        """Delete a topic."""
        admin = self.admin()
        admin.delete_topics([topic])[topic].result()

    def send(
        self, topic: str, values: Iterable[str | bytes | None], partition: int = 0, key: str | None = None
    ) -> None:
        """Messages, acknowledged."""
        producer = Producer({"bootstrap.servers": self.address, "acks": "all", "log_level": 0})
        for value in values:
            producer.produce(topic, value=value, key=key, partition=partition)
            producer.poll(0)
        assert producer.flush(30) == 0

    def _java(self, name: str, *arguments: str) -> None:
        subprocess.run(
            ["java", "-cp", f"{_jars()}/*", name, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


@contextmanager
def kafka_broker(folder: Path) -> Iterator[Broker]:
    """A broker that runs with an empty log; without Java and Maven its test is skipped, and fails where CI is set."""
    expect_tools("Kafka's broker", "java", "mvn")
    broker = Broker(folder=folder)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()


def _jars() -> Path:
    """The folder of the broker's jars."""
    return fetch_jars(f"kafka-{VERSION}", _ARTIFACTS)
