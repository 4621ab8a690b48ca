"""A new, empty store of each kind, and the server of those that need one."""

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from mlpipe_assets.store.objects import Objects
from mlpipe_assets_tests.object_server import ObjectServer, object_server
from mlpipe_assets_tests.store.stores import STORES

NewStore = Callable[[], Objects]


@pytest.fixture(scope="session")
def server_of_objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    """One server for all tests: each takes a prefix of its own."""
    with object_server(tmp_path_factory.mktemp("objects")) as server:
        yield server


@pytest.fixture(params=STORES)
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> NewStore:
    """Makes a new, empty store each time it is called."""
    numbers = itertools.count()
    server = partial(request.getfixturevalue, "server_of_objects")
    return lambda: STORES[request.param](tmp_path / f"{next(numbers)}", server)


@pytest.fixture
def objects(new_store: NewStore) -> Objects:
    return new_store()
