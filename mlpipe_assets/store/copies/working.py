"""A lake in a bucket, as files on this machine: everything above works on these, and what it made is published as a whole.

The files are a copy. What the bucket does not know was left by a run that was killed, and goes when the next one begins;
what it knows is fetched once, and held to its digest then. The drop zone of the bucket is copied as it is.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from mlpipe_assets.concurrency import in_order
from mlpipe_assets.errors import BusyError, SettingsError, spell_count
from mlpipe_assets.store import keys
from mlpipe_assets.store.copies.bounded import evict, may_be_elsewhere
from mlpipe_assets.store.copies.delivered import DeliveredCopy
from mlpipe_assets.store.copies.downloads import Downloads
from mlpipe_assets.store.copies.files import (
    blocks_of,
    files_of_lake,
    link_file,
    numbers_of,
    read_small,
    remove_file,
    sweep,
)
from mlpipe_assets.store.copies.inventory import (
    LEASE,
    ROOT,
    Inventory,
    Kept,
    content,
    content_of_face,
    digest_of,
    folder_of,
    of_branch,
    parse_root,
    spell_pages,
    spell_root,
)
from mlpipe_assets.store.copies.known_files import ABSENT as NOT_HERE
from mlpipe_assets.store.copies.known_files import NEW, Known, load_known, save_known
from mlpipe_assets.store.copies.of_main import OfMain
from mlpipe_assets.store.copies.whole import expect_whole, still_elsewhere
from mlpipe_assets.store.objects import (
    ABSENT,
    ConflictError,
    MissingError,
    Objects,
    StoreError,
)

_AT_ONCE = 16
_log = logging.getLogger("mlpipe")


class _Seen(NamedTuple):
    """A file of the copy: its size, time and number; what it holds where that is known, or has just been read."""

    key: str
    stat: list[int]
    kept: Kept | None
    content: bytes | None


@dataclass(kw_only=True)
class WorkingCopy:
    """The files of a lake in a bucket. One process at a time may call it: see `lake_use`.

    Attributes:
        objects: The bucket.
        root: The folder of the copy.
        note: The file in which is kept what was alike; outside of the folder.
        large: Bytes above which a file comes and goes in parts; sixteen times as much is what this takes of memory.
        bound: How many bytes of files of days are kept; these come when they are read then. None: all, at once.
        branch: Of which branch this is a copy; empty for main.
        main: The copy of main on this machine, for a branch: what both have is not fetched again.
        shared: Digests of what is in the bucket for another root, which stays meanwhile: it is not put up again.
    """

    objects: Objects
    root: Path
    note: Path
    large: int = 8 << 20
    bound: int | None = None
    branch: str = ""
    main: OfMain | None = None
    shared: frozenset[str] = frozenset()
    _tried: bytes = b""  # the root that was put last

    @property
    def _root(self) -> str:
        return of_branch(ROOT, self.branch)

    @property
    def downloads(self) -> Downloads:
        """Fetches what the bucket has."""
        return Downloads(objects=self.objects, root=self.root, large=self.large)

    @property
    def _delivered(self) -> DeliveredCopy:
        return DeliveredCopy(objects=self.objects, root=self.root, downloads=self.downloads)

    def pull(self, *, deliveries: bool = True) -> None:
        """Make the files what the bucket says, those of the drop zone too; what was made here and not published goes.

        Raises: StoreError; DamagedError for a file that is not what was written to it.
        """
        known = load_known(self.note)
        self._pull_lake(known)
        save_known(self.note, known)
        if deliveries and not self.branch:  # a branch shares the drop zone of main
            self._delivered.pull(known)
            save_known(self.note, known)

    def push(self, gen: int) -> int:
        """Publish what was made here, all of it at once; in how many folders that is.

        Args:
            gen: The number of the lease under which it was made.

        Raises: BusyError when another machine has published since; nothing of this was published then. StoreError.
        """
        known = load_known(self.note)
        there = known.inventory().digests() | self.shared
        files: dict[str, Kept] = {}
        stats: dict[str, list[int]] = {}
        for key, stat, kept in in_order(partial(self._take, there), self._look(known), _AT_ONCE):
            files[key], stats[key] = kept, stat
        for key in still_elsewhere(self.root, known, files):
            files[key], stats[key] = known.files[key]
        expect_whole(self.root, known, files)
        touched = {
            folder_of(key)
            for key in files.keys() | known.files.keys()
            if key not in files or key not in known.files or files[key] != known.files[key][0]
        }
        if touched:
            known.tag, known.pages = self._publish(known, files, touched, gen)
        known.files = {key: (kept, stats[key]) for key, kept in files.items()}
        save_known(self.note, known)
        return len(touched)

    def _look(self, known: Known) -> Iterator[_Seen]:
        """The files there are; of those that changed what they hold, where they are small, read in the order of the walk.

        Manifests come before contents: what they name is there, whatever another process of this machine does meanwhile.
        """
        for key, stat in files_of_lake(self.root):
            before = known.files.get(key)
            fetched = before and [before[0].size, before[0].mtime_ns, stat[2]]  # by a reader, since the last look
            if before and stat in (before[1], before[1] or fetched):
                yield _Seen(key, stat, before[0], None)
                continue
            with suppress(FileNotFoundError):  # taken away since the walk came by
                yield _Seen(key, stat, None, read_small(self.root, key, self.large))

    def _take(self, there: set[str], seen: _Seen) -> tuple[str, list[int], Kept]:
        """What a file holds, once that is in the bucket under its digest."""
        if seen.kept:
            return seen.key, seen.stat, seen.kept
        size, mtime_ns, _ = seen.stat
        if seen.content is not None:
            digest, size = digest_of(seen.content), len(seen.content)
            if digest not in there:
                there.add(digest)  # it may be here under two names; the root waits for all that is on its way
                self.objects.put(content(digest), seen.content)
            return seen.key, seen.stat, Kept(digest, size, mtime_ns)
        digest = sent = ""
        with suppress(FileNotFoundError), (self.root / seen.key).open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
            handle.seek(0)
            sent = digest if digest in there else self.objects.put_stream(content(digest), blocks_of(handle)).sha256
        if sent != digest or not sent:
            raise BusyError(f"{self.root / seen.key} was written while it was being published. Run again.")
        return seen.key, seen.stat, Kept(digest, size, mtime_ns)

    def _publish(self, known: Known, files: dict[str, Kept], touched: set[str], gen: int) -> tuple[str, dict[str, str]]:
        """Replace the root, when it is still the one that was fetched; its tag, and the digest of each page."""
        spelled = spell_pages({key: kept for key, kept in files.items() if folder_of(key) in touched})
        pages = {folder: digest for folder, digest in known.pages.items() if folder not in touched}
        pages |= {folder: digest_of(page) for folder, page in spelled.items()}
        self._each(lambda page: self.objects.put(content(digest_of(page)), page), spelled.values())
        try:
            return self._replace_root(spell_root(pages, gen), known.tag), pages
        except ConflictError as error:
            raise BusyError(
                f"{self.objects.locate(self._root)}: another machine has published to this lake since this run began, so nothing of this "
                "run was published. Run again."
            ) from error

    def _replace_root(self, root: bytes, tag: str) -> str:
        before, self._tried = self._tried, root
        try:
            return self.objects.put(self._root, root, tag or ABSENT)
        except ConflictError:
            there = self.objects.get(self._root)
            if there.content != before:
                raise
            return self.objects.put(self._root, root, there.tag)  # that was ours: the answer to it was lost

    def deliver(self) -> int:
        """Put files that were made in the drop zone of the copy into that of the bucket; how many those are."""
        known = load_known(self.note)
        count = self._delivered.push(known)
        save_known(self.note, known)
        return count

    def _pull_lake(self, known: Known) -> None:
        wanted = self._wanted(known)
        found = dict(files_of_lake(self.root))
        held, stale = dict[str, list[int]](), list[str]()
        for key, kept in wanted.files.items():
            before, stat = known.files.get(key), found.get(key, NOT_HERE)
            if before == (kept, stat) and (stat or self.bound is not None):
                held[key] = stat
            elif self.bound is not None and may_be_elsewhere(key):
                held[key] = stat if stat[:2] == [kept.size, kept.mtime_ns] else NOT_HERE
                if stat and not held[key]:
                    remove_file(self.root, key)
            else:
                stale.append(key)
        if self.main:
            stale = [key for key in stale if not self.main.links(key, wanted.files[key], self.root)]
        faces = [
            key
            for key in stale
            if keys.dated_table(Path(key)) and content_of_face(key, wanted.files[key]) in wanted.files
        ]
        manifests = [key for key in stale if key.startswith(f"{keys.TABLES}/")]
        self._fetch(wanted, sorted({*stale} - {*faces} - {*manifests}))
        for key in faces:  # as they were where they were made: the same file under two names
            if not link_file(self.root, content_of_face(key, wanted.files[key]), key):
                self.downloads.fetch(key, wanted.files[key])
        self._fetch(wanted, manifests)  # last: what they name is there
        for key in set(found) - set(wanted.files):
            remove_file(self.root, key)
        sweep(self.root)
        if self.bound is not None:
            here = [key for key, stat in held.items() if stat and may_be_elsewhere(key)]
            held |= dict.fromkeys(evict(self.root, here, self.bound), NOT_HERE)
        known.files = {
            key: (kept, held[key] if key in held else numbers_of(self.root / key)) for key, kept in wanted.files.items()
        }
        known.pages = dict(wanted.pages)

    def _fetch(self, wanted: Inventory, names: Iterable[str]) -> None:
        self._each(lambda key: self.downloads.fetch(key, wanted.files[key]), names)

    def _wanted(self, known: Known) -> Inventory:
        """What the bucket says now; pages that are known are not read again."""
        try:
            root = self.objects.get_if_changed(self._root, known.tag) if known.tag else self.objects.get(self._root)
        except MissingError as error:
            if self.branch:
                raise SettingsError(
                    f"There is no branch {self.branch!r} of {self.objects.locate(ROOT).removesuffix(f'/{ROOT}')}. To see those there are: "
                    "mlpipe branch"
                ) from error
            if known.tag != NEW:  # this copy may be the last one of what was there
                raise StoreError(
                    f"{self.objects.locate(self._root)} is gone, and it was there before. Restore it from a copy of the bucket. To begin a "
                    f"new lake there, remove {self.root.parent} first, which has what the old one held.",
                    reason="it is gone",
                ) from error
            self._expect_nothing()
            return Inventory()
        by_folder: dict[str, dict[str, Kept]] = {}
        for key, (kept, _) in known.files.items():
            by_folder.setdefault(folder_of(key), {})[key] = kept
        if root is None:
            return known.inventory()
        known.tag, pages = root.tag, parse_root(root.content)
        new = [(folder, digest) for folder, digest in pages.items() if known.pages.get(folder) != digest]
        read = dict(zip(dict(new), self._each(lambda item: self.downloads.read_page(item[1]), new), strict=True))
        files: dict[str, Kept] = {}
        for folder in pages:
            files |= read.get(folder) or by_folder.get(folder, {})
        return Inventory(files=files, pages=pages)

    def _expect_nothing(self) -> None:
        """Make sure that a prefix without a root is a new one: what somebody copied there would be passed over in silence."""
        strange = [head.key for head in self.objects.list(keys.META) if head.key != LEASE]
        if strange:
            raise StoreError(
                f"{self.objects.locate(strange[0])} and {spell_count(len(strange) - 1, 'more object')} are there, and no {ROOT}: they "
                "were copied there one by one. What is in them would not be seen, so nothing was done. Name another prefix; "
                "a lake in a folder is copied into a bucket by mlpipe copy-lake.",
                reason="it holds files of another kind of lake",
            )

    def _each(self, work: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        return list(in_order(work, items, _AT_ONCE))
