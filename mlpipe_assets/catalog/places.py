"""Where something was declared: file and line, as an editor opens them; by which name it is found, and whether it is judged."""

import dataclasses
import inspect
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

from mlpipe_assets.errors import SettingsError

_Item = TypeVar("_Item", bound=Any)
_JUDGED = ContextVar("judged", default=True)

_OWN = (
    *(str(Path(__file__).with_name(f"{name}.py")) for name in ("declarations", "learners", "older_spelling")),
    __file__,
    dataclasses.__file__,
)


class Declared:
    """A declaration that remembers the file and the line it was written on; they are no part of its value."""

    _place: str = ""
    _file: str = ""

    def __post_init__(self) -> None:
        """Note who is declaring."""
        file, line = declared_at()
        object.__setattr__(self, "_file", file)
        object.__setattr__(self, "_place", spell_place(file, line))

    @property
    def place(self) -> str:
        """File and line of the declaration: `mlpipe_assets/catalog/sources.py:9`."""
        return self._place

    @property
    def file(self) -> Path:
        """The file of the declaration."""
        return Path(self._file).absolute()


def declared_at() -> tuple[str, int]:
    """File and line of the first frame that is neither ours nor the dataclass's own."""
    frame = sys._getframe(1)  # noqa: SLF001 (inspect.stack reads every source file, and this runs for each declaration)
    while frame.f_back is not None and (
        frame.f_code.co_filename in _OWN or frame.f_code.co_filename.startswith(("<string>", "<frozen"))
    ):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def sql_folder() -> Path:
    """The folder `sql` in the package that is declaring, or the one beside that package."""
    return sql_beside(Path(declared_at()[0]).absolute())


def sql_beside(file: Path) -> Path:
    """The folder `sql` in the package that a file belongs to, or the one beside that package."""
    above = next(folder for folder in file.parents if not (folder / "__init__.py").exists())
    inside = above / file.relative_to(above).parts[0] / "sql"
    return inside if inside.is_dir() else above / "sql"


def place_of(item: type) -> str:
    """File and line of a class, such as a contract; empty where its source is not a file."""
    try:
        return spell_place(inspect.getfile(item), inspect.getsourcelines(item)[1])
    except (OSError, TypeError):
        return ""


def spell_place(filename: str, line: int) -> str:
    """A path as short as it can be told from here, and a line."""
    path = Path(filename)
    return f"{path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}:{line}"


def find_named(kind: str, name: str, items: Iterable[_Item]) -> _Item:
    """The declaration of that name.

    Raises: SettingsError with the names there are.
    """
    known = {item.name: item for item in items}
    if name not in known:
        raise SettingsError(f"No {kind} {name!r}; there are {', '.join(known) or 'none'}.")
    found: _Item = known[name]
    return found


def is_judged() -> bool:
    """Whether a catalog that does not hold together is refused when it is made."""
    return _JUDGED.get()


@contextmanager
def unjudged() -> Iterator[None]:
    """Take catalogs as they are, to help with what they lack."""
    token = _JUDGED.set(False)
    try:
        yield
    finally:
        _JUDGED.reset(token)
