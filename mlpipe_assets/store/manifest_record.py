"""The manifest of a table as it is kept: read again only when it was written again, and made anew where it is lost."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from mlpipe_assets.errors import LakeError
from mlpipe_assets.store import keys
from mlpipe_assets.store.contents import Contents
from mlpipe_assets.store.copies.elsewhere import elsewhere
from mlpipe_assets.store.digest_log import forget_days
from mlpipe_assets.store.local import LocalObjects
from mlpipe_assets.store.manifest import Manifest, parse, spell
from mlpipe_assets.store.objects import ABSENT, Condition, ConflictError, MissingError, StoreError
from mlpipe_assets.store.records import UNREADABLE, spell_unreadable
from mlpipe_assets.store.recovery import recover
from mlpipe_assets.store.swaps import Swap

_CURE = (
    "Restore it from a copy, or delete it and run again: it is made again from the files of its days. Days that had been refused "
    "are tried again then."
)


class Shown(NamedTuple):
    """What readers of a table go by.

    Attributes:
        tag: Another one when that is something else.
        in_step: Whether a step of several tables says so: the faces of its days may be older.
    """

    tag: str | Condition
    manifest: Manifest
    in_step: bool


@dataclass(kw_only=True)
class ManifestRecord:
    """What is on record of a table's manifest.

    Attributes:
        root: The data folder.
        name: The folder of the table's days, such as `interim/orders`.
    """

    root: Path
    name: str
    _known: tuple[str | Condition, Manifest] = field(default=(ABSENT, Manifest()))
    _swap: Swap = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._swap = Swap(objects=self.objects, table=self.name)

    @property
    def objects(self) -> LocalObjects:
        """The data folder as a store of objects."""
        return LocalObjects(self.root)

    def swapped(self) -> tuple[str, Manifest] | None:
        """What it holds by the record of a step that it takes together with others; None where there is none.

        Raises: LakeError when that record cannot be read.
        """
        return self._swap.read()

    def shown(self) -> Shown:
        """What readers go by: its manifest, or the record of a step that it takes together with others."""
        swapped = self.swapped()
        return Shown(*swapped, in_step=True) if swapped else Shown(*self.read(), in_step=False)

    def shown_tag(self) -> str | Condition:
        """The tag of that: another one when readers go by something else."""
        return swapped[0] if (swapped := self.swapped()) else self._tag()

    def _tag(self) -> str | Condition:
        there = self.objects.head(keys.manifest(self.name))
        return there.tag if there else ABSENT

    def read(self) -> tuple[str | Condition, Manifest]:
        """The manifest with its tag, read again only when it was written again; made anew from the files where it is lost."""
        tag = self._tag()
        if tag is not ABSENT and tag == self._known[0]:
            return self._known
        try:
            found = self.objects.get(keys.manifest(self.name))
            self._known = (found.tag, parse(found.content))
        except MissingError:
            self._known = self._made_again()
        except UNREADABLE as error:
            raise LakeError(spell_unreadable(self.objects.locate(keys.manifest(self.name)), error, _CURE)) from error
        return self._known

    def _made_again(self) -> tuple[str | Condition, Manifest]:
        """A manifest from the files of the days: of a lake from before there were manifests, or whose manifest was lost.

        Raises: LakeError in a copy of a lake in a bucket that has not all files here.
        """
        if (far := elsewhere(self.root)) and far.has_table(self.name):
            raise LakeError(
                f"{self.objects.locate(keys.manifest(self.name))} is gone while the lake is in use. Run again: it is fetched again."
            )
        found = recover(Contents(root=self.root, table=self.name))
        if found is None:
            return ABSENT, Manifest()
        try:
            tag = self.objects.put(keys.manifest(self.name), spell(found), ABSENT)
        except ConflictError:
            return self.read()
        except StoreError:  # who may only read goes by the files themselves
            return ABSENT, found
        forget_days(self.root, Path(self.name))
        return tag, found
