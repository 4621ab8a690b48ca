"""Where the files of a table are: each content under its digest, and a face at `date=D/` for every other tool.

A content does not change, so who reads by a manifest reads what that manifest says, whatever is published meanwhile. Its
face is a hard link where the file system has them. A note beside the contents says which days are being published: after
a kill the next look completes their faces, or takes the contents away that nobody came to name.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from mlpipe_assets.store import keys
from mlpipe_assets.store.copies.elsewhere import elsewhere
from mlpipe_assets.store.local import explain_writing, sync_folders
from mlpipe_assets.store.manifest import Manifest, Part, content_key
from mlpipe_assets.store.private_files import create_file, make_folder, writer

_NOTE = "publishing.json"


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The files of one table below a local data folder.

    Attributes:
        root: The data folder.
        table: The folder of its faces, such as `interim/orders`.
    """

    root: Path
    table: str

    @property
    def folder(self) -> Path:
        """Where its contents are."""
        return self.root / keys.contents(self.table)

    def face(self, day: date, file: str) -> Path:
        """Where every other tool finds a file of a day."""
        return Path(f"{self.root}/{self.table}/{keys.name_day(day)}/{file}")

    def content(self, day: date, file: str, part: Part) -> Path:
        """Where a file of a day is for those who go by the manifest; of a copy with a bound it is fetched now.

        Raises: DamagedError, StoreError where it cannot be.
        """
        key = f"{keys.contents(self.table)}/{content_key(day, file, part.sha256)}"
        if far := elsewhere(self.root):
            far.bring([(key, self._face_key(day, file))])
            far.note_use(key)
        return Path(f"{self.root}/{key}")

    def bring(self, parts: Iterable[tuple[date, str, Part]]) -> None:
        """Have several files here, side by side, where the bucket of a copy with a bound has them only.

        Raises: as `content`.
        """
        if far := elsewhere(self.root):
            far.bring(
                (f"{keys.contents(self.table)}/{content_key(day, file, part.sha256)}", self._face_key(day, file))
                for day, file, part in parts
            )

    def is_elsewhere(self, day: date, file: str, part: Part) -> bool:
        """Whether the face of a day is in the bucket of a copy with a bound, and holds what was written."""
        far = elsewhere(self.root)
        return far is not None and far.has(self._face_key(day, file), part.sha256)

    def _face_key(self, day: date, file: str) -> str:
        return f"{self.table}/{keys.name_day(day)}/{file}"

    def temporary(self, day: date, file: str) -> Path:
        """Where a file of a day is while it is being written."""
        return self.folder / f".{day}.{file}.{writer()}.tmp"

    def begin(self, days: Mapping[date, Iterable[str]], turn: tuple[str, str]) -> None:
        """Note which days are being published, and in whose turn.

        Args:
            days: The days, each with the files that it has so far.
            turn: Whose turn it is, to tell whether that writer still lives.

        Raises: StoreError.
        """
        note = self.folder / _NOTE
        temporary = note.with_name(f".{_NOTE}.{os.getpid()}.tmp")
        try:
            make_folder(self.root, self.folder)
            create_file(temporary)
            named = {f"{day}": sorted(files) for day, files in days.items()}
            temporary.write_text(json.dumps({"days": named, "turn": turn}), encoding="utf-8")
            temporary.replace(note)
        except OSError as error:
            raise explain_writing(error, note, self.root) from error

    def begun(self) -> tuple[dict[date, list[str]], tuple[str, str]] | None:
        """What `begin` was told of a publication that did not come to its end yet; None where there is none."""
        try:
            note = json.loads((self.folder / _NOTE).read_text(encoding="utf-8"))
            days = {date.fromisoformat(day): list(files) for day, files in note["days"].items()}
            return days, (note["turn"][0], note["turn"][1])
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return None

    def place(self, staged: Mapping[Path, Path]) -> None:
        """Put written files in their places among the contents, on the disk before anyone can name them.

        Args:
            staged: Where each content is to be, by where it was written.

        Raises: StoreError.
        """
        try:
            folders = {target.parent for target in staged.values()}
            for folder in folders:
                make_folder(self.root, folder)
            for temporary, target in staged.items():
                temporary.replace(target)
            sync_folders([*folders, self.folder])
        except OSError as error:
            raise explain_writing(error, self.folder, self.root) from error

    def complete(self, days: Mapping[date, Iterable[str]], manifest: Manifest) -> None:
        """Give days the faces that the manifest says, and forget that they were being published.

        Args:
            days: The days, each with the files that it had before: the faces of those it has no more go.
            manifest: What the table holds now.

        Raises: StoreError.
        """
        for day, before in days.items():
            parts = manifest.days.get(day, {})
            try:
                for file, part in parts.items():
                    self.show(day, file, part)
                for file in set(before) - set(parts):
                    self.face(day, file).unlink(missing_ok=True)
            except OSError as error:
                raise explain_writing(error, self.face(day, keys.PART).parent, self.root) from error
        (self.folder / _NOTE).unlink(missing_ok=True)

    def show(self, day: date, file: str, part: Part) -> None:
        """Make the face of a file its content, if it is not yet.

        Raises: OSError.
        """
        face, content = self.face(day, file), self.content(day, file, part)
        if face.is_file() and content.is_file() and face.samefile(content):
            return
        make_folder(self.root, face.parent)
        temporary = face.with_name(f".{file}.{os.getpid()}.tmp")
        temporary.unlink(missing_ok=True)
        _link(content, temporary)
        temporary.replace(face)

    def bring_back(self, day: date, file: str, part: Part) -> None:
        """Make the content of a file its face, where a copy of the lake was made without the contents.

        Raises: OSError.
        """
        content = self.content(day, file, part)
        make_folder(self.root, content.parent)
        temporary = self.temporary(day, file)
        temporary.unlink(missing_ok=True)
        _link(self.face(day, file), temporary)
        temporary.replace(content)

    def sweep(self, days: Iterable[date], manifest: Manifest, may_go: Callable[[str], bool]) -> None:
        """Take away contents of days that no manifest came to name, and that may go: those of a writer that was killed."""
        kept = {
            content_key(day, file, part.sha256) for day in days for file, part in manifest.days.get(day, {}).items()
        }
        kept |= set(manifest.old)
        for day in days:
            for path in (self.folder / keys.name_day(day)).glob("*"):
                name = f"{path.parent.name}/{path.name}"
                if name not in kept and may_go(name):
                    path.unlink(missing_ok=True)

    def names(self) -> set[str]:
        """All contents that are there, named below their folder."""
        return {f"{path.parent.name}/{path.name}" for path in self.folder.glob(f"{keys.ANY_DAY}/[!.]*")}

    def forget(self, contents: Iterable[str]) -> None:
        """Take away contents that nobody needs any more, named below the folder of the contents."""
        for content in contents:
            path = self.folder / content
            path.unlink(missing_ok=True)
            with suppress(OSError):  # other contents of that day are in it
                path.parent.rmdir()


def _link(source: Path, target: Path) -> None:
    """The same file under another name, or a copy where the file system has no hard links."""
    try:
        os.link(source, target)
    except OSError:
        create_file(target)
        shutil.copyfile(source, target)
        stat = source.stat()
        os.utime(target, ns=(stat.st_atime_ns, stat.st_mtime_ns))
