"""A new project is written whole or not at all, and over nothing."""

import re
from pathlib import Path

import pytest

from mlpipe_assets.errors import SettingsError
from mlpipe_assets.new_project.writing import write_project

FILES = {"Makefile": b"run:\n", "shop/__init__.py": b"", "shop/sql/a.sql": b"select 1\n"}


def tree(folder: Path) -> dict[str, bytes | None]:
    return {str(p.relative_to(folder)): None if p.is_dir() else p.read_bytes() for p in sorted(folder.rglob("*"))}


def add_sample(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "a.csv").write_bytes(b"a\n")


WRITTEN = {
    "Makefile": b"run:\n",
    "data": None,
    "data/a.csv": b"a\n",
    "shop": None,
    "shop/__init__.py": b"",
    "shop/sql": None,
    "shop/sql/a.sql": b"select 1\n",
}


@pytest.mark.parametrize("place", ["new", "new/below/it", "."])
def test_a_project_is_written_into_a_new_folder_or_an_empty_one(tmp_path: Path, place: str) -> None:
    write_project(tmp_path / place, FILES, add_sample)

    assert tree(tmp_path / place) == WRITTEN


def test_what_is_there_and_not_in_the_way_stays(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "LICENSE").write_bytes(b"MIT")
    (tmp_path / ".mlpipe-init-killed" / "shop").mkdir(parents=True)  # left by a call that was killed

    write_project(tmp_path, FILES, add_sample)

    assert tree(tmp_path) == {**WRITTEN, ".git": None, "LICENSE": b"MIT"}


@pytest.mark.parametrize("name", ["Makefile", "shop", "data"])
@pytest.mark.parametrize("kind", ["file", "folder", "link to nowhere"])
def test_what_is_in_the_way_is_named_and_left_as_it_is(tmp_path: Path, name: str, kind: str) -> None:
    if kind == "file":
        (tmp_path / name).write_bytes(b"mine")
    elif kind == "folder":
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).symlink_to("nowhere")
    before = {path.name: path.lstat().st_ino for path in tmp_path.iterdir()}

    with pytest.raises(SettingsError, match=f"what the project would write: {name} is in the way. Nothing was written"):
        write_project(tmp_path, FILES, add_sample)

    assert {path.name: path.lstat().st_ino for path in tmp_path.iterdir()} == before


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "shop").write_bytes(b"mine")

    with pytest.raises(SettingsError, match=re.escape(f"{tmp_path / 'shop'} is a file.")):
        write_project(tmp_path / "shop", FILES, add_sample)
    with pytest.raises(SettingsError, match="cannot be written"):
        write_project(tmp_path / "shop" / "below", FILES, add_sample)

    assert tree(tmp_path) == {"shop": b"mine"}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), ValueError("a bug")])
@pytest.mark.parametrize("place", ["new/below", "."])
def test_a_project_that_could_not_be_finished_leaves_nothing(tmp_path: Path, error: BaseException, place: str) -> None:
    (tmp_path / "LICENSE").write_bytes(b"MIT")

    def fail(_: Path) -> None:
        raise error

    with pytest.raises((type(error), SettingsError)) as raised:
        write_project(tmp_path / place, FILES, fail)

    assert tree(tmp_path) == {"LICENSE": b"MIT"}
    if isinstance(error, OSError):
        assert str(raised.value).endswith("No space left on device. Nothing was left there.")


def test_what_comes_into_the_way_meanwhile_stops_it_and_leaves_nothing_else(tmp_path: Path) -> None:
    def meanwhile(_: Path) -> None:
        (tmp_path / "shop").write_bytes(b"mine")

    with pytest.raises(SettingsError, match="shop is in the way"):
        write_project(tmp_path, FILES, meanwhile)

    assert tree(tmp_path) == {"shop": b"mine"}
