"""What the tests of executors share."""

import os

import pytest

from mlpipe_assets_tests.executors.whole_graph import WholeRun, run_once


@pytest.fixture(scope="session")
def run_of_threads(tmp_path_factory: pytest.TempPathFactory) -> WholeRun:
    """The whole graph by threads, run once for all processes of a session."""
    own = tmp_path_factory.getbasetemp()
    return run_once(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own)
