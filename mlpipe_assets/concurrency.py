"""Independent pieces of work side by side, their results in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_order(work: Callable[[_Item], _Result], items: Iterable[_Item], at_once: int = 2) -> Iterator[_Result]:
    """Results of `work` for each item, in the items' order, at most `at_once` of them under way or waiting.

    For work that polars or DuckDB do outside Python's lock: one piece seldom keeps every core busy, and the bound keeps
    memory at `at_once` pieces. The first error ends it, after what is under way. One at once needs no thread: to start one
    takes longer than a small piece of work.
    """
    if at_once == 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(at_once) as threads:
        waiting: deque[Future[_Result]] = deque()
        for item in items:
            if len(waiting) >= at_once:
                yield waiting.popleft().result()
            waiting.append(threads.submit(work, item))
        while waiting:
            yield waiting.popleft().result()
