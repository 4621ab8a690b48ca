"""Import the catalog of a project; whatever is wrong with it is said with file and line."""

import importlib
import os
import sys
import traceback
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.places import spell_place, unjudged
from mlpipe_assets.catalog.validation.judgeable import expect_judgeable
from mlpipe_assets.catalog.validation.readable import expect_readable
from mlpipe_assets.errors import CatalogError, SettingsError
from mlpipe_assets.partitions import START_DATE
from mlpipe_assets.project_folder import is_installed, make_importable, project_above
from mlpipe_assets.settings import Settings, read_settings

_PACKAGE = Path(__file__).parents[1]
_READS_ONLY = ("declarations.py", "loading.py", "older_spelling.py")  # of our catalog
_NO_CODE_OF_A_USER = ("site-packages", "dist-packages", "importlib")


def catalog_of(settings: Settings, *, judged: bool = True) -> Catalog:
    """The catalog of the project that a process works for; one that is not judged may hold anything.

    Raises: as `load_catalog`; SettingsError when an installed copy hides the project's own; CatalogError, too, for SQL that
        the engine of MLPIPE_ENGINE would read otherwise.
    """
    project = settings.project
    said_in = project.said_in or "the built-in example"
    with nullcontext() if judged else unjudged():
        catalog = load_catalog(project.catalog, root=project.root, said_in=said_in, judged=judged)
    module = project.catalog.partition(":")[0]
    top = project.root / module.partition(".")[0]
    found = Path(getattr(sys.modules[module], "__file__", None) or top).absolute()
    if (top.is_dir() or top.with_suffix(".py").is_file()) and is_installed(found):
        raise SettingsError(
            f"{project.said_in} is {module!r}, which lies in {project.root}, but Python finds {found}: edits here would change nothing. "
            f"Uninstall that copy, or in {project.root}: pip install --editable ."
        )
    if judged:
        expect_readable(catalog, settings.engine)
    return catalog


def settings_of(catalog: Catalog) -> Settings:
    """The settings of this process for the project that a catalog is declared in: Dagster may be started in any folder.

    Raises: SettingsError when the process counts days from another start than that project.
    """
    settings = read_settings()
    own = project_above(catalog.file)
    if own is None or own.root == settings.project.root:
        return settings
    if own.start_date and own.start_date != f"{START_DATE}" and "MLPIPE_START_DATE" not in os.environ:
        raise SettingsError(
            f"The catalog belongs to {own.root}, whose days begin on {own.start_date}; this process was started in {Path.cwd()} and "
            f"counts from {START_DATE}. Start it in {own.root}, or set MLPIPE_START_DATE={own.start_date}."
        )
    data_dir = settings.data_dir if os.environ.get("MLPIPE_DATA_DIR") or settings.branch else own.root / "data"
    return replace(settings, project=own, data_dir=data_dir)


def load_catalog(
    reference: str, *, root: Path | None = None, said_in: str = "MLPIPE_CATALOG", judged: bool = True
) -> Catalog:
    """The catalog a `module:attribute` reference names; packages in the project's folder and the current one are found too.

    Raises: CatalogError when the module fails while it is imported, or a rule of a contract cannot be judged; SettingsError
        when there is none, or no catalog in it.
    """
    module, _, attribute = reference.partition(":")
    said = f"{said_in}={reference!r}"
    searched = make_importable(root or Path.cwd())
    try:
        found = importlib.import_module(module)
    except SettingsError:
        raise
    except (ModuleNotFoundError, ValueError, TypeError) as error:
        if isinstance(error, ModuleNotFoundError) and not _is_part_of(error.name, module):
            raise CatalogError([_failure(error)]) from None
        if not isinstance(error, ModuleNotFoundError) and module.strip("."):
            raise CatalogError([_failure(error)]) from None
        raise SettingsError(
            f"{said}: there is no module {module!r}, in {' or '.join(searched)} or installed. "
            "Write it as package.module:CATALOG."
        ) from None
    except Exception as error:  # noqa: BLE001 (a user's module may raise anything; where it did is what helps)
        raise CatalogError([_failure(error)]) from None
    catalog = getattr(found, attribute or "CATALOG", None)
    if catalog is None:
        raise SettingsError(f"{said}: {module} has no {attribute or 'CATALOG'}. Write it as package.module:CATALOG.")
    if not isinstance(catalog, Catalog):
        raise SettingsError(f"{said} is a {type(catalog).__name__}, not a Catalog.")
    if judged:
        expect_judgeable(catalog)
    return catalog


def _is_part_of(missing: str | None, module: str) -> bool:
    """Whether the module that was not found is the catalog's own, or a package it lies in."""
    return missing is not None and (module == missing or module.startswith(f"{missing}."))


def _failure(error: Exception) -> str:
    """An exception of a user's module in one line, with the place in the user's code that raised it."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{spell_place(error.filename, error.lineno or 1)}: {type(error).__name__}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if _is_users(f.filename)]
    words = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {words[0][:300] if words else 'no message'}"
    return f"{spell_place(ours[-1].filename, ours[-1].lineno or 1)}: {text}" if ours else text


def _is_users(filename: str) -> bool:
    """Whether a file may be edited by the one who declares: no library, and no part of the project that only reads."""
    own = Path(filename)
    if filename.startswith("<") or any(part in filename for part in _NO_CODE_OF_A_USER):
        return False
    if not own.is_relative_to(_PACKAGE):
        return not own.is_relative_to(Path(sys.base_prefix) / "lib")
    room = own.relative_to(_PACKAGE).parts[0]
    return room in ("catalog", "contracts", "transforms") and own.name not in _READS_ONLY
