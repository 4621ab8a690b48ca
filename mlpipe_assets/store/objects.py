"""What a store of bytes promises: objects under keys, each read and written whole or not at all.

A key is a path below the root of the store, such as `interim/orders/date=2026-01-05/part.parquet`. One key at a time is
all that a store can change in one step: there is no renaming, and no two keys change together.

A tag is an opaque version of an object: another tag means that it was written again. The same tag does not prove that
nothing happened in between, because some stores make it of the content alone. A document that is replaced on the strength
of its tag, and whose writers must notice a change there and back again, carries a number of its own that is drawn anew
for each write.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Literal, Protocol

from mlpipe_assets.errors import LakeError

if TYPE_CHECKING:
    from mlpipe_assets.store.leases import Lease

_PLAIN = re.compile(r"[\w=+-][\w.=+-]*(?:/[\w=+-][\w.=+-]*)*", re.ASCII)
_LONGEST_KEY, _LONGEST_SEGMENT = 1024, 255  # bytes; the tightest of the stores we know


class Condition(Enum):
    """What must be there for a write to happen, apart from a tag."""

    ANY = "anything or nothing"
    ABSENT = "nothing"


ANY: Literal[Condition.ANY] = Condition.ANY
ABSENT: Literal[Condition.ABSENT] = Condition.ABSENT


@dataclass(frozen=True, kw_only=True)
class Found:
    """The bytes of an object, or the part asked for, and its tag."""

    content: bytes
    tag: str


@dataclass(frozen=True, kw_only=True)
class Head:
    """What is known of an object without reading it. `modified` is in UTC and may have whole seconds only."""

    key: str
    tag: str
    size: int
    modified: datetime


@dataclass(frozen=True, kw_only=True)
class Streamed:
    """An object that was written block by block."""

    tag: str
    sha256: str
    size: int


class StoreError(LakeError):
    """A store cannot do what was asked of it.

    Attributes:
        reason: The same in a few words without a full stop, for a message that says more of the object.
    """

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class MissingError(StoreError):
    """There is no such object."""


class ConflictError(StoreError):
    """The object is not the one that the writer had read, so nothing was written."""


class DeniedError(StoreError):
    """This user may not do that."""


class UnreachableError(StoreError):
    """The store does not answer. A write may have happened all the same: read it back."""


class FullError(StoreError):
    """There is no space left. The object is what it was before."""


class UnsupportedError(StoreError):
    """A key or a request that not every store can serve."""


class Objects(Protocol):
    """A store of bytes. Each method raises a StoreError that names the object, and no other error of what is below."""

    def locate(self, key: str) -> str:
        """The place of an object as a person finds it: what messages call it."""
        ...

    def get(self, key: str, part: slice | None = None) -> Found:
        """An object, or a part of it: `slice(2, 9)`, `slice(2, None)`, or the last nine bytes by `slice(-9, None)`.

        As with every slice there may be fewer bytes than asked for.

        Raises: MissingError; UnsupportedError for a folder with objects in it, from a store that can tell.
        """
        ...

    def get_if_changed(self, key: str, tag: str) -> Found | None:
        """An object, or None while it has a tag. Raises: MissingError."""
        ...

    def put(self, key: str, content: bytes | memoryview, if_match: str | Condition = ANY) -> str:
        """Write an object whole, and return its tag.

        Args:
            key: Where.
            content: What.
            if_match: `ANY` replaces whatever is there, `ABSENT` only makes a new object, a tag only replaces that version.

        Raises: ConflictError when something else is there; nothing was written then. A store that writes again by
            itself, because the answer to the first time was lost, compares what is there before it says so.
        """
        ...

    def put_stream(self, key: str, blocks: Iterable[bytes]) -> Streamed:
        """Write an object block by block, without holding it. When the blocks raise, nothing was written."""
        ...

    def head(self, key: str) -> Head | None:
        """What is known of an object without reading it; None when there is none."""
        ...

    def list(self, prefix: str = "") -> Sequence[Head]:
        """All objects below a prefix of whole segments (`meta/tables`, not `meta/tab`), by key; all there are for "".

        What was written before the call is in it; what is written during it may be.
        """
        ...

    def delete(self, key: str) -> None:
        """Take an object away; one that is not there may be gone already."""
        ...

    def delete_many(self, keys: Iterable[str]) -> None:
        """Take objects away, those that are there, in few requests where the store can; in no order, and not all at once."""
        ...

    def lease(self, key: str, ttl: float) -> "Lease":
        """Be the only one who holds a key, for `ttl` seconds after each renewal.

        Waits for as long as it takes to see whether a holder still lives.

        Raises: BusyError when it does.
        """
        ...


def check_key(key: str) -> str:
    """The same key, when every store can serve it.

    Raises: UnsupportedError when it is empty, absolute, climbs, is too long or holds control characters, and for
        `.….tmp` and `.….lock`, the names of files that are no objects.
    """
    if len(key) <= _LONGEST_SEGMENT and _PLAIN.fullmatch(
        key
    ):  # nearly every key: a lake of years has thousands to read
        return key
    segments = key.split("/")
    if any(segment in ("", ".", "..") for segment in segments):
        wrong = "its parts between slashes must be names, and not . or .."
    elif any(ord(character) < ord(" ") or character == "\x7f" for character in key):
        wrong = "it holds control characters"
    elif len(_encoded(key)) > _LONGEST_KEY or any(len(_encoded(segment)) > _LONGEST_SEGMENT for segment in segments):
        wrong = f"it is longer than {_LONGEST_KEY:,} bytes, or a part of it is longer than {_LONGEST_SEGMENT}"
    elif is_reserved(segments[-1]):
        wrong = "such names are kept for temporary files and locks"
    else:
        return key
    raise UnsupportedError(f"{key[:200]!r} cannot be the key of an object: {wrong}.", reason=wrong)


def check_prefix(prefix: str) -> str:
    """The same prefix, when it is empty or a key.

    Raises: UnsupportedError as `check_key`.
    """
    return check_key(prefix) if prefix else prefix


def check_part(part: slice) -> slice:
    """The same part, when every store can serve it: from a place on, or the last bytes.

    Raises: UnsupportedError.
    """
    start, stop = part.start or 0, part.stop
    if part.step is not None or (stop is not None and not 0 <= start <= stop):
        reason = "a part is slice(from, to), slice(from, None) or slice(-last, None)"
        raise UnsupportedError(f"{part} cannot be read: {reason}.", reason=reason)
    return part


def is_reserved(name: str) -> bool:
    """Whether a name is that of a temporary file or a lock of the store itself, and never of an object."""
    return name.startswith(".") and name.endswith((".tmp", ".lock"))


def missing(where: str) -> MissingError:
    """The error for an object that is not there."""
    return MissingError(f"{where} is not there.", reason="No such file or directory")


def conflict(where: str) -> ConflictError:
    """The error for an object that is not what its writer had read."""
    return ConflictError(
        f"{where} was written by another process in the meantime. Nothing was changed here; run again.",
        reason="another process wrote it in the meantime",
    )


def no_file(where: str) -> UnsupportedError:
    """The error for a folder that is read."""
    return UnsupportedError(
        f"{where} is a folder where a file belongs. Take it away and run again.", reason="Is a directory"
    )


def in_the_way(where: str) -> UnsupportedError:
    """The error for a key below which there are other objects, or that is below one."""
    reason = "a folder and a file cannot have the same name"
    return UnsupportedError(f"{where} cannot be used: {reason}. Take one of them away and run again.", reason=reason)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
