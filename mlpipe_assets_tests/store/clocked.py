"""A bucket in memory with a clock that tests move, and whose user can be killed after any request."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from mlpipe_assets.store.memory import MemoryObjects
from mlpipe_assets.store.objects import ANY, Condition, Found, Head


class Death(BaseException):
    """The process is gone."""


@dataclass(kw_only=True)
class ClockedBucket(MemoryObjects):
    """A bucket.

    Attributes:
        clock: Seconds since 1970.
        left: How many requests its user lives for.
        asked: The requests so far; many removals, and a list of up to a thousand, are one.
    """

    clock: Callable[[], float]
    left: int = 10**9
    asked: list[str] = field(default_factory=list)

    def get(self, key: str, part: slice | None = None) -> Found:
        self._count(f"get {key}")
        return super().get(key, part)

    def get_if_changed(self, key: str, tag: str) -> Found | None:
        self._count(f"get {key}")
        return super().get_if_changed(key, tag)

    def put(self, key: str, content: bytes | memoryview, if_match: str | Condition = ANY) -> str:
        self._count(f"put {key}")
        tag = super().put(key, content, if_match)
        kept = self._kept[key]
        moment = datetime.fromtimestamp(self.clock(), tz=UTC)
        self._kept[key] = replace(kept, head=replace(kept.head, modified=moment))
        return tag

    def head(self, key: str) -> Head | None:
        self._count(f"head {key}")
        return super().head(key)

    def list(self, prefix: str = "") -> Sequence[Head]:
        found = super().list(prefix)
        for _ in range(0, len(found) or 1, 1000):
            self._count(f"list {prefix}")
        return found

    def delete(self, key: str) -> None:
        self._count(f"delete {key}")
        super().delete(key)

    def delete_many(self, keys: Iterable[str]) -> None:
        wanted = [*keys]
        before, alive = len(self.asked), self.left
        for key in wanted:  # a server may have done half of them
            self.delete(key)
        self.asked[before:] = [f"delete {len(wanted)}"]
        self.left = alive - 1

    def _count(self, request: str) -> None:
        if not self.left:
            raise Death(request)
        self.left -= 1
        self.asked.append(request)
