"""mlpipe init: what it prints, and what it refuses."""

import sys
from pathlib import Path

import pytest

from mlpipe_assets.cli import main
from mlpipe_assets.new_project.files import project_files


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_project_is_written_with_a_sample_and_the_next_steps_in_eighty_columns(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")

    assert main(["init", "my shop"]) == 0

    written = files(here / "my shop")
    sample = {name for name in written if name.startswith("data/raw/") and not name.endswith(".gitkeep")}
    assert written - sample == {*project_files("my_shop", "shop")}
    assert {name.rpartition("/")[2].partition("_")[0] for name in sample} == {"orders", "customers"}
    assert not (here / "my shop" / "data" / "meta").exists()
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("  ")] == ["  cd 'my shop'", "  make run"]
    assert max(map(len, lines)) <= 80


def test_an_empty_project_takes_the_current_folder_and_the_name_it_is_given(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    assert main(["init", ".", "--example", "empty", "--name", "bank"]) == 0

    assert files(here) == {*project_files("bank", "empty")}
    typed = [line.strip() for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert typed[-1] == "make run"
    assert str(Path(sys.executable).parent) in typed[0]  # the shell does not find mlpipe, so this comes first
    assert len(typed) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["shop"], "Makefile, pyproject.toml are in the way. Nothing was written."),
        (["2026"], "'2026' is no name of a Python package. Name the package yourself: --name my_project."),
        (["x", "--name", "polars"], "that name is taken in Python or in the project."),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_and_writes_nothing(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    (here / "shop").mkdir()
    (here / "shop" / "Makefile").touch()
    (here / "shop" / "pyproject.toml").touch()

    assert main(["init", *arguments]) == 2

    assert said in capsys.readouterr().err
    assert files(here) == {"shop/Makefile", "shop/pyproject.toml"}
    assert [path.name for path in here.iterdir()] == ["shop"]
