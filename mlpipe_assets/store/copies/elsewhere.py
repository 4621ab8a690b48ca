"""Files of days that the bucket of a lake has and this machine has not: each is fetched when somebody asks where it is.

Only a copy with a bound has such files. A file beside it says where the bucket is, and the note of what was alike says what
each file holds, so any process that has the data folder finds them.
"""

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath

from mlpipe_assets.concurrency import in_order
from mlpipe_assets.store import keys
from mlpipe_assets.store.copies.downloads import Downloads
from mlpipe_assets.store.copies.files import link_file
from mlpipe_assets.store.copies.known_files import NOTE, Known, beside, load_known
from mlpipe_assets.store.objects import Objects
from mlpipe_assets.store.private_files import create_file

ADDRESS = "bucket.txt"
_AT_ONCE = 16
_LARGE = 8 << 20


@dataclass(kw_only=True)
class Elsewhere:
    """What is known of the files of one copy.

    Attributes:
        root: The folder of the copy.
        objects: The bucket.
    """

    root: Path
    objects: Objects
    _seen: tuple[int, int] = (0, 0)
    _known: Known | None = None

    def has(self, key: str, sha256: str) -> bool:
        """Whether the bucket has a file with a content under a key."""
        found = self._note().files.get(key)
        return found is not None and found[0].sha256 == sha256

    def has_table(self, table: str) -> bool:
        """Whether the bucket has days of a table."""
        return any(
            keys.dated_table(PurePath(key)) == table for key in self._note().files if key.startswith(f"{table}/")
        )

    def bring(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Fetch contents that are not here, each with the face of its day.

        Args:
            wanted: The key of each content, and of its face.

        Raises: DamagedError when the bucket does not hold what was written to it; StoreError.
        """
        known = self._note().files
        absent = [(key, face) for key, face in wanted if key in known and not (self.root / key).exists()]
        for _ in in_order(self._bring, absent, _AT_ONCE if len(absent) > 1 else 1):
            pass

    def note_use(self, key: str) -> None:
        """Remember that a file is read now: what was not for longest goes first."""
        with suppress(OSError):  # it has just gone, or who reads may not write
            path = self.root / key
            os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))

    def _bring(self, names: tuple[str, str]) -> None:
        (key, face), known = names, self._note().files
        kept = known[key][0]
        downloads = Downloads(objects=self.objects, root=self.root, large=_LARGE)
        downloads.fetch(key, kept)
        shown = face in known and known[face][0].sha256 == kept.sha256 and not (self.root / face).exists()
        if shown and not link_file(self.root, key, face):
            downloads.fetch(face, kept)

    def _note(self) -> Known:
        note = beside(self.root) / NOTE
        try:
            found = note.stat()
        except OSError:
            return Known()
        if self._known is None or self._seen != (found.st_ino, found.st_mtime_ns):
            self._known, self._seen = load_known(note), (found.st_ino, found.st_mtime_ns)
        return self._known


_found: dict[Path, Elsewhere | None] = {}


def mark(root: Path, address: str | None) -> None:
    """Say of a copy whether it may lack files of days, and where its bucket is then."""
    note = beside(root) / ADDRESS
    if address is None:
        note.unlink(missing_ok=True)
    elif not note.exists():
        create_file(note)
        note.write_text(f"{address}\n", encoding="utf-8")
    _found.pop(root, None)


def elsewhere(root: Path) -> Elsewhere | None:
    """The files of a data folder that are in its bucket only; None where it is no copy with a bound.

    Raises: SettingsError when its bucket cannot be opened.
    """
    if root not in _found:
        try:
            address = (beside(root) / ADDRESS).read_text(encoding="utf-8").strip()
        except OSError:
            _found[root] = None
            return None
        from mlpipe_assets.store.copies import use as lake_use  # noqa: PLC0415 (it copies tables, and so knows this module)

        _found[root] = Elsewhere(root=root, objects=lake_use.open_bucket(address))
    return _found[root]
