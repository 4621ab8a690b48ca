"""What every test shares."""

from pathlib import Path

import pytest

from mlpipe_assets.resources.lake import Lake


@pytest.fixture(autouse=True)
def no_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files a test has just written are whole; do not wait to see."""
    monkeypatch.setenv("MLPIPE_SETTLE_SECONDS", "0")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake: a drop zone without files, and nothing else."""
    (tmp_path / "data" / "raw").mkdir(parents=True, exist_ok=True)
    return Lake(data_dir=str(tmp_path / "data"))
