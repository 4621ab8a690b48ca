"""A new, empty store of each kind."""

from pathlib import Path

import pytest

from mlpipe_assets.store.objects import Objects
from mlpipe_assets_tests.store.stores import STORES


@pytest.fixture(params=STORES)
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    return STORES[request.param](tmp_path)
