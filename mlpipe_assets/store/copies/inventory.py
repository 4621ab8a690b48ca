"""Which files a lake in a bucket has: one small root names a page for each folder, and a page names its files by digest.

Pages and files do not change: each is kept under its own digest. The root alone is replaced, on the strength of what its
writer had read. So all that a run made becomes visible at once, and who reads a root reads what it says, whatever is
published meanwhile.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from mlpipe_assets.store import keys
from mlpipe_assets.store.objects import Objects, StoreError, UnsupportedError, check_key

ROOT = "meta/root.json"
LEASE = "meta/lease.json"
_FORMAT = 1
_BRANCH = re.compile(rf"{keys.BRANCHES}/([^/]+)/{re.escape(ROOT)}")
_DIGEST = 64  # hexadecimal digits


class Kept(NamedTuple):
    """A file as it was written; its time of modification says to those who know it that it is the same still."""

    sha256: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """The files of a lake.

    Attributes:
        files: By key.
        pages: The digest of the page of each folder, as it was read; what is not in it is spelled anew.
    """

    files: Mapping[str, Kept] = field(default_factory=dict)
    pages: Mapping[str, str] = field(default_factory=dict)

    def digests(self) -> set[str]:
        """Of all that is kept in the bucket for it."""
        return {*self.pages.values(), *(kept.sha256 for kept in self.files.values())}


def of_branch(key: str, branch: str) -> str:
    """Where a branch has the root or the lease; main, where none is named, has them at the top."""
    return f"{keys.BRANCHES}/{branch}/{key}" if branch else key


def branches_of(objects: Objects) -> list[str]:
    """The names of the branches of a lake, in order: each has a root of its own, and shares the contents."""
    found = (_BRANCH.fullmatch(head.key) for head in objects.list(keys.BRANCHES))
    return [one[1] for one in found if one]


def content(digest: str) -> str:
    """The key in a bucket of what has a digest."""
    return f"{keys.CONTENTS}/{digest}"


def spell_pages(files: Mapping[str, Kept]) -> dict[str, bytes]:
    """The page of each folder: all days of a table, or what lies beside each other."""
    folders: dict[str, list[list[object]]] = {}
    for key, kept in sorted(files.items()):
        folders.setdefault(folder_of(key), []).append([key, *kept])
    return {folder: json.dumps(rows, separators=(",", ":")).encode() for folder, rows in folders.items()}


def parse_page(page: bytes, digest: str) -> dict[str, Kept]:
    """The files of a page.

    Raises: StoreError when it is not what its digest says.
    """
    if digest_of(page) != digest:
        raise _damaged(f"the page {digest[:12]}…")
    try:
        return {
            check_key(key): Kept(f"{sha256}", int(size), int(mtime_ns))
            for key, sha256, size, mtime_ns in json.loads(page)
        }
    except (ValueError, TypeError, UnsupportedError) as error:
        raise _damaged(f"the page {digest[:12]}…") from error


def spell_root(pages: Mapping[str, str], gen: int) -> bytes:
    """The root, with a number of its own, so that no two are alike."""
    root = {"format": _FORMAT, "gen": gen, "nonce": secrets.token_hex(8), "pages": dict(sorted(pages.items()))}
    return json.dumps(root, indent=1).encode() + b"\n"


def parse_root(root: bytes) -> dict[str, str]:
    """The digest of the page of each folder.

    Raises: StoreError when it is none, or one of a newer version.
    """
    try:
        document = json.loads(root)
        number, pages = document["format"], dict(document["pages"])
    except (ValueError, LookupError, TypeError) as error:
        raise _damaged(ROOT) from error
    if number != _FORMAT or not all(isinstance(d, str) and len(d) == _DIGEST for d in pages.values()):
        raise _damaged(ROOT)
    return pages


def digest_of(content: bytes | memoryview) -> str:
    """The SHA-256 of some bytes."""
    return hashlib.sha256(content).hexdigest()


def folder_of(key: str) -> str:
    """The folder whose page a file is on: contents of a table with their faces, all that grows with neither days nor files in one."""
    if key.startswith(f"{keys.META}/") and not key.startswith(f"{keys.DELIVERIES}/"):
        return keys.META
    own = key.removeprefix(f"{keys.CONTENTS}/")
    return "/".join(part for part in own.split("/")[:-1] if not keys.is_day(part)) or "."


def content_of_face(key: str, kept: Kept) -> str:
    """Where the same content is among the contents of the table of a file of a day."""
    folder, _, name = key.rpartition("/")
    stem, _, kind = name.rpartition(".")
    table, _, day = folder.rpartition("/")
    return f"{keys.contents(table)}/{day}/{stem}.{kept.sha256}.{kind}"


def _damaged(what: str) -> StoreError:
    return StoreError(
        f"The lake in the bucket cannot be read: {what} is damaged, or was written by a newer version of mlpipe_assets. "
        "Restore it from a copy of the bucket.",
        reason=f"{what} is damaged",
    )
