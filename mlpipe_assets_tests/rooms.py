"""Which room of the package imports which, read off the code, and drawn for docs/architecture.md."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import mlpipe_assets

PACKAGE = Path(mlpipe_assets.__file__).parent
_NAME = "mlpipe_assets"
# Modules of a few lines that any room may use; they would only hide the picture.
EVERYWHERE = {
    *("arguments", "concurrency", "errors", "gate", "outcome", "partitions", "project_folder", "quoting", "rules"),
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


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == _NAME:
            below = (node.module or "").split(".")[1:]
            yield from [below[0]] if below else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from (a.name.split(".")[1] for a in node.names if a.name.startswith(f"{_NAME}."))


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
