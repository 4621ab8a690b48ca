"""The drop zone: which files lie in data/raw/<source>/, and which may be read."""

import hashlib
import os
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlpipe_assets.readers.open import SUFFIXES

_IN_TRANSFER = (".tmp", ".part", ".partial", ".crdownload", ".swp", "~")


@dataclass(frozen=True, kw_only=True)
class DroppedFile:
    """A file as it lay in the drop zone at one moment. `name` is relative to the source's folder."""

    name: str
    path: Path
    size: int
    mtime_ns: int


@dataclass(frozen=True, kw_only=True)
class FileProblem:
    """A file that could not be used, and why."""

    name: str
    reason: str


def look(folder: Path) -> tuple[list[DroppedFile], list[FileProblem]]:
    """The files of a source's drop zone in order of name, and what lies there that cannot be read."""
    files: list[DroppedFile] = []
    problems: list[FileProblem] = []
    if not folder.exists():
        if folder.is_symlink():
            problems.append(FileProblem(name=folder.name, reason="is a link that leads nowhere"))
        return files, problems
    if not folder.is_dir():
        return files, [FileProblem(name=folder.name, reason="is not a folder")]
    home = folder.resolve()
    for parent, folders, names in os.walk(folder, onerror=lambda e: problems.append(_no_entry(folder, e))):
        folders[:] = sorted(f for f in folders if not f.startswith((".", "_")))
        for name in folders:
            if (Path(parent) / name).is_symlink():
                problems.append(
                    FileProblem(
                        name=_relative(folder, parent, name), reason="is a link to a folder, which is not followed"
                    )
                )
            elif name.lower().endswith(SUFFIXES):
                problems.append(FileProblem(name=_relative(folder, parent, name), reason="is a folder, not a file"))
        for name in sorted(names):
            if name.startswith((".", "~$")) or name.lower().endswith(_IN_TRANSFER):
                continue
            found = _examine(folder, home, Path(parent) / name)
            (files if isinstance(found, DroppedFile) else problems).append(found)  # type: ignore[arg-type]
    return sorted(files, key=lambda f: f.name), sorted(problems, key=lambda p: p.name)


def settle(files: Sequence[DroppedFile], seconds: float) -> set[str]:
    """Names of files still being written: touched within `seconds`, and size or mtime moved while we watched."""
    young = [f for f in files if time.time() - f.mtime_ns / 1e9 < seconds]
    if not young:
        return set()
    time.sleep(seconds)
    return {f.name for f in young if not unchanged(f)}


def unchanged(file: DroppedFile) -> bool:
    """Whether a file still has the size and mtime it was seen with."""
    try:
        now = file.path.stat()
    except OSError:
        return False
    return (now.st_size, now.st_mtime_ns) == (file.size, file.mtime_ns)


def content_digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def undeclared_folders(raw: Path, declared: Sequence[str]) -> list[str]:
    """Folders of the drop zone no source is declared for."""
    if not raw.is_dir():
        return []
    try:
        found = [entry for entry in os.scandir(raw) if entry.name not in declared and entry.name[0] not in "._"]
    except OSError:
        return []
    return sorted(_shown(entry.name) for entry in found if Path(entry.path).is_dir())


def _examine(folder: Path, home: Path, path: Path) -> DroppedFile | FileProblem:
    name = path.relative_to(folder).as_posix()
    if name.encode("utf-8", "replace").decode() != name:
        return FileProblem(name=_shown(name), reason="has a name that is not UTF-8; rename it")
    try:
        info = path.stat()  # first: a link that leads back to itself fails here, and crashes resolve()
        if path.is_symlink() and not path.resolve().is_relative_to(home):
            return FileProblem(name=name, reason="is a link that leads out of the drop zone")
    except OSError as error:
        return FileProblem(name=name, reason=f"cannot be opened: {error.strerror}")
    if not stat.S_ISREG(info.st_mode):
        return FileProblem(name=name, reason="is not a regular file")
    if not name.lower().endswith(SUFFIXES):
        return FileProblem(name=name, reason=f"is of no format we read ({', '.join(SUFFIXES)})")
    if not os.access(path, os.R_OK):
        return FileProblem(name=name, reason="cannot be opened: Permission denied")
    return DroppedFile(name=name, path=path, size=info.st_size, mtime_ns=info.st_mtime_ns)


def _relative(folder: Path, parent: str, name: str) -> str:
    return _shown((Path(parent) / name).relative_to(folder).as_posix())


def _shown(name: str) -> str:
    r"""A name as text, bytes of it that are not UTF-8 as \xNN."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _no_entry(folder: Path, error: OSError) -> FileProblem:
    name = _shown(Path(error.filename or folder).name)
    return FileProblem(name=name, reason=f"cannot be opened: {error.strerror}")
