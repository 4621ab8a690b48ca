"""The whole graph by `mlpipe run`, in a process of its own, and the files it leaves."""

import fcntl
import json
import os
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

    def differs_from(self, other: "WholeRun") -> list[str]:
        """Files that only one of two has, or that have other bytes."""
        paths = self.files.keys() | other.files.keys()
        return sorted(path for path in paths if self.files.get(path) != other.files.get(path))


def run_once(folder: Path) -> WholeRun:
    """The run of threads in this process's environment, made by whoever asks for it first; others wait for it."""
    kept = folder / "threads"
    with (folder / "threads.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            fresh = folder / f"threads.{os.getpid()}"
            fresh.mkdir()
            run = run_all(fresh, os.environ)
            (fresh / "said.json").write_text(json.dumps(run.said))
            fresh.rename(kept)
    said = json.loads((kept / "said.json").read_text())
    return WholeRun(said=said, files=files_of(Lake(data_dir=f"{kept / 'data'}")))


def run_all(folder: Path, environment: Mapping[str, str]) -> WholeRun:
    """Run every stage over the sample of the built-in example."""
    data = folder / "data"
    shutil.copytree(PROJECT_ROOT / "data" / "raw", data / "raw")
    own = {"MLPIPE_DATA_DIR": f"{data}", "DAGSTER_HOME": f"{folder}", "MLPIPE_SETTLE_SECONDS": "0"}
    command = [sys.executable, "-m", "mlpipe_assets.cli", "run", "--json"]
    done = subprocess.run(command, env={**environment, **own}, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return WholeRun(said=json.loads(done.stdout), files=files_of(Lake(data_dir=f"{data}")))
