"""Files and folders of the lake as only those may open them who MLPIPE_FILE_MODE names, whatever the umask is."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mlpipe_assets.settings import file_mode

_PROCESS = secrets.token_hex(4)

_DROP_ZONE = "raw"


def make_folder(root: Path, folder: Path) -> None:
    """Make a folder of the lake and those it is in; the data folder itself and the drop zone stay as the umask has them.

    Others have to reach the drop zone to deliver into it.
    """
    missing = list(_missing(folder))
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        if path.is_relative_to(root) and path not in (root, root / _DROP_ZONE):
            path.chmod(_folder_mode())


def create_file(path: Path) -> None:
    """An empty file, closed to everybody else before anything is in it."""
    open_new(path).close()


def open_new(path: Path) -> BinaryIO:
    """The same, open for writing."""
    return open(path, "r+b", opener=_create)


def _create(path: str, flags: int) -> int:
    mode = file_mode()
    descriptor = os.open(path, flags | os.O_CREAT | os.O_TRUNC, mode)
    os.fchmod(descriptor, mode)  # the umask may have taken some of it
    return descriptor


def _missing(folder: Path) -> Iterator[Path]:
    while not folder.exists():
        yield folder
        folder = folder.parent


def _folder_mode() -> int:
    mode = file_mode()
    return mode | (mode & 0o444) >> 2


def writer() -> str:
    """This process in a name, among all that may write the same file: one on another machine may have its number."""
    return f"{os.getpid()}-{_PROCESS}"
