"""A lake copied whole from a folder into a bucket, and from a bucket into a folder, each file held to its digest.

A copy that was broken off is gone on with by the same call: what is there already is looked at and not sent again. Whoever
opens the target before the end finds no lake there.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

from mlpipe_assets.concurrency import in_order
from mlpipe_assets.errors import BusyError, DamagedError, LakeError, spell_count
from mlpipe_assets.store import keys
from mlpipe_assets.store.copies.downloads import Downloads
from mlpipe_assets.store.copies.files import blocks_of, files_delivered, files_of_lake
from mlpipe_assets.store.copies.inventory import (
    LEASE,
    ROOT,
    Kept,
    content,
    digest_of,
    parse_root,
    spell_pages,
    spell_root,
)
from mlpipe_assets.store.copies.known_files import load_known
from mlpipe_assets.store.copies.machine_lease import MachineLease
from mlpipe_assets.store.copies.working import WorkingCopy
from mlpipe_assets.store.objects import ABSENT, Head, MissingError, Objects
from mlpipe_assets.store.run_locks import living_runs

_AT_ONCE = 8


class Copied(NamedTuple):
    """What a lake that was copied has.

    Attributes:
        files: Of the lake.
        size: Their bytes; those of a content that has several names count once.
        deliveries: Files in the drop zone.
        delivered_size: Their bytes.
        sent: Bytes that went over the line this time; the rest was there.
    """

    files: int
    size: int
    deliveries: int
    delivered_size: int
    sent: int


@dataclass(kw_only=True)
class LakeMove:
    """A lake in a folder and one in a bucket, of which one becomes the copy of the other.

    Attributes:
        root: The folder.
        objects: The bucket.
        where: The address of the bucket, for messages.
        large: Bytes above which a file comes in parts.
    """

    root: Path
    objects: Objects
    where: str
    large: int = 8 << 20
    _sent: int = 0

    def into_bucket(self) -> Copied:
        """Copy the folder into the bucket; it becomes a lake there when all is there.

        Raises: LakeError when the bucket holds another lake, or deliveries of another; BusyError when a run writes to either;
            DamagedError for what does not come back from the bucket as it was written; StoreError.
        """
        before = dict(files_of_lake(self.root))
        self._expect_quiet(before)
        files = dict(in_order(self._keep, before.items(), _AT_ONCE))
        if self._is_there(files):
            return self._count(files)
        with TemporaryFile() as number:
            lease = MachineLease(objects=self.objects, where=self.where, handle=number)
            try:
                lease.begin(alone=True)
                self._deliver()
                self._send_files(files)
                pages = spell_pages(files)
                for page in pages.values():
                    self.objects.put(content(digest_of(page)), page)
                self._expect_quiet(before)
                lease.expect_held()
                root = spell_root({folder: digest_of(page) for folder, page in pages.items()}, lease.gen)
                self.objects.put(ROOT, root, ABSENT)
            finally:
                lease.end(last=True)
        return self._count(files)

    def into_folder(self) -> Copied:
        """Copy the bucket into the folder, which becomes one when all is there.

        Raises: LakeError when the folder holds something, or the bucket no lake; StoreError; DamagedError for what the bucket
            does not hold as it was written.
        """
        if self.root.exists() and (not self.root.is_dir() or any(self.root.iterdir())):
            raise LakeError(
                f"{self.root} is there and not empty, so nothing was copied. Name a folder that does not exist."
            )
        half = self.root.with_name(f".{self.root.name}.copying")
        (half / "data").mkdir(parents=True, exist_ok=True, mode=0o700)
        copy = WorkingCopy(objects=self.objects, root=half / "data", note=half / "known.json", large=self.large)
        there = {*load_known(copy.note).files}
        copy.pull()
        known = load_known(copy.note)
        if not (known.files or known.delivered):
            raise LakeError(f"{self.where} holds no lake and no deliveries, so nothing was copied.")
        if self.root.exists():
            self.root.rmdir()
        copy.root.replace(self.root)
        copy.note.unlink()
        half.rmdir()
        files = {key: kept for key, (kept, _) in known.files.items()}
        self._sent = sum({kept.sha256: kept.size for key, kept in files.items() if key not in there}.values())
        return self._count(files)

    def _keep(self, item: tuple[str, list[int]]) -> tuple[str, Kept]:
        key, (size, mtime_ns, _) = item
        with (self.root / key).open("rb") as handle:
            return key, Kept(hashlib.file_digest(handle, "sha256").hexdigest(), size, mtime_ns)

    def _is_there(self, files: Mapping[str, Kept]) -> bool:
        """Whether this lake was copied there already.

        Raises: LakeError for another lake, or for one that was copied there file by file.
        """
        try:
            pages = parse_root(self.objects.get(ROOT).content)
        except MissingError:
            heads = [head.key for head in self.objects.list(keys.META) if head.key != LEASE]
            if heads:
                raise self._another(f"{heads[0]}, and no {ROOT}") from None
            return False
        if pages != {folder: digest_of(page) for folder, page in spell_pages(files).items()}:
            raise self._another("another lake, or this one as it was at another time")
        return True

    def _send_files(self, files: Mapping[str, Kept]) -> None:
        there = {head.key: head for head in self.objects.list(keys.CONTENTS)}
        names = {kept.sha256: key for key, kept in files.items()}
        for _ in in_order(
            lambda item: self._send(item[1], content(item[0]), there.get(content(item[0])), item[0]),
            names.items(),
            _AT_ONCE,
        ):
            pass

    def _deliver(self) -> None:
        """Put the deliveries into the drop zone of the bucket."""
        there = {head.key: head for head in self.objects.list(keys.DROP_ZONE)}
        ours = dict(files_delivered(self.root))
        if strange := sorted(there.keys() - ours.keys()):
            raise self._another(f"deliveries that are not of this lake, such as {strange[0]}")
        for _ in in_order(lambda key: self._send(key, key, there.get(key)), sorted(ours), _AT_ONCE):
            pass

    def _send(self, name: str, key: str, there: Head | None, expected: str = "") -> None:
        """Put a file where it belongs, and see that it is there; one that is there already is only looked at."""
        path = self.root / name
        with path.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
            if digest != (expected or digest):
                raise _written(path)
            if there and self._read_back(key, there.size) == digest:
                return
            handle.seek(0)
            sent = self.objects.put_stream(key, blocks_of(handle))
        if sent.sha256 != digest:
            raise _written(path)
        if self._read_back(key, sent.size) != digest:
            raise DamagedError(f"{self.objects.locate(key)} does not hold what was just written to it. Copy again.")
        self._sent += sent.size

    def _read_back(self, key: str, size: int) -> str:
        digest = hashlib.sha256()
        for block in Downloads(objects=self.objects, root=self.root, large=self.large).blocks(key, size):
            digest.update(block)
        return digest.hexdigest()

    def _expect_quiet(self, before: Mapping[str, list[int]]) -> None:
        """Make sure that no run writes to the folder, and none has since a look.

        Raises: BusyError.
        """
        if runs := living_runs(self.root):
            raise BusyError(f"{self.root}: {spell_count(len(runs), 'run')} under way. Copy again when nothing runs.")
        now = dict(files_of_lake(self.root))
        if changed := sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key)):
            raise _written(self.root / changed[0])

    def _another(self, what: str) -> LakeError:
        return LakeError(f"{self.where} holds {what}. Nothing of it was changed; name another prefix.")

    def _count(self, files: Mapping[str, Kept]) -> Copied:
        delivered = [stat[0] for _, stat in files_delivered(self.root)]
        sizes = {kept.sha256: kept.size for kept in files.values()}
        return Copied(len(files), sum(sizes.values()), len(delivered), sum(delivered), self._sent)


def _written(path: Path) -> BusyError:
    return BusyError(
        f"{path} was written while the lake was being copied, so the copy is none yet. Copy again when nothing runs: what is there is "
        "not sent again."
    )
