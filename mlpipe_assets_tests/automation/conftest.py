"""What the tests of automation share."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets_tests.planted import planted_catalog
from mlpipe_assets_tests.webhook import Webhook, webhook


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """Orders, customers, spend and returning."""
    return planted_catalog(tmp_path / "sql")


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance of Dagster that forgets."""
    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path)) as found:
        yield found


@pytest.fixture(scope="module")
def listener() -> Iterator[Webhook]:
    """The same, for all tests of a module that share one Dagster."""
    with webhook() as found:
        yield found
