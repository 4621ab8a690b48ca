"""What every test shares."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from mlpipe_assets.resources.lake import Lake

# The same examples on every machine, however fast it is. HYPOTHESIS_SEARCH=1 looks for new ones.
settings.register_profile("steady", deadline=None, derandomize="HYPOTHESIS_SEARCH" not in os.environ)
settings.load_profile("steady")


@pytest.fixture(autouse=True)
def no_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files a test has just written are whole; do not wait to see."""
    monkeypatch.setenv("MLPIPE_SETTLE_SECONDS", "0")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake: a drop zone without files, and nothing else."""
    (tmp_path / "data" / "raw").mkdir(parents=True, exist_ok=True)
    return Lake(data_dir=str(tmp_path / "data"))
