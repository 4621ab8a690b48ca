"""A drop zone in a bucket: each version of an object below a prefix is a delivery, which nobody can change any more.

An object appears whole, so none is waited for. One that is replaced between the list and the read has another tag, and is
left to the next look.
"""

import hashlib
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from errno import EIO
from pathlib import Path

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.catalog.feeds import files_of
from mlpipe_assets.errors import BusyError, SettingsError
from mlpipe_assets.intake.file_names import is_passed_over
from mlpipe_assets.intake.intake import ChangedMeanwhileError, DeliveryProblem, Intake, Mark, Pending
from mlpipe_assets.intake.known_at import Reading, read_known_at
from mlpipe_assets.readers.blocks import Block
from mlpipe_assets.readers.open import SUFFIXES
from mlpipe_assets.store.copies.downloads import Downloads
from mlpipe_assets.store.copies.use import open_bucket
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.objects import Head, MissingError, Objects, StoreError, UnsupportedError, check_key
from mlpipe_assets.transforms.received import received_blocks

_LARGE = 8 << 20  # bytes of a request; an object that is larger comes in parts
_KEPT = 16  # objects on this machine at a time: more than are read side by side


@dataclass(kw_only=True)
class BucketZone(Intake):
    """The intake of objects; the name of a delivery is its key below the prefix, its mark the size and tag of its version."""

    source: Source
    location: str
    _objects: Objects | None = None
    _heads: dict[str, Head] = field(default_factory=dict)
    _here: dict[str, Path] = field(default_factory=dict)
    _reading: set[str] = field(default_factory=set)
    _folder: Path | None = None
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, _: Lake, source: Source) -> "BucketZone":
        """The drop zone of a source whose files are in a bucket. No request is sent yet."""
        return cls(source=source, location=files_of(source.feed).location or "")

    def look(self, taken: Mapping[str, Mark]) -> tuple[list[Pending], list[DeliveryProblem]]:  # noqa: ARG002 (an object taken may change)
        """All objects in order of name, by one list, and what there is that cannot be read."""
        try:
            heads = self._connected().list()
        except SettingsError as error:
            return [], [DeliveryProblem(name=self.location, reason=f"{error}")]
        except StoreError as error:
            return [], [DeliveryProblem(name=self.location, reason=f"cannot be listed: {error.reason}")]
        found: list[Pending] = []
        problems: list[DeliveryProblem] = []
        self._heads = {}
        for head in heads:
            if is_passed_over(head.key) or (head.size == 0 and "." not in head.key.rpartition("/")[2]):
                continue  # an empty object without a point in its name is what tools make to show a folder
            if problem := self._problem(head.key):
                problems.append(DeliveryProblem(name=head.key, reason=problem))
                continue
            self._heads[head.key] = head
            found.append(_pending(head))
        return found, problems

    def known(self, pending: Pending) -> Reading:
        """The date in its name, or when the server had all of it."""
        return read_known_at(pending.name, pending.modified_ns, files_of(self.source.feed).known_at)

    def digest(self, pending: Pending) -> str:
        """SHA-256 of its bytes, which are on this machine then."""
        with self._fetched(pending).open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()

    def open(self, pending: Pending) -> Iterator[Block]:
        """Its records, once it is sure that the object is one of this source."""
        self._reading.add(pending.name)
        try:
            yield from received_blocks(self._fetched(pending), self.source, files_of(self.source.feed))
        finally:
            self._reading.discard(pending.name)
            self._forget(pending.name)

    def find(self, content: str, name: str, mark: Mark | None) -> Pending | None:
        """The object with some content, under a name or, failing that, any other of the same size."""
        self.look({})
        there = [head for head in self._heads.values() if mark is None or head.size == mark["size"]]
        for head in sorted(there, key=lambda head: (head.key != name, head.key)):
            try:
                if self.digest(_pending(head)) == content:
                    return _pending(head)
            except OSError:
                continue
            self._forget(head.key)
        return None

    def _connected(self) -> Objects:
        """The bucket. Raises: SettingsError where its client, or credentials, are missing."""
        if self._objects is None:
            self._objects = open_bucket(self.location, said_in=f"the feed of {self.source.name}")
        return self._objects

    def _problem(self, key: str) -> str:
        """Why an object cannot be a delivery; empty when it can."""
        try:
            self._connected().locate(check_key(key))
        except UnsupportedError as error:
            return f"cannot be taken under this name: {error.reason}"
        return "" if key.lower().endswith(SUFFIXES) else f"is of no format we read ({', '.join(SUFFIXES)})"

    def _fetched(self, pending: Pending) -> Path:
        """The object on this machine. Raises: ChangedMeanwhileError; OSError."""
        if path := self._here.get(pending.name):
            return path
        with self._guard:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="mlpipe-bucket-"))
                weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        head = self._heads.get(pending.name)
        if head is None or _pending(head).mark != pending.mark:
            raise ChangedMeanwhileError(EIO, "it is another version now")
        with _in_words():
            Downloads(objects=self._connected(), root=self._folder, large=_LARGE).receive(head)
        self._here[pending.name] = path = self._folder / head.key
        for name in list(self._here)[:-_KEPT]:
            if name not in self._reading:
                self._forget(name)
        return path

    def _forget(self, name: str) -> None:
        if path := self._here.pop(name, None):
            path.unlink(missing_ok=True)


@contextmanager
def _in_words() -> Iterator[None]:
    """What goes wrong with an object, as an error of the system, which says what of the object and nothing of the server."""
    try:
        yield
    except (BusyError, MissingError) as error:
        raise ChangedMeanwhileError(EIO, "it was replaced or taken away while it was read") from error
    except StoreError as error:
        raise OSError(EIO, error.reason) from error


def _pending(head: Head) -> Pending:
    return Pending(
        name=head.key,
        mark={"size": head.size, "tag": head.tag, "modified": head.modified.isoformat()},
        modified_ns=round(head.modified.timestamp() * 1e9),
    )
