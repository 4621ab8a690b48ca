"""Leases: being the only one who may do something, on any store, for as long as one gives signs of life.

A lease alone protects nothing: its holder may be stopped, and go on after another took over. It keeps two writers from
doing the same work; what readers follow is protected by replacing it only where it is still what the writer had read,
and by `gen`, which grows with each holder: a writer that finds a higher one than its own has lost.
"""

import json
import os
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlpipe_assets.errors import BusyError
from mlpipe_assets.store.objects import ABSENT, Condition, ConflictError, MissingError, Objects, StoreError

_LONGEST_SLEEP = 1.0  # seconds
_PATIENCE = 1.2  # times to live without a sign of life after which a holder counts as gone
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_PIDS = Path("/proc/self/ns/pid")


@dataclass(kw_only=True)
class Lease:
    """What its holder has of a lease.

    Attributes:
        gen: Its number: one more than that of the holder before.
        ttl: Seconds after a renewal in which no other takes over.
    """

    objects: Objects
    key: str
    gen: int
    ttl: float
    _tag: str

    def renew(self) -> None:
        """Give a sign of life.

        Raises: ConflictError when another has taken over.
        """
        try:
            self._tag = self.objects.put(self.key, _spell(self.gen, self.ttl, held=True), self._tag)
        except ConflictError:
            there = _look(self.objects, self.key)
            if not _is_of_this_machine(there, self.gen):
                raise
            # This is an earlier sign of ours, whose answer was lost.
            self._tag = self.objects.put(self.key, _spell(self.gen, self.ttl, held=True), there.condition)

    def release(self) -> None:
        """Let the next one in at once. Where another has taken over, its lease stays."""
        try:
            self._tag = self.objects.put(self.key, _spell(self.gen, self.ttl, held=False), self._tag)
        except ConflictError:
            return


@dataclass(frozen=True, kw_only=True)
class _Known:
    """A lease as it is kept; by default one that nobody ever held."""

    condition: str | Condition = ABSENT
    gen: int = 0
    held: bool = False
    holder: dict[str, Any] = field(default_factory=dict)
    ttl: float = 0.0


def take_lease(
    objects: Objects,
    key: str,
    ttl: float,
    *,
    is_dead: Callable[[dict[str, Any]], bool] = lambda _: False,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Lease:
    """The lease of a key.

    A holder that gives no sign of life for somewhat longer than its time to live has lost it. The clocks of two machines
    are never compared: the waiter looks for a change, by a clock of its own.

    Args:
        objects: Where the lease is kept, as one small object.
        key: The key of that object.
        ttl: Seconds for which the lease holds without a renewal.
        is_dead: Whether a holder is known to be dead, so that nobody has to wait.
        clock: Seconds that only grow.
        sleep: How to wait.

    Raises: BusyError when a holder gave a sign of life while we waited.
    """
    known, since = _look(objects, key), clock()
    while known.held and not is_dead(known.holder) and clock() - since <= known.ttl * _PATIENCE:
        sleep(min(known.ttl / 10, _LONGEST_SLEEP))
        if (now := _look(objects, key)) != known:
            if now.held:
                raise _busy(objects, key, now)
            known = now
    try:
        tag = objects.put(key, _spell(known.gen + 1, ttl, held=True), known.condition)
    except ConflictError as error:  # another waiter was faster
        raise _busy(objects, key, _look(objects, key)) from error
    return Lease(objects=objects, key=key, gen=known.gen + 1, ttl=ttl, _tag=tag)


def continue_lease(objects: Objects, key: str, gen: int) -> Lease | None:
    """The lease of a number, held on by who knows that its holder has left it; None when it is another's, or free.

    Raises: StoreError.
    """
    known = _look(objects, key)
    if not _is_of_this_machine(known, gen):
        return None
    lease = Lease(objects=objects, key=key, gen=gen, ttl=known.ttl, _tag=f"{known.condition}")
    try:
        lease.renew()
    except ConflictError:  # another has just waited for long enough
        return None
    return lease


def identify_process() -> dict[str, str | int]:
    """This machine and process, and among which processes its number counts.

    A container has a name and numbers of its own, but the machine's boot.
    """
    try:
        boot, pids = _BOOT.read_text(encoding="utf-8").strip(), str(_PIDS.readlink())
    except OSError:
        boot, pids = "", ""
    return {"host": socket.gethostname(), "boot": boot, "pid": os.getpid(), "pids": pids}


def is_dead_process(holder: dict[str, Any]) -> bool:
    """Whether a holder was a process of this machine that lives no more; False where that cannot be seen from here."""
    here = identify_process()
    if not here["boot"] or any(holder.get(name) != here[name] for name in ("boot", "pids")):
        return False
    try:
        os.kill(int(holder["pid"]), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, LookupError, ValueError, TypeError):
        return False
    return False


def _look(objects: Objects, key: str) -> _Known:
    try:
        found = objects.get(key)
    except MissingError:
        return _Known()
    try:
        lease = json.loads(found.content)
        return _Known(
            condition=found.tag,
            gen=int(lease["gen"]),
            held=bool(lease["held"]),
            holder=dict(lease["holder"]),
            ttl=float(lease["ttl"]),
        )
    except (ValueError, LookupError, TypeError) as error:
        raise StoreError(
            f"{objects.locate(key)} is no lease. When no run is under way, delete it.", reason="it is no lease"
        ) from error


def _is_of_this_machine(known: _Known, gen: int) -> bool:
    """Whether a lease is held under a number by a process of this machine."""
    here = identify_process()
    mine = all(known.holder.get(name) == here[name] for name in ("host", "boot", "pids"))
    return known.held and known.gen == gen and mine


def _busy(objects: Objects, key: str, known: _Known) -> BusyError:
    return BusyError(
        f"{objects.locate(key)} is held by process {known.holder.get('pid')} on {known.holder.get('host')}. "
        "Nothing was changed here; run again when it has ended."
    )


def _spell(gen: int, ttl: float, *, held: bool) -> bytes:
    """A lease as it is kept; the nonce tells two writes of the same holder apart where a tag is made of the content."""
    lease = {"gen": gen, "held": held, "holder": identify_process(), "nonce": secrets.token_hex(8), "ttl": ttl}
    return json.dumps(lease, sort_keys=True).encode() + b"\n"
