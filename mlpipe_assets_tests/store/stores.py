"""Every implementation of `Objects`: a new one is one line here, and the suite runs on it. And work of several at once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from mlpipe_assets.store.local import LocalObjects
from mlpipe_assets.store.memory import MemoryObjects
from mlpipe_assets.store.objects import Objects

T = TypeVar("T")
STORES: dict[str, Callable[[Path], Objects]] = {
    "local": lambda folder: LocalObjects(folder / "lake"),
    "memory": lambda _: MemoryObjects(),
}


def side_by_side(work: Callable[[int], T], times: int) -> list[T]:
    """The results of some work done in as many threads, which begin at the same moment."""
    barrier = threading.Barrier(times)

    def one(number: int) -> T:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(one, range(times)))
