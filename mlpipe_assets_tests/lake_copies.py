"""A lake that is built once, and copied for each test that changes it."""

import atexit
import shutil
import tempfile
from pathlib import Path

from mlpipe_assets.store.lake import Lake


def copy_lake(lake: Lake, root: Path) -> Lake:
    """The same lake in another folder: files keep their times, and hard links among them are hard links again."""
    copies: dict[int, Path] = {}

    def copy(source: str, target: str) -> None:
        number = Path(source).stat().st_ino
        if number in copies:
            Path(target).hardlink_to(copies[number])
        else:
            shutil.copy2(source, target)
            copies[number] = Path(target)

    shutil.copytree(lake.root, root, copy_function=copy)
    return Lake(data_dir=str(root))


def temporary_folder() -> Path:
    """A folder for what is built once a process; gone with it."""
    folder = Path(tempfile.mkdtemp(prefix="mlpipe-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
