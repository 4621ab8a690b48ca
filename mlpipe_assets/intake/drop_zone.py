"""The drop zone: which files lie in data/raw/<source>/, and which may be read."""

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.catalog.feeds import files_of
from mlpipe_assets.intake.file_names import is_passed_over
from mlpipe_assets.intake.intake import DeliveryProblem, Intake, Mark, Pending
from mlpipe_assets.intake.known_at import Reading, read_known_at
from mlpipe_assets.readers.blocks import Block
from mlpipe_assets.readers.open import SUFFIXES
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.transforms.received import received_blocks


@dataclass(kw_only=True)
class DropZone(Intake):
    """The intake of files: each file of a source's folder is a delivery, whose mark is its size and modification time.

    The name of a delivery is the path below that folder.
    """

    folder: Path
    source: Source
    is_shared: bool = True

    @classmethod
    def of(cls, lake: Lake, source: Source) -> "DropZone":
        """The drop zone of a source."""
        return cls(folder=lake.root / keys.drop_zone(source.name), source=source)

    def look(self, taken: Mapping[str, Mark]) -> tuple[list[Pending], list[DeliveryProblem]]:  # noqa: ARG002 (a file taken may change)
        """All files in order of name, and what lies there that cannot be read."""
        return _look(self.folder)

    def known(self, pending: Pending) -> Reading:
        """The date in its name, or its modification time."""
        return read_known_at(pending.name, pending.modified_ns, files_of(self.source.feed).known_at)

    def digest(self, pending: Pending) -> str:
        """SHA-256 of its bytes."""
        with self._path(pending).open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()

    def open(self, pending: Pending) -> Iterator[Block]:
        """Its records, once it is sure that the file is one of this source."""
        return received_blocks(self._path(pending), self.source, files_of(self.source.feed))

    def unchanged(self, pending: Pending) -> bool:
        """Whether it still has the size and modification time it was seen with."""
        try:
            return _mark(self._path(pending).stat()) == pending.mark
        except OSError:
            return False

    def find(self, content: str, name: str, mark: Mark | None) -> Pending | None:  # noqa: ARG002 (a copy has another time)
        """The file with some content, under a name or, failing that, any other; the folder is looked at once."""
        for pending in sorted(self._found, key=lambda p: (p.name != name, p.name)):
            try:
                if self.digest(pending) == content:
                    return pending
            except OSError:
                continue
        return None

    @cached_property
    def _found(self) -> list[Pending]:
        return _look(self.folder)[0]

    def _path(self, pending: Pending) -> Path:
        return self.folder / pending.name


def _look(folder: Path) -> tuple[list[Pending], list[DeliveryProblem]]:
    files: list[Pending] = []
    problems: list[DeliveryProblem] = []
    if not folder.exists():
        if folder.is_symlink():
            problems.append(DeliveryProblem(name=folder.name, reason="is a link that leads nowhere"))
        return files, problems
    if not folder.is_dir():
        return files, [DeliveryProblem(name=folder.name, reason="is not a folder")]
    home = folder.resolve()
    for parent, folders, names in os.walk(folder, onerror=lambda e: problems.append(_no_entry(folder, e))):
        folders[:] = sorted(f for f in folders if not f.startswith((".", "_")))
        for name in folders:
            if (Path(parent) / name).is_symlink():
                problems.append(
                    DeliveryProblem(
                        name=_relative(folder, parent, name), reason="is a link to a folder, which is not followed"
                    )
                )
            elif name.lower().endswith(SUFFIXES):
                problems.append(DeliveryProblem(name=_relative(folder, parent, name), reason="is a folder, not a file"))
        for name in sorted(names):
            if is_passed_over(name):
                continue
            found = _examine(folder, home, Path(parent) / name)
            (files if isinstance(found, Pending) else problems).append(found)  # type: ignore[arg-type]
    return sorted(files, key=lambda f: f.name), sorted(problems, key=lambda p: p.name)


def undeclared_folders(raw: Path, declared: Sequence[str]) -> list[str]:
    """Folders of the drop zone no source is declared for."""
    if not raw.is_dir():
        return []
    try:
        found = [entry for entry in os.scandir(raw) if entry.name not in declared and entry.name[0] not in "._"]
    except OSError:
        return []
    return sorted(_shown(entry.name) for entry in found if Path(entry.path).is_dir())


def _examine(folder: Path, home: Path, path: Path) -> Pending | DeliveryProblem:
    name = path.relative_to(folder).as_posix()
    if name.encode("utf-8", "replace").decode() != name:
        return DeliveryProblem(name=_shown(name), reason="has a name that is not UTF-8; rename it")
    try:
        info = path.stat()  # first: a link that leads back to itself fails here, and crashes resolve()
        if path.is_symlink() and not path.resolve().is_relative_to(home):
            return DeliveryProblem(name=name, reason="is a link that leads out of the drop zone")
    except OSError as error:
        return DeliveryProblem(name=name, reason=f"cannot be opened: {error.strerror}")
    if not stat.S_ISREG(info.st_mode):
        return DeliveryProblem(name=name, reason="is not a regular file")
    if not name.lower().endswith(SUFFIXES):
        return DeliveryProblem(name=name, reason=f"is of no format we read ({', '.join(SUFFIXES)})")
    if not os.access(path, os.R_OK):
        return DeliveryProblem(name=name, reason="cannot be opened: Permission denied")
    return Pending(name=name, mark=_mark(info), modified_ns=info.st_mtime_ns, final=False)


def _mark(info: os.stat_result) -> Mark:
    return {"size": info.st_size, "mtime_ns": info.st_mtime_ns}


def _relative(folder: Path, parent: str, name: str) -> str:
    return _shown((Path(parent) / name).relative_to(folder).as_posix())


def _shown(name: str) -> str:
    r"""A name as text, bytes of it that are not UTF-8 as \xNN."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _no_entry(folder: Path, error: OSError) -> DeliveryProblem:
    name = _shown(Path(error.filename or folder).name)
    return DeliveryProblem(name=name, reason=f"cannot be opened: {error.strerror}")
