"""What the suites of engines share: each runs on every implementation."""

import pytest

from mlpipe_assets.engines.engine import Engine
from mlpipe_assets_tests.engines.implementations import IMPLEMENTATIONS, Implementation


@pytest.fixture(params=IMPLEMENTATIONS, ids=lambda one: one.name)
def implementation(request: pytest.FixtureRequest) -> Implementation:
    """Every engine there is."""
    found = request.param
    assert isinstance(found, Implementation)
    return found


@pytest.fixture
def engine(implementation: Implementation) -> Engine:
    """It, open."""
    return implementation.open()
