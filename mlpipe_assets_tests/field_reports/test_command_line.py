"""Reports about commands that die on pipes and code pages, re-created with ours."""

import io
import os
import subprocess
import sys

import pytest

from mlpipe_assets.cli import main
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.dagster_homes import quiet_home
from mlpipe_assets_tests.planted import START, day, drop_customers, drop_orders

MLPIPE = [sys.executable, "-c", "import sys; from mlpipe_assets.cli import main; sys.exit(main())"]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A lake with a drop zone whose names and values are not ASCII."""
    tmp_path = tmp_path_factory.mktemp("command-line")
    lake = Lake(data_dir=str(tmp_path / "data"))
    drop_orders(lake, "orders_2026-01-01_größe.csv", [("o1", "zoë", day(1), "1.00", "web")])
    drop_customers(lake, f"customers_{START}.csv", [("zoë", 30, "north", START)])
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLPIPE_", "LC_", "LANG", "PYTHON"))}
    return kept | {
        "DAGSTER_HOME": str(quiet_home(tmp_path)),
        "MLPIPE_DATA_DIR": str(lake.root),
        "MLPIPE_SETTLE_SECONDS": "0",
    }


def test_output_that_nobody_reads_to_the_end_is_no_failure(environment: dict[str, str]) -> None:
    query = "from range(200000)"
    with subprocess.Popen(
        [*MLPIPE, "sql", query, "--json"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        told = process.stderr.read().decode()

    assert process.returncode == 0, told
    assert "Traceback" not in told


CALLS = (["run"], ["status"], ["sql", "select customer_id, '✓ Ελληνικά' as greek from stg.orders"])


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_output_is_printed_whatever_the_code_page_of_the_place_it_goes_to(
    environment: dict[str, str], encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DAGSTER_HOME", "MLPIPE_DATA_DIR", "MLPIPE_SETTLE_SECONDS"):
        monkeypatch.setenv(name, environment[name])
    for arguments in CALLS:
        with monkeypatch.context() as within:
            page = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
            within.setattr(sys, "stdout", page)
            assert main(arguments) == 0, arguments
        page.seek(0)
        assert page.read(), arguments


def test_names_are_whole_where_output_goes_into_a_pipe(environment: dict[str, str]) -> None:
    long = "x" * 300

    ran = subprocess.run(
        [*MLPIPE, "sql", f"select '{long}' as value, 'end' as last"], env=environment, capture_output=True, check=True
    )

    assert long in ran.stdout.decode().replace("\n", "")
    assert b"end" in ran.stdout
