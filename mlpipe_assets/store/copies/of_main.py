"""What the copy of a branch has in common with the copy of main on the same machine, so that it is not fetched again."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mlpipe_assets.store import keys
from mlpipe_assets.store.copies.files import link_from, numbers_of, remove_file
from mlpipe_assets.store.copies.inventory import Kept
from mlpipe_assets.store.copies.known_files import NOTE, beside, load_known


@dataclass(frozen=True, kw_only=True)
class OfMain:
    """The copy of main.

    Attributes:
        root: Its folder.
    """

    root: Path

    def links(self, key: str, kept: Kept, root: Path) -> bool:
        """Whether main has the same file, into which nobody writes, and it could be given a second name below another folder."""
        if key.startswith(f"{keys.META}/"):
            return False
        before, stat = self._known.get(key, (None, []))
        path = self.root / key
        if kept != before or not path.is_file() or numbers_of(path) != stat or not link_from(path, root, key):
            return False
        if numbers_of(root / key) != stat:  # it was replaced since the look
            remove_file(root, key)
            return False
        return True

    @cached_property
    def _known(self) -> dict[str, tuple[Kept, list[int]]]:
        return load_known(beside(self.root) / NOTE).files
