"""The pipeline as a Dagster project of somebody else takes it: one import, one call."""

import json
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.pipeline import build_definitions
from mlpipe_assets_tests.dagster_homes import quiet_home

CATALOG_OF_THEIRS = """
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.sources import SOURCES

CATALOG = Catalog(sources=SOURCES)
"""
BY_IMPORT = """
import dagster as dg
from mlpipe_assets.pipeline import build_definitions
from shop.catalog import CATALOG

@dg.asset(deps=[dg.AssetKey(["interim", "orders"])])
def order_letter() -> None: ...

defs = dg.Definitions.merge(dg.Definitions(assets=[order_letter]), build_definitions(CATALOG))
"""
BY_COMPONENT = """
from pathlib import Path
import dagster as dg

@dg.definitions
def defs() -> dg.Definitions:
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
"""
COMPONENT = """
type: mlpipe_assets.components.pipeline.Pipeline

attributes:
  catalog: shop.catalog:CATALOG
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
@pytest.mark.parametrize(
    "definitions",
    [pytest.param(BY_IMPORT, id="import"), pytest.param(BY_COMPONENT, id="component", marks=pytest.mark.long)],
)
def test_dagsters_own_check_accepts_a_project_that_takes_the_pipeline(tmp_path: Path, definitions: str) -> None:
    files = {
        "pyproject.toml": '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "shop"\n',
        "shop/__init__.py": "",
        "shop/catalog.py": CATALOG_OF_THEIRS,
        "shop/definitions.py": definitions,
        "shop/defs/__init__.py": "",
        "shop/defs/pipeline/defs.yaml": COMPONENT,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    env = {**os.environ, "DAGSTER_HOME": str(quiet_home(tmp_path))}
    dg_command = str(Path(sys.executable).with_name("dg"))

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([dg_command, *words], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    checked = run("check", "defs")
    assert checked.returncode == 0, checked.stderr
    if definitions is BY_COMPONENT:
        assets = {asset["asset_key"] for asset in json.loads(run("list", "defs", "--json").stdout)["assets"]}
        assert {"raw/orders", "interim/customers"} <= assets
