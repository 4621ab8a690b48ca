"""Where online answers are read from. One protocol, held by one set of tests, for SQLite, Redis and PostgreSQL.

A snapshot becomes visible with all of its views at once, or not at all. A reader has one snapshot and no other, however
long it reads. The snapshots before are kept for a while, so that one can go back.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from mlpipe_assets.serving.snapshots.snapshot import Generation, Line, Snapshot

Rows = Mapping[str, Sequence[bytes | None]]


class Reader(Protocol):
    """Reads one snapshot."""

    @property
    def generation(self) -> Generation:
        """The snapshot."""
        ...

    def read(self, keys: Mapping[str, Sequence[str]]) -> Rows:
        """The rows of the keys of each view, in their order; None for a key that has none. Safe in several threads.

        Raises: GoneError when the snapshot was removed, OnlineError when the store does not answer.
        """
        ...

    async def fetch(self, keys: Mapping[str, Sequence[str]]) -> Rows:
        """The same for a server: nobody else waits while an answer comes over a network."""
        ...

    def close(self) -> None:
        """Let go of what it holds open; nothing can be read afterwards."""
        ...


Expect = Callable[[Reader], None]


def nothing(_: Reader) -> None:
    """Expect nothing of what is published."""


class OnlineStore(Protocol):
    """Keeps snapshots. Each method raises OnlineError, or a LakeError of the data folder, without user or password in it."""

    def locate(self) -> str:
        """The place as a person finds it."""
        ...

    def line(self) -> Line:
        """The snapshots there are, and which of them answers."""
        ...

    def publish(self, snapshot: Snapshot, expect: Expect = nothing) -> Generation:
        """Keep a snapshot and let it answer from now on, all of its views at once.

        Args:
            snapshot: What is kept.
            expect: Is given what a reader will see, before anybody else sees it; what it raises, and nothing is published.
        """
        ...

    def roll_back(self, reason: str) -> Generation:
        """Let the snapshot before answer again, and return it."""
        ...

    def open(self, generation: Generation) -> Reader:
        """A reader of one snapshot. Raises: GoneError when it is not there any more."""
        ...

    def close(self) -> None:
        """Let go of its connections; each is made again when it is needed."""
        ...
