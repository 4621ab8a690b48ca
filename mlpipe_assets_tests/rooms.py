"""Which room of the package imports which, read off the code, and drawn for docs/architecture.md."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import mlpipe_assets

PACKAGE = Path(mlpipe_assets.__file__).parent
_NAME = "mlpipe_assets"
# Modules of a few lines that any room may use; they would only hide the picture.
EVERYWHERE = {
    *(
        "arguments",
        "arguments_reading",
        "arguments_versions",
        "arguments_views",
        "concurrency",
        "errors",
        "gate",
        "join_keys",
        "outcome",
        "pandas_frames",
        "partitions",
        "project_folder",
        "quoting",
        "row_times",
        "rules",
    ),
    *("sample", "sample_files", "settings", "streams", "visible"),
}

Arrows = Mapping[str, set[str]]


def arrows() -> dict[str, set[str]]:
    """Every room (a folder, or a module at the top) with the rooms it imports, imports inside functions included."""
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        imported = {name for name in _imported(path) if name != room}
        if room != "__init__":
            found.setdefault(room, set()).update(imported)
    return found


def modules_imported(room: str) -> set[str]:
    """Every module of the package that a room imports, without the package's name."""
    paths = [path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0].removesuffix(".py") == room]
    return {name.removeprefix(f"{_NAME}.") for path in paths for name in _names(path) if name.startswith(f"{_NAME}.")}


def files_importing(library: str) -> set[Path]:
    """Files of the package that import a library, or a part of it."""
    return {
        path.relative_to(PACKAGE)
        for path in PACKAGE.rglob("*.py")
        if library in {name.partition(".")[0] for name in _names(path)}
    }


def _imported(path: Path) -> set[str]:
    return {name.split(".")[1] for name in _names(path) if name.startswith(f"{_NAME}.")}


@cache
def _names(path: Path) -> frozenset[str]:
    """The modules that a file imports; of the package itself, the names below it."""
    return frozenset(_read_names(path))


def _read_names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == _NAME:
            yield from (f"{_NAME}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def reachable(found: Arrows, room: str) -> set[str]:
    """All rooms that a room imports, itself or through others."""
    seen: set[str] = set()
    waiting = [room]
    while waiting:
        fresh = found.get(waiting.pop(), set()) - seen
        seen |= fresh
        waiting += fresh
    return seen


def draw(found: Arrows) -> str:
    """The arrows as a mermaid flowchart, without those that follow from others."""
    shown = {room: ends - EVERYWHERE for room, ends in found.items() if room not in EVERYWHERE}
    lines = []
    for room in sorted(shown):
        through = {end for middle in shown[room] for end in reachable(shown, middle)}
        if ends := sorted(shown[room] - through):
            lines.append(f"    {room} --> {' & '.join(ends)}")
    return "\n".join(["flowchart TD", *lines])
