"""The catalog that the environment names: found in the current folder, and what is wrong with it said with its line."""

import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from mlpipe_assets.catalog.loading import catalog_of, load_catalog, settings_of
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.pipeline import build_definitions
from mlpipe_assets.settings import read_settings


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, of a user with modules of their own in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = {*sys.modules}
    yield tmp_path
    for name in {*sys.modules} - before:
        del sys.modules[name]


def refused(reference: str) -> str:
    with pytest.raises(SettingsError) as raised:
        load_catalog(reference)
    return str(raised.value)


def test_a_package_in_the_current_folder_is_found(here: Path) -> None:
    (here / "shop").mkdir()
    (here / "shop" / "__init__.py").touch()
    (here / "shop" / "all.py").write_text(
        "from mlpipe_assets.catalog.declarations import Catalog\nEVERYTHING = Catalog()\n"
    )

    assert load_catalog("shop.all:EVERYTHING").sources == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = 1\nb = timedelta(days=7)\n", "broken.py:2: NameError: name 'timedelta' is not defined"),
        ("a = 1\n\nb = (1,\n", "broken.py:3: SyntaxError: '(' was never closed"),
        ("def f():\n    return no_such\n\nf()\n", "broken.py:2: NameError: name 'no_such' is not defined"),
        ("import no_such_module\n", "broken.py:1: ModuleNotFoundError: No module named 'no_such_module'"),
        ("from os import no_such_name\n", "broken.py:1: ImportError: cannot import name 'no_such_name' from 'os'"),
        ("1 / 0\n", "broken.py:1: ZeroDivisionError: division by zero"),
        ("raise SystemError\n", "broken.py:1: SystemError: no message"),
        (
            "from mlpipe_assets.catalog.declarations import Source\n\ns = Source(name='a', key=('b',), event_tme='t')\n",
            "broken.py:3: TypeError: Source.__init__() got an unexpected keyword argument 'event_tme'",
        ),
    ],
)
def test_a_module_that_fails_is_named_with_its_line(here: Path, text: str, said: str) -> None:
    (here / "broken.py").write_text(text)

    assert refused("broken:CATALOG").startswith(f"The catalog does not hold together: {said}")


@pytest.mark.parametrize("reference", ["nowhere", "nowhere.at_all:CATALOG", "os.nowhere:CATALOG", ":", "..:", "a..b:C"])
def test_a_module_that_is_not_there_is_named(here: Path, reference: str) -> None:
    assert refused(reference).startswith(f"MLPIPE_CATALOG={reference!r}: there is no module")


def test_a_name_that_is_no_catalog_is_refused(here: Path) -> None:
    (here / "shop.py").write_text("CATALOG = 3\n")

    assert refused("shop:CATALOG") == "MLPIPE_CATALOG='shop:CATALOG' is a int, not a Catalog."
    assert "shop has no OTHER" in refused("shop:OTHER")


def test_a_catalog_says_where_its_data_is_whatever_folder_a_process_was_started_in(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MLPIPE_DATA_DIR", "MLPIPE_CATALOG", "MLPIPE_START_DATE"):
        monkeypatch.delenv(name, raising=False)
    (here / "bank" / "notes").mkdir(parents=True)
    (here / "bank" / "pyproject.toml").write_text("[tool.mlpipe]\n")
    (here / "bank" / "all_of_it.py").write_text(
        "from mlpipe_assets.catalog.declarations import Catalog\nCATALOG = Catalog()\n"
    )
    catalog = load_catalog("all_of_it", root=here / "bank")

    assert settings_of(catalog).data_dir == here / "bank" / "data"
    assert (build_definitions(catalog).resources or {})["lake"].data_dir == str(here / "bank" / "data")
    monkeypatch.setenv("MLPIPE_DATA_DIR", str(here / "lake"))
    assert settings_of(catalog).data_dir == here / "lake"

    (here / "bank" / "pyproject.toml").write_text('[tool.mlpipe]\nstart_date = "2013-01-01"\n')
    with pytest.raises(SettingsError, match=r"Start it in .*bank, or set MLPIPE_START_DATE=2013-01-01"):
        settings_of(catalog)
    monkeypatch.setenv("MLPIPE_START_DATE", "2014-01-01")
    assert settings_of(catalog).start_date == date(2014, 1, 1)


def test_an_installed_copy_that_hides_the_projects_own_is_named(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLPIPE_CATALOG", raising=False)
    (here / "pyproject.toml").write_text('[tool.mlpipe]\ncatalog = "hidden_bank"\n')
    for folder in (here, here / "env" / "site-packages"):
        (folder / "hidden_bank").mkdir(parents=True)
        (folder / "hidden_bank" / "__init__.py").write_text(
            "from mlpipe_assets.catalog.declarations import Catalog\nCATALOG = Catalog()\n"
        )
    monkeypatch.syspath_prepend(here / "elsewhere")
    assert catalog_of(read_settings()).sources == ()

    del sys.modules["hidden_bank"]
    monkeypatch.syspath_prepend(here / "env" / "site-packages")
    with pytest.raises(SettingsError, match="edits here would change nothing") as raised:
        catalog_of(read_settings())

    assert f"Python finds {here / 'env' / 'site-packages' / 'hidden_bank' / '__init__.py'}" in str(raised.value)
