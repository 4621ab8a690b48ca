"""Output that cannot go where it should: nobody reads it, its disk is full, or its place has no language."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MLPIPE = [sys.executable, "-c", "import sys; from mlpipe_assets.cli import main; sys.exit(main())"]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An empty data folder, in a place of no language."""
    tmp_path = tmp_path_factory.mktemp("streams")
    (tmp_path / "data" / "raw").mkdir(parents=True)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLPIPE_", "LC_", "LANG", "PYTHON"))}
    return kept | {"DAGSTER_HOME": str(tmp_path), "MLPIPE_DATA_DIR": str(tmp_path / "data")}


def test_a_message_that_nobody_reads_keeps_its_exit_code(environment: dict[str, str]) -> None:
    read, write = os.pipe()
    os.close(read)

    ran = subprocess.run([*MLPIPE, "sql", "selec 1"], env=environment, stdout=write, stderr=write, check=False)

    os.close(write)
    assert ran.returncode == 2  # and not 120, Python's own for output that it could not get rid of


def test_output_that_does_not_fit_on_its_disk_is_exit_1_and_said(environment: dict[str, str]) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [*MLPIPE, "sql", "select 1"], env=environment, stdout=full, stderr=subprocess.PIPE, check=False
        )

    assert ran.returncode == 1
    assert ran.stderr.startswith(b"error: The output could not be written: No space left on device.")


def test_a_process_in_a_place_without_a_language_prints_names_of_all_languages(environment: dict[str, str]) -> None:
    plain = {**environment, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}

    ran = subprocess.run([*MLPIPE, "sql", "select 'zoë' as who"], env=plain, capture_output=True, check=True)

    assert rb"zo\xeb" in ran.stdout
