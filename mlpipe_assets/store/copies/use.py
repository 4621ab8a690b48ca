"""A lake in a bucket while this machine uses it: fetched when a use begins, published when one that writes ends.

One machine at a time writes: it holds a lease, which its processes share. The lease saves work; what protects the lake is
that the root of the bucket is only replaced where it is still what was fetched. A process that is killed leaves the bucket
as it was, and what it left on this machine's disk goes with the next fetch.
"""

import fcntl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from mlpipe_assets.errors import SettingsError
from mlpipe_assets.settings import cache_bound
from mlpipe_assets.store import keys
from mlpipe_assets.store.branches import share_drop_zone
from mlpipe_assets.store.bucket.address import read_address
from mlpipe_assets.store.copies.elsewhere import mark
from mlpipe_assets.store.copies.garbage import SAFE, Garbage, find_garbage, remove_garbage
from mlpipe_assets.store.copies.inventory import LEASE, branches_of, of_branch
from mlpipe_assets.store.copies.known_files import NOTE, beside, load_known
from mlpipe_assets.store.copies.machine_lease import MachineLease, held_lease
from mlpipe_assets.store.copies.of_main import OfMain
from mlpipe_assets.store.copies.working import WorkingCopy
from mlpipe_assets.store.local import LocalObjects
from mlpipe_assets.store.objects import Objects
from mlpipe_assets.store.pins import named_digests
from mlpipe_assets.store.private_files import create_file

_OFTEN = 30.0  # seconds between two times that a long run publishes what it has so far
_TURN = 0.1


@dataclass(kw_only=True)
class Use:
    """What a process that writes has of a lake."""

    place: "BucketLake"
    copy: WorkingCopy
    handle: BinaryIO
    lease: MachineLease
    published: float = field(default_factory=time.monotonic)
    times: int = 1

    def publish(self) -> None:
        """Publish what was made so far. Raises: as `BucketLake.end`."""
        with self.place.in_turn():
            self.lease.expect_held()
            self.copy.push(self.lease.gen)
        self.published = time.monotonic()

    def close(self) -> None:
        """Let others in; the lease goes before the lock, so that who has the lock finds it free."""
        self.lease.end(last=_lock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB))
        self.handle.close()


