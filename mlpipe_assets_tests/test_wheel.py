"""An installed wheel, away from the checkout: it brings its SQL and its sample, and keeps data out of the environment."""

import os
import time
import urllib.request
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from mlpipe_assets.settings import PROJECT_ROOT
from mlpipe_assets_tests.servers import free_port
from mlpipe_assets_tests.wheels import Installed, build_wheel

pytestmark = [pytest.mark.long, pytest.mark.slow]
DAY = '{"dagster/partition": "2026-01-02"}'


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("installed"))


def test_the_wheel_holds_the_sql_and_no_test(tmp_path: Path) -> None:
    with zipfile.ZipFile(build_wheel(tmp_path)) as wheel:
        held = {name: wheel.read(name) for name in wheel.namelist()}

    for path in (PROJECT_ROOT / "sql").rglob("*.sql"):
        assert held[f"mlpipe_assets/{path.relative_to(PROJECT_ROOT)}"] == path.read_bytes()
    assert {name.partition("/")[0] for name in held} == {"mlpipe_assets", "mlpipe_assets-0.1.0.dist-info"}


def test_an_installed_wheel_runs_in_an_empty_folder(installed: Installed, tmp_path: Path) -> None:
    before = {path for path in installed.packages.rglob("*") if "__pycache__" not in path.parts}

    version = installed.run(tmp_path, "mlpipe", "--version")
    first = installed.run(tmp_path, "mlpipe", "run")
    sample = installed.run(tmp_path, "mlpipe", "sample", "--days", "3", "--orders-per-day", "20", "--customers", "30")
    done = installed.run(tmp_path, "mlpipe", "run", MLPIPE_CATALOG="mlpipe_assets.catalog.contents:CATALOG")
    asked = installed.run(tmp_path, "mlpipe", "sql", "select count(*) > 0 as built from feats.customer_features")
    job = installed.run(
        tmp_path, "dagster", "job", "execute", "-m", "mlpipe_assets.definitions", "-j", "daily_job", "--tags", DAY
    )

    assert version.stdout == "mlpipe 0.1.0\n"
    assert first.returncode == 2
    assert first.stderr.startswith(
        f"error: There is no project in {tmp_path}. The data folder {tmp_path / 'data'} does not"
    )
    assert f"mkdir -p {tmp_path / 'data' / 'raw'}" in first.stderr
    assert (sample.returncode, done.returncode) == (0, 0), sample.stderr + done.stdout + done.stderr
    assert "features/customer_features" in done.stdout
    assert "true" in asked.stdout.lower()
    assert job.returncode == 0, job.stderr[-3000:]
    assert (tmp_path / "data" / "interim" / "orders" / "date=2026-01-02" / "part.parquet").exists()
    assert {path for path in installed.packages.rglob("*") if "__pycache__" not in path.parts} == before


def typed(printed: str) -> str:
    """The indented lines of what `mlpipe init` prints, as somebody pastes them."""
    return "\n".join(line.strip() for line in printed.splitlines() if line.startswith("  "))


def test_a_new_project_does_all_that_it_says(installed: Installed, tmp_path: Path) -> None:
    path = os.environ["PATH"]
    made = installed.run(tmp_path, str(installed.bin / "mlpipe"), "init", "my shop", PATH=path)
    assert made.returncode == 0, made.stderr
    pasted = installed.run(tmp_path, "bash", "-euo", "pipefail", "-c", typed(made.stdout), PATH=path)
    assert pasted.returncode == 0, pasted.stdout + pasted.stderr
    assert "predictions/repeat_purchase" in pasted.stdout
    root = tmp_path / "my shop"

    for command in (
        ["make", "test"],
        ["mlpipe", "status"],
        ["mlpipe", "verify"],
        ["mlpipe", "sql", "select count(*) from feats.customer_features"],
        ["dagster", "job", "execute", "-m", "my_shop.definitions", "-j", "daily_job", "--tags", DAY],
        ["dagster", "definitions", "validate", "--workspace", "workspace.yaml"],
    ):
        done = installed.run(root, *command)
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    assert "1 passed" in installed.run(root / "tests", "pytest", "-q").stdout
    again = installed.run(root, "make", "run")
    assert "Everything is up to date" in again.stdout


def test_an_empty_project_does_all_that_it_says(installed: Installed, tmp_path: Path) -> None:
    made = installed.run(tmp_path, "mlpipe", "init", "bank", "--example", "empty")
    assert made.returncode == 0, made.stderr
    assert typed(made.stdout) == "cd bank\nmake run"

    for command in ("make run", "make test", "make", "dagster definitions validate"):
        done = installed.run(tmp_path / "bank", *command.split())
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"


def test_the_workspace_of_a_new_project_opens_in_dagsters_ui(installed: Installed, tmp_path: Path) -> None:
    installed.run(tmp_path, "mlpipe", "init", "bank", "--example", "empty")
    port = str(free_port())

    with installed.start(tmp_path / "bank", "make", "dev", f"PORT={port}") as log:
        deadline = time.monotonic() + 240
        while True:
            with suppress(OSError):
                asked = '{"query": "{workspaceOrError{...on Workspace{locationEntries{name loadStatus}}}}"}'
                request = urllib.request.Request(
                    f"http://127.0.0.1:{port}/graphql", asked.encode(), {"Content-Type": "application/json"}
                )
                answer = urllib.request.urlopen(request, timeout=10).read().decode()  # noqa: S310 (the address is ours)
                if "LOADED" in answer:
                    break
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.5)
    assert '"name":"bank"' in answer.replace(" ", "")
