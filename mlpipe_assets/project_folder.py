"""Which project a process works for: its folder, and the catalog it names."""

import os
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mlpipe_assets.errors import SettingsError

EXAMPLE = "mlpipe_assets.catalog.contents:CATALOG"
_FILE = "pyproject.toml"
_KEYS = ("catalog", "start_date")
_INSTALLED = ("site-packages", "dist-packages")


@dataclass(frozen=True, kw_only=True)
class ProjectFolder:
    """Where a project lies and what it declares.

    Attributes:
        root: Its folder; `data/` and `.dagster/` are in it unless the environment says otherwise.
        catalog: A reference as `package.module:CATALOG`.
        said_in: Where the catalog is named, for messages; empty for the built-in example.
        start_date: The first partition, when its pyproject.toml names one.
    """

    root: Path
    catalog: str
    said_in: str = ""
    start_date: str = ""


def find_project(environ: Mapping[str, str], here: Path) -> ProjectFolder:
    """The project of a process that runs in a folder: what the environment names, else the nearest pyproject.toml.

    A project says so in its pyproject.toml: `[tool.mlpipe]`, `catalog = "shop.catalog.contents"`. MLPIPE_CATALOG wins over it, and its
    package says where the project lies, unless it is installed. Without either it is the built-in example.

    Raises: SettingsError for a pyproject.toml that cannot be read or names what is no setting.
    """
    ours = next(
        (folder for folder in _with_file(here) if _is_trusted(folder, here) and _table(folder) is not None), None
    )
    if named := environ.get("MLPIPE_CATALOG"):
        root = _folder_of(named, here) or ours or next(_with_file(here), here)
        return ProjectFolder(
            root=root, catalog=named, said_in="MLPIPE_CATALOG", start_date=(_table(root) or {}).get("start_date", "")
        )
    if ours is None:
        return ProjectFolder(root=_folder_of(EXAMPLE, here) or next(_with_file(here), here), catalog=EXAMPLE)
    table = _table(ours) or {}
    if not table.get("catalog") and ours != _folder_of(EXAMPLE, here):
        raise SettingsError(
            f'{ours / _FILE}: [tool.mlpipe] names no catalog. Write it there, as catalog = "shop.catalog.contents"; without one the '
            "built-in example would be built into the data of this project."
        )
    said_in = f"catalog in {ours / _FILE}" if table.get("catalog") else ""
    return ProjectFolder(
        root=ours, catalog=table.get("catalog") or EXAMPLE, said_in=said_in, start_date=table.get("start_date", "")
    )


def project_above(file: Path) -> ProjectFolder | None:
    """The project that a file of Python belongs to; None for one that is installed, or lies below no pyproject.toml.

    Raises: as `find_project`.
    """
    root = None if is_installed(file) else next(_with_file(file.parent), None)
    if root is None:
        return None
    table = _table(root) or {}
    return ProjectFolder(root=root, catalog=table.get("catalog") or EXAMPLE, start_date=table.get("start_date", ""))


def _with_file(folder: Path) -> Iterator[Path]:
    """A folder and those above it that hold a pyproject.toml, the nearest first."""
    return (place for place in (folder, *folder.parents) if (place / _FILE).is_file())


def _is_trusted(folder: Path, here: Path) -> bool:
    """Whether a project's file is of this user, of root, or of who owns the current folder: it names code that is run.

    In a folder that everybody may write, such as /tmp, one above the current folder may be of anybody.
    """
    return (folder / _FILE).stat().st_uid in (os.geteuid(), 0, here.stat().st_uid)


def _table(folder: Path) -> dict[str, str] | None:
    """What a folder's pyproject.toml says under [tool.mlpipe]; None when it has no such table."""
    path = folder / _FILE
    try:
        seen = path.stat()
    except FileNotFoundError:
        return None
    return _read_table(path, (seen.st_mtime_ns, seen.st_size))


@lru_cache(maxsize=32)
def _read_table(path: Path, _seen: tuple[int, int]) -> dict[str, str] | None:
    try:
        text = path.read_bytes()
    except OSError:  # a folder above ours that we may not look into
        return None
    try:
        document: dict[str, Any] = tomllib.loads(text.decode())
    except ValueError as error:
        if b"[tool.mlpipe]" not in text:  # of something else
            return None
        raise SettingsError(f"{path} is not TOML: {error}. Fix it; it names the catalog in [tool.mlpipe].") from None
    tools = document.get("tool")
    found: dict[str, str] | None = tools.get("mlpipe") if isinstance(tools, dict) else None
    if found is None:
        return None
    if not isinstance(found, dict):
        raise SettingsError(f"{path}: mlpipe under [tool] is no table. Write [tool.mlpipe].")
    if unknown := [key for key in found if key not in _KEYS]:
        raise SettingsError(f"{path}: {unknown[0]!r} is no setting of [tool.mlpipe]; there are {', '.join(_KEYS)}.")
    for key, value in found.items():
        if not isinstance(value, str):
            raise SettingsError(
                f'{path}: {key} in [tool.mlpipe] is no text. Write it in quotes, as catalog = "shop.catalog.contents".'
            )
    return found


def _folder_of(reference: str, here: Path) -> Path | None:
    """The folder of the project that a catalog's package belongs to; None when it is installed, or is not found."""
    name = reference.partition(":")[0].partition(".")[0]
    spec = _spec(name, here) if name else None
    places = [*(spec.submodule_search_locations or []), spec.origin or ""] if spec else []
    place = Path(places[0]).absolute() if places and places[0] else None
    if place is None or not place.exists() or is_installed(place):
        return None
    return next(_with_file(place.parent), place.parent)


def _spec(name: str, here: Path) -> ModuleSpec | None:
    try:
        return find_spec(name) or PathFinder.find_spec(name, [str(here)])
    except (ImportError, ValueError):  # a module without a spec, such as __main__
        return None


def is_installed(place: Path) -> bool:
    """Whether a file belongs to an environment or to Python itself."""
    return any(part in _INSTALLED for part in place.parts) or place.is_relative_to(Path(os.__file__).parent)


def make_importable(root: Path) -> list[str]:
    """Let Python find packages in a project's folder and in the current one, and name both.

    They come last on the path, so that nothing in them hides what is installed.
    """
    folders = list(dict.fromkeys((str(root), str(Path.cwd()))))
    sys.path += [folder for folder in folders if folder not in sys.path]
    return folders
