"""Branches: lakes below the one they began from, each with a record of what that one held then."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlpipe_assets.errors import LakeError, SettingsError, shorten
from mlpipe_assets.store import keys
from mlpipe_assets.store.objects import MissingError, Objects
from mlpipe_assets.store.records import UNREADABLE, spell_unreadable
from mlpipe_assets.store.tags import Pinned, expect_name, parse_sealed, parse_tables, spell_sealed

MAIN = "main"  # the lake that branches begin from; no branch is called so
PROMOTED = "promoted-"  # a tag while a branch is promoted is called so, and by the branch
_CURE = "Restore it from a copy. Without it nobody knows what the branch changed: take it away with mlpipe drop NAME --force."


@dataclass(frozen=True, kw_only=True)
class Base:
    """What a branch and the lake it began from have in common.

    Attributes:
        made_at: When it began, in UTC.
        tables: By the folder of their days.
        documents: Digests of files that are of no day and are promoted too, such as models, by key.
    """

    name: str
    made_at: str
    tables: Mapping[str, Pinned] = field(default_factory=dict)
    documents: Mapping[str, str] = field(default_factory=dict)


def branch_folder(root: Path, name: str) -> Path:
    """Where a branch of the lake in a data folder is.

    Raises: SettingsError for what cannot be the name of one.
    """
    if name == MAIN:
        raise SettingsError(f"{MAIN!r} is the lake that branches begin from. Choose another name, such as try-x")
    return root / keys.BRANCHES / expect_name(name, "branch", "try-x")


def main_folder(root: Path) -> Path | None:
    """The data folder that a branch began from; None for a lake that is no branch."""
    return root.parent.parent if root.parent.name == keys.BRANCHES and (root / keys.BRANCH).exists() else None


def list_branches(root: Path) -> list[str]:
    """The names of all branches of a lake, in order."""
    return sorted(path.parent.parent.name for path in (root / keys.BRANCHES).glob(f"[!.]*/{keys.BRANCH}"))


def expect_branch(root: Path, name: str) -> Path:
    """The folder of a branch that is there.

    Raises: SettingsError where there is none of that name.
    """
    folder = branch_folder(root, name)
    if not (folder / keys.BRANCH).is_file():
        there = list_branches(root)
        which = f"there are {shorten(there, 10)}" if there else f"there is none yet. To make one: mlpipe branch {name}"
        raise SettingsError(f"There is no branch {name!r}; {which}.")
    return folder


def read_base(objects: Objects) -> Base:
    """What a branch began from.

    Raises: LakeError when the record cannot be read.
    """
    try:
        document = parse_sealed(objects.get(keys.BRANCH).content)
        return Base(
            name=document["name"],
            made_at=document["made_at"],
            tables=parse_tables(document["tables"]),
            documents=document["documents"],
        )
    except (MissingError, *UNREADABLE) as error:
        raise LakeError(spell_unreadable(objects.locate(keys.BRANCH), error, _CURE)) from error


def save_base(objects: Objects, base: Base) -> None:
    """Put on record what a branch has in common with the lake it began from, in place of what was."""
    document = {"name": base.name, "made_at": base.made_at, "documents": dict(base.documents)}
    objects.put(keys.BRANCH, spell_sealed(document, base.tables))


def share_drop_zone(root: Path, branch: Path) -> None:
    """Give a branch links to the folders of the drop zone, which others write into; those that it has stay.

    Args:
        root: The lake that it began from.
        branch: The folder of the branch, or one beside that.
    """
    zone = root / keys.DROP_ZONE
    names = (
        [path.name for path in zone.iterdir() if path.is_dir() and path.name[0] not in "._"] if zone.is_dir() else []
    )
    (branch / keys.DROP_ZONE).mkdir(exist_ok=True)
    for name in names:
        link = branch / keys.DROP_ZONE / name
        if not link.is_symlink():
            link.symlink_to(os.path.relpath(zone / name, link.parent))
