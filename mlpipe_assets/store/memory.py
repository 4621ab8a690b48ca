"""Objects in the memory of one process: for tests, and for what need not outlive it."""

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock

from mlpipe_assets.store.leases import Lease, take_lease
from mlpipe_assets.store.objects import (
    ANY,
    Condition,
    Found,
    Head,
    Streamed,
    check_key,
    check_part,
    check_prefix,
    conflict,
    in_the_way,
    missing,
    no_file,
)


@dataclass(frozen=True, kw_only=True)
class _Kept:
    content: bytes
    head: Head


@dataclass(kw_only=True)
class MemoryObjects:
    """Objects that are gone when the process ends. Threads share them; processes do not."""

    _kept: dict[str, _Kept] = field(default_factory=dict)
    _versions: Iterator[int] = field(default_factory=itertools.count)
    _guard: Lock = field(default_factory=Lock)

    def locate(self, key: str) -> str:
        """What messages call an object."""
        return f"memory:{key}"

    def get(self, key: str, part: slice | None = None) -> Found:
        """An object, or a part of it."""
        wanted = slice(None) if part is None else check_part(part)
        kept = self._find(key)
        return Found(content=kept.content[wanted], tag=kept.head.tag)

    def get_if_changed(self, key: str, tag: str) -> Found | None:
        """An object, or None while it has a tag."""
        kept = self._find(key)
        return None if kept.head.tag == tag else Found(content=kept.content, tag=kept.head.tag)

    def put(self, key: str, content: bytes | memoryview, if_match: str | Condition = ANY) -> str:
        """Write an object whole, and return its tag."""
        check_key(key)
        whole = bytes(content)
        with self._guard:
            kept = self._kept.get(key)
            if not (if_match is ANY or if_match == (kept.head.tag if kept else Condition.ABSENT)):
                raise conflict(self.locate(key))
            parts = key.split("/")
            above = any("/".join(parts[:length]) in self._kept for length in range(1, len(parts)))
            if above or any(other.startswith(f"{key}/") for other in self._kept):
                raise in_the_way(self.locate(key))
            head = Head(key=key, tag=f"{next(self._versions)}", size=len(whole), modified=datetime.now(tz=UTC))
            self._kept[key] = _Kept(content=whole, head=head)
            return head.tag

    def put_stream(self, key: str, blocks: Iterable[bytes]) -> Streamed:
        """Write an object block by block; here it is held whole all the same."""
        content = b"".join(blocks)
        tag = self.put(key, content)
        return Streamed(tag=tag, sha256=hashlib.sha256(content).hexdigest(), size=len(content))

    def head(self, key: str) -> Head | None:
        """What is known of an object; None when there is none."""
        kept = self._kept.get(check_key(key))
        return kept.head if kept else None

    def list(self, prefix: str = "") -> Sequence[Head]:
        """All objects below a prefix, by key."""
        below = f"{check_prefix(prefix)}/" if prefix else ""
        with self._guard:
            return [self._kept[key].head for key in sorted(self._kept) if key.startswith(below)]

    def delete(self, key: str) -> None:
        """Take an object away, if it is there."""
        with self._guard:
            self._kept.pop(check_key(key), None)

    def delete_many(self, keys: Iterable[str]) -> None:
        """Take objects away, those that are there."""
        for key in keys:
            self.delete(key)

    def lease(self, key: str, ttl: float) -> Lease:
        """Be the only one who holds a key."""
        return take_lease(self, key, ttl)

    def _find(self, key: str) -> _Kept:
        kept = self._kept.get(check_key(key))
        if kept is None:
            raise no_file(self.locate(key)) if self.list(key) else missing(self.locate(key))
        return kept
