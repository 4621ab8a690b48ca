"""The drop zone of a lake in a bucket, copied to this machine as it is there: listed, and fetched by the tag of each object."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlpipe_assets.concurrency import in_order
from mlpipe_assets.errors import spell_count
from mlpipe_assets.store import keys
from mlpipe_assets.store.copies.downloads import Downloads
from mlpipe_assets.store.copies.files import (
    blocks_of,
    files_delivered,
    is_delivered,
    move_aside,
    numbers_of,
    remove_file,
)
from mlpipe_assets.store.copies.known_files import Known
from mlpipe_assets.store.objects import Head, Objects, UnsupportedError, check_key

_AT_ONCE = 16
_ASIDE = "not-delivered"
_log = logging.getLogger("mlpipe")


@dataclass(frozen=True, kw_only=True)
class DeliveredCopy:
    """The files of the drop zone.

    Attributes:
        objects: The bucket.
        root: The folder of the copy.
        downloads: Fetches what is new.
    """

    objects: Objects
    root: Path
    downloads: Downloads

    def pull(self, known: Known) -> None:
        """Make the files what the bucket has.

        A file that was put into the copy by hand is moved aside and reported: it was delivered to nobody.

        Raises: StoreError.
        """
        there = {head.key: head for head in self.objects.list(keys.DROP_ZONE) if self._can_be_copied(head)}
        found = dict(files_delivered(self.root))
        gone = set(found) - set(there)
        strange = sorted(gone - set(known.delivered))
        for key in strange:
            move_aside(self.root, key, self._aside / key)
        if strange:
            _log.warning(
                "%s put into the copy of the lake on this machine, which delivers nothing to anybody: moved to %s. To deliver, "
                "put files below %s",
                f"{strange[0]} was"
                if len(strange) == 1
                else f"{strange[0]} and {spell_count(len(strange) - 1, 'more file')} were",
                self._aside,
                self.objects.locate(keys.DROP_ZONE),
            )
        for key in gone - set(strange):  # first: a folder may be in its place now
            remove_file(self.root, key)
        new = [
            head
            for key, head in there.items()
            if key not in found or known.delivered.get(key) != (head.tag, found[key])
        ]
        _each(self.downloads.receive, new)
        for head in new:
            known.delivered[head.key] = (head.tag, numbers_of(self.root / head.key))
        known.delivered = {key: value for key, value in known.delivered.items() if key in there}

    def push(self, known: Known) -> int:
        """Put files that were made here into the drop zone of the bucket; how many those are.

        Raises: StoreError.
        """
        new = [key for key, stat in files_delivered(self.root) if known.delivered.get(key, ("", []))[1] != stat]
        for key in new:
            with (self.root / key).open("rb") as handle:
                tag = self.objects.put_stream(key, blocks_of(handle)).tag
            known.delivered[key] = (tag, numbers_of(self.root / key))
        return len(new)

    @property
    def _aside(self) -> Path:
        return self.root.parent / _ASIDE

    def _can_be_copied(self, head: Head) -> bool:
        """Whether an object of the drop zone is a file here too; who is told of a name can deliver it under another one.

        What other tools make to show an empty folder is none: an empty object with a name that tells no kind of file.
        """
        try:
            self.objects.locate(check_key(head.key))
        except UnsupportedError as error:
            _log.warning("%s", error)
            return False
        return is_delivered(head.key) and (head.size > 0 or "." in head.key.rpartition("/")[2])


def _each(work: Callable[[Any], Any], items: Iterable[Any]) -> None:
    for _ in in_order(work, items, _AT_ONCE):
        pass