_uses: dict[Path, Use] = {}
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

    def fetch(self, *, deliveries: bool = True) -> None:
        """Make the files on this machine what the bucket says, unless a process here is writing: then they are its own.

        Args:
            deliveries: Whether the drop zone is looked at too; who only reads tables does without.

        Raises: SettingsError; StoreError.
        """
        if self.branch:
            self.main.fetch(deliveries=deliveries)
        copy = self.open_copy()
        with self._open("use.lock") as handle:
            if _lock_alone(handle):
                self._pull(copy, deliveries=deliveries)

    @property
    def outbox(self) -> Path:
        """A folder beside the copy, for files that wait to be delivered."""
        return beside(self.root) / "outbox"

    def begin(self) -> None:
        """Begin to write: fetch, and keep other machines out until `end`. A process may begin several times.

        Raises: BusyError when another machine writes; SettingsError; StoreError.
        """
        with _guard:
            if use := _uses.get(self.root):
                use.times += 1
            else:
                _uses[self.root] = self._begin()

    @property
    def use(self) -> Use:
        """What this process has between `begin` and `end`."""
        return _uses[self.root]

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

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write until the block ends, and publish what was made then, however it ends. Raises: as `begin` and `end`."""
        self.begin()
        try:
            yield
        finally:
            self.end()

    def _begin(self) -> Use:
        if self.branch:
            self.main.fetch()
        copy = self.open_copy()
        handle, number = self._open("use.lock"), self._open("lease.lock")
        lease = MachineLease(objects=copy.objects, where=self.address, handle=number, key=of_branch(LEASE, self.branch))
        use = Use(place=self, copy=copy, handle=handle, lease=lease)
        try:
            alone = _lock_alone(handle)
            lease.begin(alone=alone)
            if alone and lease.is_ours:
                self._pull(copy)
            fcntl.flock(handle, fcntl.LOCK_SH)
        except BaseException:
            use.close()
            raise
        return use

    def deliver(self) -> int:
        """Put what was written into the drop zone here into that of the bucket; how many files that are."""
        with self.in_turn():
            return self.open_copy().deliver()

    def collect(self, *, remove: bool, safe: float = SAFE) -> Garbage:
        """Find contents of the bucket that nothing names any more, and take away what may go; of main, between `begin` and `end`.

        Args:
            remove: Take it away, and put the rest on record; else nothing is changed.
            safe: Seconds for which an object stays that nothing names any more.

        Raises: BusyError beside another process of this machine that writes, or while a branch is written, and when another machine
            took over or has published; LakeError when a tag or a manifest cannot be read; DamagedError when what the lake needs is
            gone; StoreError.
        """
        use, objects = _uses[self.root], _uses[self.root].copy.objects
        with self.in_turn(), ExitStack() as held:
            use.lease.expect_ours()
            branches = branches_of(objects)
            leases = [held.enter_context(held_lease(objects, of_branch(LEASE, branch))) for branch in branches]

            def expect_held() -> None:
                for expect in (use.lease.expect_ours, *leases):
                    expect()

            known = [load_known(beside(copy.root) / NOTE) for copy in (self, *map(self.of, branches))]
            named = named_digests(LocalObjects(self.root))
            garbage = find_garbage(use.copy.downloads, known, named, safe, branches)
            if remove:
                remove_garbage(objects, garbage, expect_held)
        return garbage

    @property
    def branch(self) -> str:
        """The branch that this is; empty for main."""
        return self.root.name if self.root.parent.name == keys.BRANCHES else ""

    @property
    def main(self) -> "BucketLake":
        """The lake that a branch began from."""
        return replace(self, root=self.root.parent.parent) if self.branch else self

    @property
    def objects(self) -> Objects:
        """The bucket. Raises: SettingsError."""
        return open_bucket(self.address)

    def of(self, branch: str) -> "BucketLake":
        """A branch of it."""
        return replace(self, root=self.root / keys.BRANCHES / branch)

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """Be the only process of this machine that fetches or publishes."""
        with self._open("sync.lock") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def open_copy(self) -> WorkingCopy:
        """Its files on this machine, as they were left. Raises: SettingsError."""
        notes = beside(self.root)
        for folder in (notes, self.root):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        bound = cache_bound()
        if bound is not None:
            mark(self.root, self.address)
        of_main = OfMain(root=self.main.root) if self.branch else None
        return WorkingCopy(
            objects=self.objects, root=self.root, note=notes / NOTE, bound=bound, branch=self.branch, main=of_main
        )

    def _pull(self, copy: WorkingCopy, *, deliveries: bool = True) -> None:
        with self.in_turn():
            copy.pull(deliveries=deliveries)
            if self.branch:
                share_drop_zone(self.main.root, self.root)
        if copy.bound is None:  # all of it is here now
            mark(self.root, None)

    def _open(self, name: str) -> BinaryIO:
        path = beside(self.root) / name
        if not path.exists():
            create_file(path)
        return path.open("r+b")


def open_bucket(address: str, said_in: str = "MLPIPE_DATA_DIR") -> Objects:
    """The bucket of an address, which `said_in` names; it is not asked anything yet.

    Raises: SettingsError for an address or credentials that cannot be used, or where the client is not installed.
    """
    found = read_address(address, said_in=said_in)
    try:
        from mlpipe_assets.store.bucket.objects import BucketObjects  # noqa: PLC0415 (an extra: a local lake does without it)
    except ImportError as error:
        raise SettingsError(
            f"{said_in} is in object storage, and its client is not installed. Next: pip install 'mlpipe-assets[objects]'"
        ) from error
    return BucketObjects(address=found)


def leave(place: BucketLake) -> Use:
    """End what was begun without publishing it; who calls this closes it."""
    with _guard:
        return _uses.pop(place.root)


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
