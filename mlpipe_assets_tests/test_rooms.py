"""What each room of the package may import: `docs/architecture.md` draws it, these tests hold it."""

import subprocess
import sys

import pytest

WITHOUT_DAGSTER = (
    "catalog",
    "contracts",
    "engines",
    "learning",
    "pictures",
    "readers",
    "statistics",
    "store",
    "transforms",
)

_LOAD = """
import importlib, pkgutil, sys
room = importlib.import_module("mlpipe_assets." + sys.argv[1])
names = [name for _, name, _ in pkgutil.walk_packages(room.__path__, room.__name__ + ".")]
for name in names:
    importlib.import_module(name)
    assert "dagster" not in sys.modules, name + " imports Dagster, itself or through others"
assert names
"""


@pytest.mark.parametrize("room", WITHOUT_DAGSTER)
def test_a_service_or_a_notebook_uses_a_room_without_dagster(room: str) -> None:
    done = subprocess.run([sys.executable, "-c", _LOAD, room], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
