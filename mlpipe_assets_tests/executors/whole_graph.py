"""The whole graph by `mlpipe run`, in a process of its own, and the files it leaves."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlpipe_assets.settings import PROJECT_ROOT
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.executors.lakes import files_of


@dataclass(frozen=True, kw_only=True)
class WholeRun:
    """What `mlpipe run --json` said, and every file with rows or counts that it left."""

    said: Mapping[str, Any]
    files: Mapping[str, bytes]


def run_all(folder: Path, environment: Mapping[str, str]) -> WholeRun:
    """Run every stage over the sample of the built-in example."""
    data = folder / "data"
    shutil.copytree(PROJECT_ROOT / "data" / "raw", data / "raw")
    own = {"MLPIPE_DATA_DIR": f"{data}", "DAGSTER_HOME": f"{folder}", "MLPIPE_SETTLE_SECONDS": "0"}
    command = [sys.executable, "-m", "mlpipe_assets.cli", "run", "--json"]
    done = subprocess.run(command, env={**environment, **own}, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return WholeRun(said=json.loads(done.stdout), files=files_of(Lake(data_dir=f"{data}")))
