"""A lake that the command is pointed at, and what the command says."""

from pathlib import Path

import pytest

from mlpipe_assets.cli import main
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.dagster_homes import quiet_home
from mlpipe_assets_tests.frames import JAN_5, JAN_6
from mlpipe_assets_tests.tagging.lakes import Said, publish


@pytest.fixture
def two_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Two days of orders, in a lake that the command is pointed at."""
    monkeypatch.setenv("MLPIPE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("DAGSTER_HOME", str(quiet_home(tmp_path)))
    found = Lake(data_dir=str(tmp_path / "data"))
    (found.root / keys.DELIVERIES).mkdir(parents=True)
    publish(found, {JAN_5: 1, JAN_6: 2})
    return found


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """What a command prints, or complains of, when it ends with a code."""

    def call(*arguments: str, code: int = 0) -> str:
        capsys.readouterr()
        assert main(arguments) == code
        told = capsys.readouterr()
        return told.out if code == 0 else told.err

    return call
