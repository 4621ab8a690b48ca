"""What each room of the package may import: `docs/architecture.md` draws it, these tests hold it."""

import re
import subprocess
import sys
from pathlib import Path

import mlpipe_assets

WITHOUT_DAGSTER = (
    *(
        "catalog",
        "contracts",
        "engines",
        "learning",
        "monitoring",
        "pictures",
        "readers",
        "statistics",
        "store",
        "transforms",
    ),
    *("leakage", "project", "status", "training_checks", "verification"),
)

_LOAD = """
import importlib, pkgutil, sys
for room in sys.argv[1:]:
    found = importlib.import_module("mlpipe_assets." + room)
    inside = pkgutil.walk_packages(getattr(found, "__path__", []), found.__name__ + ".")
    for name in [found.__name__, *(name for _, name, _ in inside)]:
        importlib.import_module(name)
        assert "dagster" not in sys.modules, name + " imports Dagster, itself or through others"
"""


def test_a_service_or_a_notebook_uses_these_rooms_without_dagster() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", _LOAD, *WITHOUT_DAGSTER], capture_output=True, text=True, check=False
    )

    assert loaded.returncode == 0, loaded.stderr


def test_the_store_knows_no_room_above_it() -> None:
    code = "".join(path.read_text() for path in (Path(mlpipe_assets.__file__).parent / "store").rglob("*.py"))

    rooms = set(re.findall(r"^ *(?:from|import) mlpipe_assets\.(\w+)", code, re.MULTILINE))

    assert rooms == {"store", "errors", "partitions", "settings", "concurrency"}


# A name joined to the data folder, the folder of a day, and names of places that are no tables.
_SPELLED = re.compile(
    r"""lake\.root / f?"|\bdate=\{|"(part|train)\.parquet"|(?<!")"[^"]+/(_events|quarantine|refused|champions)\b"""
)


def test_one_module_alone_spells_the_places_of_the_lake() -> None:
    package = Path(mlpipe_assets.__file__).parent
    modules = {f"{path.relative_to(package)}": path.read_text().splitlines() for path in package.rglob("*.py")}

    spelling = {name for name, lines in modules.items() for line in lines if _SPELLED.search(line)}

    assert spelling == {"store/keys.py"}
