"""New projects for tests: written as `mlpipe init` does, and imported for as long as a test runs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlpipe_assets.new_project.files import project_files

PACKAGES = ("their_shop", "their_bank", "earlier_shop")


def write(folder: Path, package: str, example: str) -> Path:
    """A project without its sample, with an empty drop zone."""
    for path, content in project_files(package, example).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


@contextmanager
def importable() -> Iterator[None]:
    """Modules of PACKAGES, and places to import from, that are gone afterwards."""
    path = [*sys.path]
    try:
        yield
    finally:
        sys.path[:] = path
        for name in [name for name in sys.modules if name.startswith(PACKAGES)]:
            del sys.modules[name]
