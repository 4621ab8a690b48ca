"""Rows that are newer than a snapshot, laid over what is read of it; both are of the same snapshot, whatever comes meanwhile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

from mlpipe_assets.serving.snapshots.online_store import Reader, Rows
from mlpipe_assets.serving.snapshots.snapshot import Generation


@dataclass(kw_only=True)
class Overlay:
    """Rows by view and key, as a store keeps them. A round of changes shows whole or not at all, also over several views."""

    rows: dict[str, dict[str, bytes]] = field(default_factory=dict)
    _turn: Lock = field(default_factory=Lock)

    def put(self, changed: Mapping[str, Mapping[str, bytes]], *, whole: bool = False) -> None:
        """Take rows of views in; `whole` when a view has no others."""
        with self._turn:
            for view, rows in changed.items():
                if whole:
                    self.rows[view] = dict(rows)
                else:
                    self.rows.setdefault(view, {}).update(rows)

    def lay_over(self, found: Rows, wanted: Mapping[str, Sequence[str]]) -> Rows:
        """What was found of a snapshot, with the newer rows in place of its own."""
        if not any(view in self.rows for view in wanted):
            return found
        with self._turn:
            newer = {view: self.rows.get(view, {}) for view in wanted}
            return {
                view: [newer[view].get(key, row) for key, row in zip(keys, found[view], strict=True)]
                for view, keys in wanted.items()
            }

    def count(self) -> dict[str, int]:
        """Rows of each view."""
        with self._turn:
            return {view: len(rows) for view, rows in self.rows.items()}


@dataclass(frozen=True)
class OverlaidReader:
    """Reads one snapshot and what lies over it."""

    reader: Reader
    overlay: Overlay

    @property
    def generation(self) -> Generation:
        """The snapshot."""
        return self.reader.generation

    def read(self, keys: Mapping[str, Sequence[str]]) -> Rows:
        """The rows of the keys of each view; see `Reader`."""
        return self.overlay.lay_over(self.reader.read(keys), keys)

    async def fetch(self, keys: Mapping[str, Sequence[str]]) -> Rows:
        """The same for a server; see `Reader`."""
        return self.overlay.lay_over(await self.reader.fetch(keys), keys)

    def close(self) -> None:
        """Let go of the snapshot."""
        self.reader.close()
