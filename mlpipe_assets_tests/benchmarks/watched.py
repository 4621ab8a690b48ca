"""Families of processes while they work, looked at a few times a second: memory, seconds of processor, and bytes read."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psutil

_SECONDS = 0.25

Families = Mapping[str, Iterable[psutil.Process]]


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What a family used.

    Attributes:
        processor: Seconds, user and system.
        read: Bytes of files, whether a disk was asked for them or not; 0 where the system does not count them.
    """

    processor: float = 0.0
    read: int = 0


@dataclass(kw_only=True)
class Watched:
    """What was seen.

    Attributes:
        peaks: The largest resident memory of each family at one moment, in bytes.
    """

    peaks: dict[str, int] = field(default_factory=dict)
    _looks: list[tuple[float, dict[str, Spent]]] = field(default_factory=list)

    def between(self, begun: float, ended: float) -> dict[str, Spent]:
        """What each family used from one moment to another, both in seconds since 1970."""
        before, after = self._until(begun), self._until(ended)
        return {
            name: Spent(
                processor=spent.processor - before.get(name, Spent()).processor,
                read=spent.read - before.get(name, Spent()).read,
            )
            for name, spent in after.items()
        }

    def look(self, families: Families) -> None:
        """Look once at every process."""
        found: dict[str, Spent] = {}
        for name, processes in families.items():
            resident, read, processor = 0, 0, 0.0
            for process in processes:
                with suppress(psutil.NoSuchProcess):  # it ended just now
                    resident += process.memory_info().rss
                    processor += sum(process.cpu_times()[:4])  # with that of its children that ended
                    read += process.io_counters().read_chars if hasattr(process, "io_counters") else 0
            self.peaks[name] = max(resident, self.peaks.get(name, 0))
            found[name] = Spent(processor=processor, read=read)
        self._looks.append((time.time(), found))

    def _until(self, moment: float) -> dict[str, Spent]:
        """The most that each family had used by a moment: what it used is not seen any more when it has ended."""
        looks = [found for at, found in self._looks if at <= moment]
        return {
            name: Spent(
                processor=max((look[name].processor for look in looks if name in look), default=0.0),
                read=max((look[name].read for look in looks if name in look), default=0),
            )
            for name in self.peaks
        }


@contextmanager
def watching(families: Callable[[], Families]) -> Iterator[Watched]:
    """Look at the processes that there are, by name, until the end of the context."""
    found, ended = Watched(), threading.Event()

    def look() -> None:
        while not ended.wait(_SECONDS):
            with suppress(psutil.NoSuchProcess):
                found.look(families())

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()
