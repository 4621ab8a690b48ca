"""A lake in a bucket while this machine uses it: fetched when a use begins, published when one that writes ends.

One machine at a time writes: it holds a lease, which its processes share. The lease saves work; what protects the lake is
that the root of the bucket is only replaced where it is still what was fetched. A process that is killed leaves the bucket
as it was, and what it left on this machine's disk goes with the next fetch.
"""

import fcntl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from mlpipe_assets.errors import BusyError, SettingsError
from mlpipe_assets.store.bucket_address import read_address
from mlpipe_assets.store.inventory import LEASE
from mlpipe_assets.store.leases import Lease
from mlpipe_assets.store.objects import ConflictError, Objects, StoreError
from mlpipe_assets.store.private_files import create_file
from mlpipe_assets.store.working_copy import WorkingCopy

_TTL = 60.0  # seconds for which a writer that gives no sign of life keeps others waiting
_SIGNS = 3  # of life in that time
_OFTEN = 30.0  # seconds between two times that a long run publishes what it has so far
_TURN = 0.1


@dataclass(kw_only=True)
class _Signs:
    """A lease that is renewed from a thread, for as long as its holder works."""

    lease: Lease
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _ended: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> None:
        threading.Thread(target=self._renew, daemon=True).start()

    def expect_held(self, where: str) -> None:
        """Make sure that no other machine has taken over. Raises: BusyError; StoreError."""
        try:
            with self._guard:
                self.lease.renew()
        except ConflictError as error:
            raise BusyError(
                f"{where}: another machine took this lake over while this one was stopped. Nothing more is published; run again."
            ) from error

    def end(self) -> None:
        self._ended.set()
        with self._guard, suppress(StoreError):  # then it expires
            self.lease.release()

    def _renew(self) -> None:
        while not self._ended.wait(self.lease.ttl / _SIGNS):
            try:
                with self._guard:
                    if not self._ended.is_set():
                        self.lease.renew()
            except ConflictError:
                return
            except StoreError:  # the next one may get through; publishing asks again
                continue


@dataclass(kw_only=True)
class _Use:
    """What a process that writes has of a lake."""

    place: "BucketLake"
    copy: WorkingCopy
    handle: BinaryIO
    signs: _Signs | None
    published: float = field(default_factory=time.monotonic)
    times: int = 1

    def publish(self) -> None:
        with self.place.in_turn():
            if self.signs:
                self.signs.expect_held(self.place.address)
            self.copy.push(self.signs.lease.gen if self.signs else 0)
        self.published = time.monotonic()

    def close(self) -> None:
        if self.signs:
            self.signs.end()
        self.handle.close()


_uses: dict[Path, _Use] = {}
_guard = threading.RLock()  # sensors are threads of one process


@dataclass(frozen=True, kw_only=True)
class BucketLake:
    """A lake in a bucket, and where its files are on this machine.

    Attributes:
        address: Such as `s3://bucket/prefix`.
        root: The data folder that everything above works on.
    """

    address: str
    root: Path

    def fetch(self) -> None:
        """Make the files on this machine what the bucket says, unless a process here is writing: then they are its own.

        Raises: SettingsError; StoreError.
        """
        copy = self._copy()
        with self._open("use.lock") as handle:
            if _lock_alone(handle):
                with self.in_turn():
                    copy.pull()

    def begin(self) -> None:
        """Begin to write: fetch, and keep other machines out until `end`. A process may begin several times.

        Raises: BusyError when another machine writes; SettingsError; StoreError.
        """
        with _guard:
            if use := _uses.get(self.root):
                use.times += 1
            else:
                _uses[self.root] = self._begin()

    def end(self) -> None:
        """Publish what was made, and let others in.

        Raises: BusyError when another machine has published in the meantime; StoreError.
        """
        with _guard:
            use = _uses[self.root]
            use.times -= 1
            if use.times:
                if time.monotonic() - use.published > _OFTEN:
                    use.publish()
                return
            del _uses[self.root]
            try:
                use.publish()
            finally:
                use.close()

    def _begin(self) -> _Use:
        copy = self._copy()
        handle, signs = self._open("use.lock"), None
        try:
            if _lock_alone(handle):
                signs = _Signs(lease=copy.objects.lease(LEASE, _TTL))
                signs.begin()
                with self.in_turn():
                    copy.pull()
                fcntl.flock(handle, fcntl.LOCK_SH)
        except BaseException:
            if signs:
                signs.end()
            handle.close()
            raise
        return _Use(place=self, copy=copy, handle=handle, signs=signs)

    def deliver(self) -> int:
        """Put what was written into the drop zone here into that of the bucket; how many files that are."""
        with self.in_turn():
            return self._copy().deliver()

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """Be the only process of this machine that fetches or publishes."""
        with self._open("sync.lock") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _copy(self) -> WorkingCopy:
        self.root.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.root.mkdir(exist_ok=True, mode=0o700)
        return WorkingCopy(objects=open_bucket(self.address), root=self.root, note=self.root.parent / "known.json")

    def _open(self, name: str) -> BinaryIO:
        path = self.root.parent / name
        if not path.exists():
            create_file(path)
        return path.open("r+b")


def open_bucket(address: str) -> Objects:
    """The bucket of an address; it is not asked anything yet.

    Raises: SettingsError for an address or credentials that cannot be used, or where the client is not installed.
    """
    found = read_address(address)
    try:
        from mlpipe_assets.store.bucket import BucketObjects  # noqa: PLC0415 (an extra: a local lake does without it)
    except ImportError as error:
        raise SettingsError(
            "MLPIPE_DATA_DIR is in object storage, and its client is not installed. Next: pip install 'mlpipe-assets[objects]'"
        ) from error
    return BucketObjects(address=found)


def end_all() -> None:
    """End what this process still has begun, publishing it.

    Raises: as `BucketLake.end`.
    """
    for use in list(_uses.values()):
        use.times = 1
        use.place.end()


def _lock_alone(handle: BinaryIO) -> bool:
    """Be alone with the files, once nobody fetches them; False beside others of this machine that write, who have the lease."""
    while not _lock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB):
        if _lock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB):
            return False
        time.sleep(_TURN)
    return True


def _lock(handle: BinaryIO, how: int) -> bool:
    try:
        fcntl.flock(handle, how)
    except BlockingIOError:
        return False
    return True
