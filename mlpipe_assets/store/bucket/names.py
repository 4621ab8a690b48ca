"""Names in a bucket: one is an object or a folder, never both, as in a file system; else no copy on a disk could be made.

A bucket would take both, so it is asked before a new name is made. What was seen once is not asked for again: names of
a lake do not change their kind. Two machines that make both at the same moment are not noticed.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from mlpipe_assets.concurrency import in_order

_AT_ONCE = 4
_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(kw_only=True)
class Names:
    """What is known of the names in a bucket.

    Attributes:
        is_object: Asks whether there is an object of a name.
        has_below: Asks whether there are objects below it.
    """

    is_object: Callable[[str], bool]
    has_below: Callable[[str], bool]
    _objects: set[str] = field(default_factory=set)
    _folders: set[str] = field(default_factory=set)
    _guard: Lock = field(default_factory=Lock)

    def has_room(self, key: str) -> bool:
        """Whether an object may be made: nothing above it is an object, and nothing is below it."""
        if key in self._objects:
            return True
        with self._guard:  # of many that come at once one asks
            unknown = [above for above in above_of(key) if above not in self._folders]
            if any(in_order(self.is_object, unknown, _AT_ONCE if len(unknown) > 1 else 1)):
                return False
            self._folders.update(unknown)
        is_content = _DIGEST.fullmatch(key.rpartition("/")[2])  # nobody names a folder so
        return bool(is_content) or not self.has_below(key)

    def add(self, key: str) -> None:
        """Remember an object that is there."""
        self._objects.add(key)
        self._folders.discard(key)
        self._folders.update(above_of(key))

    def forget(self, key: str) -> None:
        """Forget an object that is gone; a folder that is empty now may become one."""
        self._objects.discard(key)


def above_of(key: str) -> list[str]:
    """The folders that a key is in, from the top."""
    parts = key.split("/")[:-1]
    return ["/".join(parts[: length + 1]) for length in range(len(parts))]
