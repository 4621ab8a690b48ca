"""What was on this machine and in a bucket when both were last alike: the rest has to be fetched, or published."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from mlpipe_assets.store import keys
from mlpipe_assets.store.copies.inventory import Inventory, Kept
from mlpipe_assets.store.local import explain_writing, sync_folder
from mlpipe_assets.store.private_files import create_file

NOTE = "known.json"  # beside the copy
ABSENT: list[int] = []  # the numbers of a file that the bucket has, and this machine does not
NEW = ""  # the tag of a root that is not there yet


def beside(root: Path) -> Path:
    """The folder in which this machine notes what it knows of a copy; that of a branch, which lies in the copy of main, is not there."""
    return root.parent if root.parent.name != keys.BRANCHES else root.parent.parent.parent / keys.BRANCHES / root.name


@dataclass(kw_only=True)
class Known:
    """What was on disk and in the bucket when both were last alike.

    Attributes:
        tag: Of the root.
        files: By key, with size, time and number of each file on disk.
        delivered: Of the drop zone: tag and, of the file on disk, size, time and number.
    """

    tag: str = NEW
    pages: dict[str, str] = field(default_factory=dict)
    files: dict[str, tuple[Kept, list[int]]] = field(default_factory=dict)
    delivered: dict[str, tuple[str, list[int]]] = field(default_factory=dict)

    def inventory(self) -> Inventory:
        """The files of the lake as the bucket had them."""
        return Inventory(files={key: kept for key, (kept, _) in self.files.items()}, pages=self.pages)


def load_known(note: Path) -> Known:
    """What was alike; nothing where the note is not there, or is damaged: then every file is fetched again."""
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
        return Known(
            tag=found["tag"],
            pages=found["pages"],
            files={key: (Kept(*kept), stat) for key, (kept, stat) in found["files"].items()},
            delivered={key: (tag, stat) for key, (tag, stat) in found["delivered"].items()},
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return Known()


def save_known(note: Path, known: Known) -> None:
    """Keep what is alike now.

    Raises: StoreError.
    """
    temporary = note.with_name(f".{note.name}.{os.getpid()}.tmp")
    document = {"tag": known.tag, "pages": known.pages, "files": known.files, "delivered": known.delivered}
    try:
        create_file(temporary)
        temporary.write_text(json.dumps(document), encoding="utf-8")
        temporary.replace(note)
        sync_folder(note.parent)
    except OSError as error:
        raise explain_writing(error, note, note.parent) from error
