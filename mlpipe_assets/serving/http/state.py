"""What a server answers from: one snapshot and the champions on it, replaced whole when there is a newer one."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import MlpipeError
from mlpipe_assets.serving.answers import Wanted
from mlpipe_assets.serving.http.access import KeyBook, KeyRing
from mlpipe_assets.serving.parity_gate import PARITY_TABLE, find_barred
from mlpipe_assets.serving.prediction import Champion, load_champions
from mlpipe_assets.serving.push.overlay import OverlaidReader
from mlpipe_assets.serving.push.pushes import Pushes
from mlpipe_assets.serving.snapshots.online_store import OnlineStore, Reader
from mlpipe_assets.serving.snapshots.snapshot import GoneError, Line
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake

_LINGER = 30.0  # seconds that a snapshot stays open for requests that began with it


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What one request is answered from, from its beginning to its end.

    Attributes:
        reader: Reads the snapshot; None while none answers.
        silence: Why none does, with what to do.
        champions: By model the champion, or why it must not answer.
        champion_marks: Versions of the records that say who is champion, and who must not answer.
        barred: By view why it must not be answered from.
        keys: Who may ask.
        found: Features that were asked for, as they were found in the snapshot.
    """

    reader: Reader | None = None
    silence: str = Line().silence
    champions: Mapping[str, Champion | str] = field(default_factory=dict)
    champion_marks: Mapping[str, str] = field(default_factory=dict)
    barred: Mapping[str, str] = field(default_factory=dict)
    keys: KeyRing = field(default_factory=KeyRing)
    found: dict[tuple[tuple[str, ...], bool], Wanted] = field(default_factory=dict)

    @property
    def snapshot(self) -> str | None:
        """The id of the snapshot."""
        return self.reader.generation.id if self.reader else None


@dataclass(kw_only=True)
class ServerState:
    """Looks for what is new, and holds what answers now. One thread looks at a time.

    Attributes:
        pushes: What is laid over the snapshot; None for nothing.
        fetch: Brings what is new to this machine, where the lake is elsewhere.
        problem: Why the last look failed; what was loaded before goes on answering then.
        stopping: Whether the server is about to end: each client is asked to go elsewhere with its next request.
    """

    lake: Lake
    catalog: Catalog
    store: OnlineStore
    pushes: Pushes | None = None
    fetch: Callable[[], None] = lambda: None
    loaded: Loaded = field(default_factory=Loaded)
    problem: str | None = None
    stopping: bool = False
    _left: list[tuple[float, Reader]] = field(default_factory=list)
    _turn: Lock = field(default_factory=Lock)

    def look(self) -> bool:
        """Load what is new; whether anything was.

        A store, a key file or a model that cannot be read changes nothing: the server goes on with what it has.
        """
        with self._turn:
            self._close_old()
            try:
                self.fetch()
                new = self._load(self.loaded)
            except MlpipeError as error:
                self.problem = f"{error}"
                return False
            self.problem = None
            if new is self.loaded:
                return False
            old, self.loaded = self.loaded.reader, new
            if old and old is not new.reader:
                self._left.append((time.monotonic(), old))
            return True

    def close(self) -> None:
        """Let go of everything that is open."""
        if self.pushes:
            self.pushes.close()
        for reader in (self.loaded.reader, *(reader for _, reader in self._left)):
            if reader:
                reader.close()
        self.store.close()

    def _load(self, before: Loaded) -> Loaded:
        ring = self._keys(before)
        marks = self._marks()
        line = self.store.line()
        present, reader = line.present, before.reader
        if present is None:
            reader = None
        elif reader is None or reader.generation.id != present.id:
            reader = self._open(present.id)
        same = reader is before.reader and line.silence == before.silence
        if same and marks == before.champion_marks and ring is before.keys:
            return before
        champions, barred = before.champions, before.barred
        if reader is not before.reader or marks != before.champion_marks:
            champions = load_champions(self.lake, self.catalog, reader.generation) if reader else {}
            barred = find_barred(self.lake, self.catalog)
        return Loaded(
            reader=reader, silence=line.silence, champions=champions, champion_marks=marks, barred=barred, keys=ring
        )

    def _open(self, wanted: str) -> Reader:
        present = self.store.line().present
        if present is None:
            raise GoneError(f"The snapshot {wanted} is not there any more.")
        reader = self.store.open(present)
        return OverlaidReader(reader, self.pushes.overlay_for(present)) if self.pushes else reader

    def _keys(self, before: Loaded) -> KeyRing:
        head = self.lake.objects.head(keys.SERVE_KEYS)
        return before.keys if (head.tag if head else None) == before.keys.tag else KeyBook(lake=self.lake).read()

    def _marks(self) -> dict[str, str]:
        """What would be another if a champion was: the record of decisions, and the checks that may bar it, or a view."""
        asked = [keys.manifest(PARITY_TABLE)]
        for model in self.catalog.models:
            asked += [keys.champion(model.name), keys.manifest(f"validation/{model.golden}")]
        return {key: head.tag for key in asked if (head := self.lake.objects.head(key))}

    def _close_old(self) -> None:
        now = time.monotonic()
        for since, reader in list(self._left):
            if now - since > _LINGER:
                self._left.remove((since, reader))
                reader.close()
