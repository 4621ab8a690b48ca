"""MLPIPE_START_DATE moved: earlier days are out everywhere, and in again when it moves back."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from mlpipe_assets.settings import PROJECT_ROOT
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.dagster_homes import quiet_home
from mlpipe_assets_tests.planted import ANN, START, day, drop_customers, drop_orders, one_a_day


def mlpipe(home: Path, lake: Lake, start: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own: the start of the partitions is read once."""
    env = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "MLPIPE_DATA_DIR": str(lake.root), "DAGSTER_HOME": str(home)}
    env |= {"MLPIPE_SETTLE_SECONDS": "0", "MLPIPE_START_DATE": f"{day(start)}"}
    command = [sys.executable, "-m", "mlpipe_assets.cli", *arguments]
    return subprocess.run(command, cwd=PROJECT_ROOT, env=env, capture_output=True, text=True, check=False)


def dropped(root: Path) -> Lake:
    """Six days of orders, and two snapshots that were known before the third of them."""
    lake = Lake(data_dir=str(root))
    for n in range(1, 7):
        drop_orders(lake, f"orders_{day(n)}.csv", one_a_day(n, n, ("ann", "bob")))
    drop_customers(lake, f"customers_{START}.csv", ANN)
    drop_customers(lake, f"customers_{day(2)}.csv", [("ann", 31, "north", START), ("bob", 40, "south", START)])
    return lake


def tables(lake: Lake, start: int) -> dict[str, str]:
    """Digest of every partition of clean tables and features from a day on."""
    paths = [p for stage in ("interim", "features") for p in (lake.root / stage).glob("*/date=*/part.parquet")]
    within = [p for p in paths if p.parent.name >= f"date={day(start)}"]
    return {p.relative_to(lake.root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(within)}


@pytest.mark.long
def test_days_before_a_later_start_are_out_everywhere_and_in_again_when_it_moves_back(tmp_path: Path) -> None:
    home = quiet_home(tmp_path)
    moved, scratch = dropped(tmp_path / "moved"), dropped(tmp_path / "scratch")
    first = mlpipe(home, moved, 1, "run")
    before = tables(moved, 1)

    later = mlpipe(home, moved, 3, "run")
    fresh = mlpipe(home, scratch, 3, "run")

    assert (first.returncode, later.returncode, fresh.returncode) == (0, 0, 0), later.stdout
    assert tables(moved, 3) == tables(scratch, 3)
    status = json.loads(mlpipe(home, moved, 3, "status", "--json").stdout)
    shown = [p for p in status["partitions"] if p["table"].startswith(("interim/", "features/"))]
    assert min(p["date"] for p in shown) == f"{day(3)}"
    counted = mlpipe(home, moved, 3, "sql", "select min(date) as first from stg.orders", "--json")
    assert f"{day(3)}" in counted.stdout

    back = mlpipe(home, moved, 1, "run")

    assert back.returncode == 0, back.stdout
    assert tables(moved, 1) == before
