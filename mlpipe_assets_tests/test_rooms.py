"""What each room of the package may import: `docs/architecture.md` draws it, these tests hold it."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mlpipe_assets.settings import PROJECT_ROOT
from mlpipe_assets_tests.rooms import PACKAGE, arrows, draw, files_importing, modules_imported, reachable

WITHOUT_DAGSTER = (
    *("alerting", "catalog", "contracts", "engines", "executors", "freshness", "intake", "learning", "monitoring"),
    *(
        "lineage",
        "new_project",
        "pictures",
        "point_in_time",
        "publish",
        "readers",
        "serving",
        "statistics",
        "store",
        "tagging",
    ),
    *("training", "transforms"),
    *("flow", "metrics", "project", "rebuilds", "status", "verification"),
)
# From the door inwards: a room imports rooms of later lines only.
LAYERS = (
    ("cli", "definitions", "components", "project"),
    ("commands",),
    ("pipeline",),
    ("automation",),
    ("data_catalog", "metrics", "warehouse"),
    ("explain", "publish", "status", "verification"),
    ("lineage",),
    ("tagging",),
    ("rebuilds",),
    ("flow",),
    ("stages",),
    ("freshness",),
    ("monitoring", "serving"),
    ("training",),
    ("point_in_time",),
    ("resources", "alerting"),
    ("intake", "learning", "new_project"),
    ("store", "transforms"),
    ("catalog",),
    ("engines",),
    ("contracts", "executors", "pictures", "readers", "statistics"),
)
PURE = ("contracts", "learning", "pictures", "readers", "statistics", "transforms")
_LONGEST = 300

_LOAD = """
import importlib, pkgutil, sys
for room in sys.argv[1:]:
    found = importlib.import_module("mlpipe_assets." + room)
    inside = pkgutil.walk_packages(getattr(found, "__path__", []), found.__name__ + ".")
    for name in [found.__name__, *(name for _, name, _ in inside)]:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            assert error.name in ("pyarrow", "pyspark"), error  # what is never installed beside the tests
        assert "dagster" not in sys.modules, name + " imports Dagster, itself or through others"
"""


def test_a_service_or_a_notebook_uses_these_rooms_without_dagster() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", _LOAD, *WITHOUT_DAGSTER], capture_output=True, text=True, check=False
    )

    assert loaded.returncode == 0, loaded.stderr


def test_no_room_is_imported_by_one_that_it_imports() -> None:
    found = arrows()

    assert [room for room in found if room in reachable(found, room)] == []


@pytest.mark.parametrize("number", range(len(LAYERS)))
def test_imports_point_inwards(number: int) -> None:
    found, outside = arrows(), {room for layer in LAYERS[: number + 1] for room in layer}

    assert {room: found[room] & outside for room in LAYERS[number] if found.get(room, set()) & outside} == {}


def test_every_room_has_a_layer() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}

    assert folders - {room for layer in LAYERS for room in layer} == set()


@pytest.mark.parametrize("room", PURE)
def test_a_pure_room_knows_no_store_and_no_stage(room: str) -> None:
    found = arrows()

    assert reachable(found, room) & {"automation", "intake", "resources", "stages", "store"} == set()
    # The catalog has its SQL bound over empty tables when it is loaded; nobody runs a select through it.
    assert reachable({**found, "catalog": found["catalog"] - {"engines"}}, room) & {"engines"} == set()


def test_of_the_engines_the_catalog_asks_only_how_its_sql_is_read() -> None:
    asked = {name for name in modules_imported("catalog") if name.startswith("engines.")}
    texts = [path.read_text(encoding="utf-8") for path in (PACKAGE / "catalog").rglob("*.py")]

    assert asked == {"engines.engine", "engines.refused", "engines.registry"}
    assert {word for text in texts for word in re.findall(r"open_engine\(\)\.(\w+)", text)} == {"bind", "spell_type"}


def test_only_the_engines_know_duckdb() -> None:
    knowing = {path.parts[0] for path in files_importing("duckdb")}

    assert knowing == {"engines"}


def test_outside_of_the_engines_one_is_known_by_its_protocol() -> None:
    asked = {name for room in arrows() if room != "engines" for name in modules_imported(room) if "engines." in name}

    assert asked == {"engines.distinct_names", "engines.engine", "engines.refused", "engines.registry"}


def test_a_kind_of_intake_is_known_to_its_registry_alone() -> None:
    named = {
        path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if "intake.drop_zone" in path.read_text("utf-8")
    }

    assert named == {Path("intake/registry.py")}


def test_the_picture_in_the_architecture_is_drawn_from_the_code() -> None:
    page = PROJECT_ROOT / "docs" / "architecture.md"
    text = page.read_text(encoding="utf-8")
    drawn = draw(arrows())
    if os.environ.get("MLPIPE_GOLDEN"):  # make golden
        page.write_text(re.sub(r"flowchart TD\n.*?(?=\n```)", drawn, text, flags=re.DOTALL), encoding="utf-8")

    assert drawn in page.read_text(encoding="utf-8")


def test_no_module_is_longer_than_a_person_reads_at_once() -> None:
    lengths = {
        path.relative_to(PACKAGE): len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py")
    }

    assert {path: length for path, length in lengths.items() if length > _LONGEST} == {}


def test_the_walks_of_the_architecture_name_functions_that_are_there() -> None:
    page = (PROJECT_ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    walks = page.partition("## Two walks")[2].partition("\n## ")[0]
    named = re.findall(r"`((?:[a-z_]+\.)+[\w.]+)`", walks)
    assert len(named) > 15

    for name in named:
        module, *rest = _module_and_rest(name)
        thing: object = importlib.import_module(f"mlpipe_assets.{module}")
        for part in rest:
            thing = getattr(thing, part)
        assert callable(thing), name


def _module_and_rest(name: str) -> list[str]:
    """The module a dotted name begins with, and the parts after it."""
    parts = name.split(".")
    length = next(n for n in range(len(parts), 0, -1) if (PACKAGE / Path(*parts[:n])).with_suffix(".py").exists())
    return [".".join(parts[:length]), *parts[length:]]
