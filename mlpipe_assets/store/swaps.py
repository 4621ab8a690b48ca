"""Several tables that change in one step: one record of what all of them hold, which readers go by until each holds it itself.

The record is there whole or not at all, and so is the step. Afterwards its writer, or after a kill whoever goes on with it,
brings every table to what the record says and takes the record away, which changes nothing for a reader.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from mlpipe_assets.errors import LakeError
from mlpipe_assets.store import keys
from mlpipe_assets.store.manifest import Manifest, parse, spell
from mlpipe_assets.store.objects import MissingError, Objects
from mlpipe_assets.store.records import UNREADABLE, expect_format, spell_unreadable

_FORMAT = 1
_CURE = "Restore it from a copy. Without one, delete it and run the same mlpipe promote again: tables are as they were until it ends."


@dataclass(kw_only=True)
class Swap:
    """What a table holds while it changes in one step with others; read again only when the record was written again."""

    objects: Objects
    table: str
    _known: tuple[str, Manifest | None] = field(default=("", None))

    def read(self) -> tuple[str, Manifest] | None:
        """The table's manifest by the record, with a tag; None where there is no record, or it is of other tables.

        Raises: LakeError when the record cannot be read.
        """
        there = self.objects.head(keys.SWAP)  # asked for every table, and there seldom is one
        if there is None:
            return None
        if there.tag != self._known[0]:
            try:
                found = self.objects.get(keys.SWAP)
                text = _tables(found.content).get(self.table)
                self._known = (found.tag, parse(text.encode()) if text else None)
            except MissingError:  # the step has come to its end meanwhile
                return None
            except UNREADABLE as error:
                raise LakeError(spell_unreadable(self.objects.locate(keys.SWAP), error, _CURE)) from error
        tag, manifest = self._known
        return (f"{keys.SWAP} {tag}", manifest) if manifest else None


def begin_swap(objects: Objects, tables: Mapping[str, Manifest]) -> None:
    """Let readers see all of some tables, by the folders of their days, as manifests say, in one step.

    Raises: StoreError when the disk says no; nobody sees anything of it then.
    """
    told = {name: spell(manifest).decode() for name, manifest in tables.items()}
    objects.put(keys.SWAP, json.dumps({"format": _FORMAT, "tables": told}).encode())


def swapped_tables(objects: Objects) -> list[str]:
    """The tables of a step that has not come to its end.

    Raises: LakeError when the record cannot be read.
    """
    try:
        return sorted(_tables(objects.get(keys.SWAP).content))
    except MissingError:
        return []
    except UNREADABLE as error:
        raise LakeError(spell_unreadable(objects.locate(keys.SWAP), error, _CURE)) from error


def end_swap(objects: Objects) -> None:
    """Let readers go by the tables again, each of which holds by now what the record says."""
    objects.delete(keys.SWAP)


def _tables(content: bytes) -> Mapping[str, str]:
    document = json.loads(content)
    expect_format(document["format"], _FORMAT)
    return dict(document["tables"])
