"""What every test shares."""

import os
import sqlite3
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic.script import ScriptDirectory
from hypothesis import settings
from sqlalchemy import event
from sqlalchemy.engine import Engine

from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.webhook import Webhook, webhook

if TYPE_CHECKING:  # their clients are imported by the tests that ask for them
    from mlpipe_assets_tests.kafka_broker import Broker
    from mlpipe_assets_tests.nats_server import NatsServer

# The same examples on every machine, however fast it is. HYPOTHESIS_SEARCH=1 looks for new ones.
settings.register_profile("steady", deadline=None, derandomize="HYPOTHESIS_SEARCH" not in os.environ)
settings.load_profile("steady")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with files that hold slow tests: a file stays on one core, and the last one should not be long."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True, scope="session")
def read_migrations_once() -> Iterator[None]:
    """Let alembic read Dagster's ninety migrations once a session, and not twice for each instance and each run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScriptDirectory, "from_config", cache(ScriptDirectory.from_config))
        yield


@pytest.fixture(autouse=True, scope="session")
def wait_for_no_disk() -> Iterator[None]:
    """Leave it to the system when files reach the disk: only a power cut would tell, and waiting takes half of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        event.listen(Engine, "connect", _let_sqlite_not_wait)
        yield
        event.remove(Engine, "connect", _let_sqlite_not_wait)


def _let_sqlite_not_wait(connection: object, _: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF")


@pytest.fixture(autouse=True)
def no_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files a test has just written are whole; do not wait to see."""
    monkeypatch.setenv("MLPIPE_SETTLE_SECONDS", "0")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake: a drop zone without files, and nothing else."""
    (tmp_path / "data" / "raw").mkdir(parents=True, exist_ok=True)
    return Lake(data_dir=str(tmp_path / "data"))


@pytest.fixture
def server() -> Iterator[Webhook]:
    """A webhook that takes what it is sent."""
    with webhook() as found:
        yield found


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Broker"]:
    """A broker of Kafka; it takes seconds to come up, so there is one for all tests of a process."""
    from mlpipe_assets_tests.kafka_broker import kafka_broker

    with kafka_broker(tmp_path_factory.mktemp("kafka")) as found:
        yield found


@pytest.fixture(scope="session")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator["NatsServer"]:
    """A server of NATS."""
    from mlpipe_assets_tests.nats_server import nats_server

    with nats_server(tmp_path_factory.mktemp("nats")) as found:
        yield found
