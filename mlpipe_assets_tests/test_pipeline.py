"""The pipeline as a Dagster project of somebody else takes it: one import, one call."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.pipeline import build_definitions
from mlpipe_assets_tests.dagster_homes import quiet_home

THEIRS = """
import dagster as dg
from mlpipe_assets.pipeline import build_definitions
from shop.catalog import CATALOG

@dg.asset(deps=[dg.AssetKey(["interim", "orders"])])
def order_letter() -> None: ...

defs = dg.Definitions.merge(dg.Definitions(assets=[order_letter]), build_definitions(CATALOG))
"""


def test_the_import_loads_no_catalog_and_reads_no_setting() -> None:
    program = (
        "import os; os.environ['MLPIPE_DATA_DIR'] = 's3://b'; os.environ['MLPIPE_CATALOG'] = 'nowhere'; "
        "import sys; import mlpipe_assets.pipeline; print('mlpipe_assets.catalog.sources' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


def test_the_pipeline_merges_with_definitions_of_ones_own() -> None:
    @dg.asset(deps=[dg.AssetKey(["interim", "orders"])])
    def order_letter() -> None: ...

    merged = dg.Definitions.merge(dg.Definitions(assets=[order_letter]), build_definitions(CATALOG))

    dg.Definitions.validate_loadable(merged)
    keys = {key.to_user_string() for key in merged.resolve_asset_graph().get_all_asset_keys()}
    assert {"order_letter", "raw/orders", "predictions/repeat_purchase"} <= keys
    assert {sensor.name for sensor in merged.sensors or []} >= {"drop_zone_sensor", "alert_sensor"}


@pytest.mark.slow
def test_dagsters_own_check_accepts_a_project_that_takes_the_pipeline(tmp_path: Path) -> None:
    (tmp_path / "shop" / "sql").mkdir(parents=True)
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "catalog.py").write_text(
        "from mlpipe_assets.catalog.declarations import Catalog\n"
        "from mlpipe_assets.catalog.sources import SOURCES\nCATALOG = Catalog(sources=SOURCES)\n"
    )
    (tmp_path / "shop" / "definitions.py").write_text(THEIRS)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "shop"\n'
    )

    done = subprocess.run(
        [Path(sys.executable).with_name("dg"), "check", "defs"],
        cwd=tmp_path, env={**os.environ, "DAGSTER_HOME": str(quiet_home(tmp_path))}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "All definitions loaded successfully" in done.stdout + done.stderr
