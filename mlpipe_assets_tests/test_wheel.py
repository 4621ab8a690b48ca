"""An installed wheel, away from the checkout: it brings its SQL and its sample, and keeps data out of the environment."""

import zipfile
from pathlib import Path

import pytest

from mlpipe_assets.settings import PROJECT_ROOT
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
    assert (first.returncode, "there is no" in first.stderr) == (2, False)
    assert f"mkdir -p {tmp_path / 'data' / 'raw'}" in first.stderr
    assert (sample.returncode, done.returncode) == (0, 0), sample.stderr + done.stdout + done.stderr
    assert "features/customer_features" in done.stdout
    assert "true" in asked.stdout.lower()
    assert job.returncode == 0, job.stderr[-3000:]
    assert (tmp_path / "data" / "interim" / "orders" / "date=2026-01-02" / "part.parquet").exists()
    assert {path for path in installed.packages.rglob("*") if "__pycache__" not in path.parts} == before
