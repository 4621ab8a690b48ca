"""A Dagster home that is full or has no inode left: one sentence that names it, and no traceback."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlpipe_assets.cli import main
from mlpipe_assets.settings import PROJECT_ROOT
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.planted import day, drop_orders, one_a_day


@pytest.fixture(params=["size=64k", "size=900k", "size=2m,nr_inodes=4"])
def small_home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A disk too small for Dagster's records: before the first of them, in the middle of a run, or of files."""
    place = tmp_path / "home"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", request.param, "tmpfs", str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_dagster_home_is_named_in_one_sentence(
    small_home: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(small_home))
    monkeypatch.setenv("MLPIPE_DATA_DIR", str(lake.root))
    drop_orders(lake, f"orders_{day(1)}.csv", one_a_day(1, 1))

    assert main(["run"]) == 2

    told = capsys.readouterr().err
    assert f"error: Dagster cannot keep its records in {small_home}: " in told
    assert "Traceback" not in told
    assert main(["status"]) == 0


@pytest.mark.parametrize("small_home", ["size=64k"], indirect=True)
def test_commands_of_dagster_name_a_full_home_in_one_sentence_too(small_home: Path, lake: Lake, tmp_path: Path) -> None:
    """The home's dagster.yaml is the project's: its storage is loaded before anything else."""
    config = (PROJECT_ROOT / "dagster.yaml").read_text()
    (small_home / "dagster.yaml").write_text(config)
    environment = {**os.environ, "DAGSTER_HOME": str(small_home), "MLPIPE_DATA_DIR": str(lake.root)}
    tags = f'{{"dagster/partition": "{day(1)}"}}'
    command = [sys.executable, "-m", "dagster", "job", "execute", "-m", "mlpipe_assets.definitions", "-j", "ingest_job"]

    ran = subprocess.run([*command, "--tags", tags], env=environment, capture_output=True, text=True, check=False)

    assert ran.returncode == 1
    assert f"Error: Dagster cannot keep its records in {small_home}: " in ran.stderr
    assert "Traceback" not in ran.stderr
