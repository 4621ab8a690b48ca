"""Write a new project: all of it or nothing, and over nothing."""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from mlpipe_assets.errors import SettingsError, shorten

_STAGING = ".mlpipe-init-"


def write_project(folder: Path, files: Mapping[str, bytes], add: Callable[[Path], None]) -> None:
    """Write files into a folder that has none of their names, and make the folder where there is none.

    Everything is written beside its place first. Whatever fails, what was there before is there, and nothing else.

    Args:
        folder: Of the project.
        files: Content by path.
        add: Writes what else belongs to it, below the folder it is given.

    Raises: SettingsError when something is in the way, or the folder cannot be written.
    """
    refuse_what_is_in_the_way(folder, {path.partition("/")[0] for path in files})
    made = [place for place in (folder, *folder.parents) if not os.path.exists(place)]  # noqa: PTH110 (a folder we may not look into counts as not there)
    moved: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f"{_STAGING}*"):  # by a call that was killed
            shutil.rmtree(left)
        staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=folder))
        try:
            for path, content in files.items():
                (staging / path).parent.mkdir(parents=True, exist_ok=True)
                (staging / path).write_bytes(content)
            add(staging)
            for part in sorted(staging.iterdir()):
                refuse_what_is_in_the_way(folder, {part.name})
                part.rename(folder / part.name)
                moved.append(folder / part.name)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except BaseException as error:
        for part in moved:
            shutil.rmtree(part) if part.is_dir() else part.unlink()
        for place in made:
            if place.is_dir():
                place.rmdir()
        if isinstance(error, OSError):
            raise SettingsError(
                f"The project cannot be written to {folder}: {error.strerror}. Nothing was left there."
            ) from error
        raise


def refuse_what_is_in_the_way(folder: Path, names: set[str]) -> None:
    """Make sure that a folder can take files or folders of some names.

    Raises: SettingsError with what is there already.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        raise SettingsError(f"{folder} is a file. Name a folder that is not there yet, or an empty one.")
    there = sorted(name for name in names if os.path.lexists(folder / name))
    if there:
        noun = "is" if len(there) == 1 else "are"
        raise SettingsError(
            f"{folder} has what the project would write: {shorten(there)} {noun} in the way. Nothing was written. "
            "Move that away, or name another folder."
        )
