"""The lease of a machine on a lake in a bucket: one of its processes holds and renews it, and when that ends another goes on.

A file beside the working copy says which number the lease of this machine has. Its lock belongs to the process that gives
the signs of life; the kernel lets go of it however that process ends, so another one that writes here takes the lease over
within a second, and no other machine comes in between.
"""

import fcntl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import BinaryIO

from mlpipe_assets.errors import BusyError
from mlpipe_assets.store.copies.inventory import LEASE
from mlpipe_assets.store.leases import Lease, continue_lease
from mlpipe_assets.store.objects import ConflictError, Objects, StoreError

TTL = 60.0  # seconds for which a writer that gives no sign of life keeps others waiting
_SIGNS = 3  # of life in that time
_LOOK = 1.0  # seconds between two looks whether the process that has the lease has ended


@dataclass(kw_only=True)
class MachineLease:
    """What one process has of the lease of its machine.

    Attributes:
        where: The address of the lake, for messages.
        handle: The file of the number, open to be locked.
        key: Where the lease is; that of a branch is its own.
    """

    objects: Objects
    where: str
    handle: BinaryIO
    key: str = LEASE
    _lease: Lease | None = None
    _lost: bool = False
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _ended: threading.Event = field(default_factory=threading.Event)

    @property
    def is_ours(self) -> bool:
        """Whether this process gives the signs of life."""
        return self._lease is not None

    @property
    def gen(self) -> int:
        """The number of the lease of this machine; 0 where it never had one."""
        self.handle.seek(0)
        try:
            return int(self.handle.read(32) or 0)
        except ValueError:  # a power cut
            return 0

    def begin(self, *, alone: bool) -> None:
        """Take the lease when no other process of this machine writes, and see to it that it is held until `end`.

        Raises: BusyError when another machine has it; StoreError.
        """
        if alone:
            self._take()
        threading.Thread(target=self._live, daemon=True).start()

    def expect_held(self) -> None:
        """Make sure that no other machine has taken over. Raises: BusyError; StoreError."""
        try:
            with self._guard:
                if self._lease is None and not self._lost:
                    self._take()
                if self._lease:
                    self._lease.renew()
        except ConflictError:
            self._lost = True
        if self._lost:
            raise BusyError(
                f"{self.where}: another machine took this lake over while this one was stopped. Nothing more is published; run again."
            )

    def expect_ours(self) -> None:
        """The same, and that it is this process which gives the signs of life. Raises: BusyError; StoreError."""
        self.expect_held()
        if not self.is_ours:
            raise BusyError(
                f"{self.where}: another process of this machine writes to the lake. Run again when it has ended."
            )

    def end(self, *, last: bool) -> None:
        """Let others in.

        Args:
            last: Whether no other process of this machine writes: else the lease is left to that.
        """
        self._ended.set()
        with self._guard:
            if self._lease and last:
                with suppress(StoreError):  # then it expires
                    self._lease.release()
            self.handle.close()

    def _live(self) -> None:
        while not self._ended.wait(self._lease.ttl / _SIGNS if self._lease else _LOOK):
            try:
                with self._guard:
                    if self._ended.is_set():
                        return
                    if self._lease:
                        self._lease.renew()
                    else:
                        self._take()
            except (ConflictError, BusyError):
                self._lost = True
                return
            except StoreError:  # the next one may get through; publishing asks again
                continue

    def _take(self) -> None:
        """Hold the lease, or leave it to the process of this machine that holds it.

        Raises: BusyError when another machine has it; StoreError.
        """
        try:
            fcntl.flock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        try:
            self._lease = continue_lease(self.objects, self.key, self.gen) or self.objects.lease(self.key, TTL)
        except BaseException:
            fcntl.flock(self.handle, fcntl.LOCK_UN)
            raise
        self.handle.seek(0)
        self.handle.write(b"%d\n" % self._lease.gen)  # numbers only grow, so what was there is overwritten
        self.handle.flush()


@contextmanager
def held_lease(objects: Objects, key: str) -> Iterator[Callable[[], None]]:
    """Hold a lease for a moment; gives what renews it.

    Raises: BusyError when somebody holds it; when renewed, that another took over. StoreError.
    """
    lease = objects.lease(key, TTL)

    def expect_held() -> None:
        try:
            lease.renew()
        except ConflictError as error:
            raise BusyError(
                f"{objects.locate(key)}: another machine took over while this one was stopped. Run again."
            ) from error

    try:
        yield expect_held
    finally:
        with suppress(StoreError):  # then it expires
            lease.release()
