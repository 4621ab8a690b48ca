"""What comes from the bucket of a lake to this machine: whole, and what its digest says, or not at all."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlpipe_assets.errors import BusyError, DamagedError
from mlpipe_assets.store.copied_files import write_file
from mlpipe_assets.store.inventory import Kept, content, parse_page
from mlpipe_assets.store.objects import Head, MissingError, Objects


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
        """Fetch a file that was delivered; its time is when it was."""
        write_file(self.root, head.key, self._blocks(head.key, head.size), round(head.modified.timestamp() * 1e9))

    def fetch(self, key: str, kept: Kept) -> None:
        """Fetch a file of the lake.

        Raises: DamagedError when the bucket does not hold what was written to it.
        """
        where = content(kept.sha256)
        try:
            sound = write_file(self.root, key, self._blocks(where, kept.size), kept.mtime_ns, kept.sha256)
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

    def _blocks(self, key: str, size: int) -> Iterator[bytes]:
        """An object, a large one part by part.

        Raises: BusyError when it was written again between two parts.
        """
        if size <= self.large:
            yield self.objects.get(key).content
            return
        tags = set()
        for start in range(0, size, self.large):
            found = self.objects.get(key, slice(start, start + self.large))
            tags.add(found.tag)
            if len(tags) > 1:
                raise BusyError(f"{self.objects.locate(key)} was written again while it was being fetched. Run again.")
            yield found.content

    def _damaged(self, where: str, what: str) -> DamagedError:
        return DamagedError(f"{self.objects.locate(where)} {what}. Restore it from a copy of the bucket.")
