"""What a new project holds: the built-in example as it is, and nothing that it does not need."""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.loading import load_catalog
from mlpipe_assets.catalog.versions import learner_version, model_version, source_version, view_version
from mlpipe_assets.cli import main
from mlpipe_assets.new_project.files import EXAMPLES, project_files
from mlpipe_assets.new_project.templates import TEMPLATES
from mlpipe_assets.project import Project
from mlpipe_assets.settings import PROJECT_ROOT
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import file_digests
from mlpipe_assets_tests.new_project.projects import importable, write
from mlpipe_assets_tests.planted import ANN, START, day, drop_customers, drop_orders, one_a_day

GOLDEN = PROJECT_ROOT / "mlpipe_assets_tests" / "golden"


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No variable of ours, and no module of another project."""
    monkeypatch.setenv("DAGSTER_HOME", "")  # a run sets it, and then it goes with the test
    for name in [name for name in os.environ if name.startswith(("MLPIPE_", "DAGSTER_HOME"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLPIPE_SETTLE_SECONDS", "0")
    with importable():
        yield


def versions(catalog: Catalog) -> dict[str, str]:
    """What decides the content of each table: declaration, contract, SQL."""
    return {
        **{f"interim/{s.name}": source_version(s) for s in catalog.sources},
        **{f"features/{v.name}": view_version(catalog, v) for v in catalog.feature_views},
        **{f"processed/{m.name}": model_version(catalog, m) for m in catalog.models},
        **{f"models/{m.name}": learner_version(m) for m in catalog.models},
    }


@pytest.mark.usefixtures("alone")
def test_the_shop_of_a_new_project_is_the_built_in_example(tmp_path: Path) -> None:
    write(tmp_path, "their_shop", "shop")

    theirs = load_catalog("their_shop.catalog.contents", root=tmp_path)

    assert versions(theirs) == versions(CATALOG)
    assert theirs.sql_dir == tmp_path / "their_shop" / "sql"
    assert [m.table for m in theirs.monitors] == [m.table for m in CATALOG.monitors]
    assert theirs.sources[0].contract.__module__ == "their_shop.contracts.orders"
    assert sys.modules["their_shop.catalog.models"].customer_features is theirs.feature_views[0]


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_new_project_stands_by_itself(example: str) -> None:
    files = {path: content.decode() for path, content in project_files("bank", example).items()}

    assert files["dagster.yaml"] == (PROJECT_ROOT / "dagster.yaml").read_text(encoding="utf-8")
    for path, text in files.items():
        assert "{{" not in path + text, path
        assert "PACKAGE" not in path + text, path
        assert text == "" or text.endswith("\n"), path
        assert "shop" not in text or example == "shop", path
    code = [text for path, text in files.items() if path.endswith(".py")]
    assert not any(f"mlpipe_assets.{room}.{name}" in text for text in code for room, name in TAKEN_OVER)


TAKEN_OVER = [
    *[("catalog", name) for name in ("sources", "entities", "feature_views", "models", "monitors", "contents")],
    *[("contracts", name) for name in ("orders", "customers", "customer_features", "choices", "repeat_purchase")],
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_new_project_is_formatted_and_has_no_lint(tmp_path: Path, example: str) -> None:
    write(tmp_path, "bank", example)
    ruff = [str(Path(sys.executable).with_name("ruff"))]
    settings = ["--isolated", "--line-length", "120", "--no-cache"]

    for command in (["check", "--select", "E4,E7,E9,F,I,B,UP", *settings], ["format", "--check", *settings]):
        done = subprocess.run([*ruff, *command, "."], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_golden_list_of_files_is_as_it_was(example: str) -> None:
    ours = {
        file.relative_to(TEMPLATES / folder)
        for folder in ("every", example)
        for file in (TEMPLATES / folder).rglob("*.template")
    }
    templates = {str(path).replace("PACKAGE", "bank").removesuffix(".template") for path in ours}
    found = {
        path: hashlib.sha256(content).hexdigest()[:16] if path in templates else "as the built-in example has it"
        for path, content in project_files("bank", example).items()
    }
    golden = GOLDEN / f"new_project_{example}.json"
    if os.environ.get("MLPIPE_GOLDEN"):
        golden.write_text(json.dumps(found, indent=2) + "\n")

    assert found == json.loads(golden.read_text())


@pytest.mark.usefixtures("alone")
def test_a_project_runs_from_any_folder_in_it_without_a_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write(tmp_path / "their project", "their_shop", "shop")
    lake = Lake(data_dir=str(root / "data"))
    drop_orders(lake, f"orders_{day(2)}.csv", one_a_day(1, 2))
    drop_customers(lake, f"customers_{START}.csv", ANN)
    monkeypatch.chdir(root / "their_shop" / "sql")

    assert main(["run"]) == 0, capsys.readouterr()
    assert "features/customer_features" in capsys.readouterr().out
    assert main(["status"]) == 0
    assert main(["sql", "select orders_7d from feats.customer_features order by as_of", "--json"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == '[{"orders_7d": 1}, {"orders_7d": 2}]'
    assert main(["verify"]) == 0
    assert (root / ".dagster" / "dagster.yaml").resolve() == root / "dagster.yaml"
    assert Project().read("features/customer_features", day(2))["orders_7d"].to_list() == [2]
    os.environ.pop("DAGSTER_HOME")
    drop_orders(lake, f"orders_{day(3)}.csv", one_a_day(3, 3))
    assert "interim/orders" in Project().run()["table"].to_list()
    assert "DAGSTER_HOME" not in os.environ


@pytest.mark.usefixtures("alone")
def test_a_project_of_nothing_runs_and_says_how_to_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(write(tmp_path, "their_bank", "empty"))

    assert main(["run"]) == 0
    assert main(["status"]) == 0

    assert "sample" not in capsys.readouterr().out
    assert Project().run().is_empty()
    assert Project().status().columns[:3] == ["table", "date", "received"]


@pytest.mark.usefixtures("alone")
def test_a_project_of_an_earlier_version_goes_on_working_and_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(GOLDEN / "project-0.1.0.zip") as made:
        made.extractall(tmp_path)
    before = file_digests(tmp_path, ".")
    lake = Lake(data_dir=str(tmp_path / "data"))
    drop_orders(lake, f"orders_{day(2)}.csv", one_a_day(1, 2))
    drop_customers(lake, f"customers_{START}.csv", ANN)
    monkeypatch.chdir(tmp_path)

    assert main(["run", "--quiet"]) == 0, capsys.readouterr()

    assert Project().read("features/customer_features", day(2))["orders_7d"].to_list() == [2]
    after = {name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in before}
    assert after == before
    names = {
        Path(folder, name).relative_to(tmp_path) for folder, _, found in os.walk(tmp_path) for name in found
    }  # not read: Dagster may still be putting its files away
    made_anew = {name.parts[0] for name in names if name.as_posix() not in before and "__pycache__" not in name.parts}
    assert made_anew == {"data", ".dagster"}
