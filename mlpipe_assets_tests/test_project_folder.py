"""Which project a command works for: found from the folder it runs in, or from the environment."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from mlpipe_assets.cli import main
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.project_folder import EXAMPLE, find_project
from mlpipe_assets.settings import PROJECT_ROOT, read_settings

SHOP = '[tool.mlpipe]\ncatalog = "shop.catalog"\n'


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a project with a folder below it, which is the current one."""
    (tmp_path / "shop" / "notes").mkdir(parents=True)
    (tmp_path / "shop" / "pyproject.toml").write_text(SHOP)
    monkeypatch.chdir(tmp_path / "shop" / "notes")
    return tmp_path / "shop"


def package(folder: Path, name: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").touch()


def test_a_project_is_found_from_any_folder_below_it(here: Path) -> None:
    settings = read_settings({})

    assert settings.project.catalog == "shop.catalog"
    assert settings.data_dir == here / "data"
    assert settings.start_date == date(2026, 1, 1)


def test_the_nearest_pyproject_that_speaks_of_mlpipe_counts(here: Path) -> None:
    (here / "notes" / "pyproject.toml").write_text('[project]\nname = "notes"\n')

    assert read_settings({}).project.root == here


def test_the_first_day_may_be_said_in_pyproject_and_the_environment_wins(here: Path) -> None:
    (here / "pyproject.toml").write_text(f'{SHOP}start_date = "2013-01-01"\n')

    assert read_settings({}).start_date == date(2013, 1, 1)
    assert read_settings({"MLPIPE_START_DATE": "2014-01-01"}).start_date == date(2014, 1, 1)


def test_the_environment_names_another_catalog_and_its_package_says_where_the_data_is(
    here: Path, tmp_path: Path
) -> None:
    package(here / "notes", "other")

    found = read_settings({"MLPIPE_CATALOG": "other.catalog:ALL"})

    assert (found.project.catalog, found.project.said_in) == ("other.catalog:ALL", "MLPIPE_CATALOG")
    assert found.data_dir == here / "data"  # the package belongs to the project above it
    (here / "pyproject.toml").unlink()
    assert read_settings({"MLPIPE_CATALOG": "other.catalog:ALL"}).data_dir == here / "notes" / "data"


def test_a_catalog_that_is_installed_says_nothing_of_where_the_data_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path / "env" / "site-packages", "installed_shop")
    monkeypatch.syspath_prepend(tmp_path / "env" / "site-packages")
    monkeypatch.chdir(tmp_path)

    for name in ("installed_shop.catalog", "json", "nowhere", "__main__", ":"):
        assert find_project({"MLPIPE_CATALOG": name}, tmp_path).root == tmp_path, name
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    assert find_project({"MLPIPE_CATALOG": "installed_shop"}, tmp_path / "env").root == tmp_path


def test_without_a_project_it_is_the_example_of_this_checkout(tmp_path: Path) -> None:
    found = find_project({}, tmp_path)

    assert (found.root, found.catalog, found.said_in) == (PROJECT_ROOT, EXAMPLE, "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[tool.mlpipe]\ncatalogue = "a"\n',
            "'catalogue' is no setting of [tool.mlpipe]; there are catalog, start_date.",
        ),
        ('[tool.mlpipe]\nstart_date = "2026-01-01"\n', "[tool.mlpipe] names no catalog. Write it there"),
        ("[tool.mlpipe]\ncatalog = 1\n", "catalog in [tool.mlpipe] is no text."),
        ('[tool]\nmlpipe = "a"\n', "mlpipe under [tool] is no table."),
        ("[tool.mlpipe]\ncatalog =\n", "is not TOML: "),
        (f'{SHOP}start_date = "soon"\n', "start_date in "),
    ],
)
def test_a_pyproject_that_is_wrong_is_named(here: Path, text: str, said: str) -> None:
    (here / "pyproject.toml").write_text(text)

    with pytest.raises(SettingsError) as raised:
        read_settings({})

    assert said in str(raised.value)
    assert f"{here / 'pyproject.toml'}" in str(raised.value)


@pytest.mark.parametrize("text", ["not TOML =", "tool = 3\n", "\xff", ""])
def test_a_pyproject_of_something_else_is_nothing_to_us(here: Path, text: str) -> None:
    (here / "notes" / "pyproject.toml").write_bytes(text.encode("latin-1"))

    assert read_settings({}).project.root == here


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_a_project_above_that_somebody_else_put_there_is_not_used(here: Path) -> None:
    nobody, user = 65534, 1000
    os.chown(here / "pyproject.toml", nobody, nobody)
    assert read_settings({}).project.catalog == EXAMPLE

    os.chown(here / "notes", nobody, nobody)  # as a folder that is mounted into a container
    assert read_settings({}).project.root == here
    os.chown(here / "notes", user, user)
    assert read_settings({}).project.catalog == EXAMPLE


def test_the_built_in_catalog_is_loaded_only_when_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "empty.py").write_text("from mlpipe_assets.catalog.declarations import Catalog\nCATALOG = Catalog()\n")
    program = (
        "import sys; import mlpipe_assets.definitions as d; import mlpipe_assets.commands.run; "
        "print(d.CATALOG.sources, [m for m in sys.modules if m.endswith(('catalog.sources', 'contracts.orders'))])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path, env={**os.environ, "MLPIPE_CATALOG": "empty"}, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout.strip() == "() []"


def test_a_project_without_a_data_folder_is_told_how_to_begin(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MLPIPE_CATALOG", raising=False)
    monkeypatch.delenv("MLPIPE_DATA_DIR", raising=False)
    (here / "pyproject.toml").write_text('[tool.mlpipe]\ncatalog = "mlpipe_assets.catalog.contents"\n')

    assert main(["status"]) == 2

    assert capsys.readouterr().err.startswith(
        f"error: The data folder {here / 'data'} does not exist. To begin there: mkdir -p {here / 'data' / 'raw'}. "
        "For a project of your own, with a sample: mlpipe init shop\n"
    )


def test_the_example_says_where_it_is_when_it_is_used_from_elsewhere(tmp_path: Path) -> None:
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("MLPIPE_", "DAGSTER_"))}

    done = subprocess.run(
        [sys.executable, "-m", "mlpipe_assets.cli", "accept", "orders", "no day", "--reason", "x"],
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )

    assert f"There is no project in {tmp_path}, so this is the built-in example in {PROJECT_ROOT}" in done.stderr
