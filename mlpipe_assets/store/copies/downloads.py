"""What comes from the bucket of a lake to this machine: whole, and what its digest says, or not at all."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from mlpipe_assets.errors import BusyError, DamagedError
from mlpipe_assets.store.copies.files import write_file
from mlpipe_assets.store.copies.inventory import Kept, content, parse_page
from mlpipe_assets.store.objects import Head, MissingError, Objects

_A_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True)
class Downloads:
    """Fetches files of a bucket into a folder.

    Attributes:
        large: Bytes above which a file comes in parts.
    """

    objects: Objects
    root: Path
    large: int

    def receive(self, head: Head) -> None:
        """Fetch a file that was delivered; its time is when it was.

        Raises: BusyError when it was delivered again meanwhile; StoreError.
        """
        write_file(self.root, head.key, self._delivered(head), round(head.modified.timestamp() * 1e9))

    def _delivered(self, head: Head) -> Iterator[bytes]:
        """The content that a list spoke of: another one came at another time."""
        tags: set[str] = set()
        yield from self._blocks(head.key, head.size, tags)
        if head.tag not in tags:  # of another version, or of a store whose lists have tags of another kind
            there = self.objects.head(head.key)
            if there is None or there.tag not in tags or there.size != head.size:
                raise self._busy(head.key)
            if abs(there.modified - head.modified) > _A_SECOND:  # some answers have whole seconds only
                raise self._busy(head.key)

    def fetch(self, key: str, kept: Kept) -> None:
        """Fetch a file of the lake.

        Raises: DamagedError when the bucket does not hold what was written to it.
        """
        where = content(kept.sha256)
        try:
            sound = write_file(self.root, key, self.blocks(where, kept.size), kept.mtime_ns, kept.sha256)
        except MissingError as error:
            raise self._damaged(where, "is gone, and the lake needs it") from error
        if not sound:
            raise self._damaged(where, "does not hold what was written to it")

    def read_page(self, digest: str) -> dict[str, Kept]:
        """The files of a page.

        Raises: as `fetch`; StoreError.
        """
        where = content(digest)
        try:
            return parse_page(self.objects.get(where).content, digest)
        except MissingError as error:
            raise self._damaged(where, "is gone, and the lake needs it") from error

    def blocks(self, key: str, size: int) -> Iterator[bytes]:
        """An object, a large one part by part. Raises: BusyError when it was written again between two parts."""
        return self._blocks(key, size, set())

    def _blocks(self, key: str, size: int, tags: set[str]) -> Iterator[bytes]:
        """The same; its tag is added to `tags`.

        Raises: BusyError when it was written again between two parts.
        """
        if size <= self.large:
            found = self.objects.get(key)
            tags.add(found.tag)
            yield found.content
            return
        for start in range(0, size, self.large):
            found = self.objects.get(key, slice(start, start + self.large))
            tags.add(found.tag)
            if len(tags) > 1:
                raise self._busy(key)
            yield found.content

    def _busy(self, key: str) -> BusyError:
        return BusyError(f"{self.objects.locate(key)} was written again while it was being fetched. Run again.")

    def _damaged(self, where: str, what: str) -> DamagedError:
        return DamagedError(f"{self.objects.locate(where)} {what}. Restore it from a copy of the bucket.")
