"""What the stages ask of whoever does their work on partitions, and the threads of this process, which do it unless told otherwise."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from mlpipe_assets.concurrency import in_order

Item = TypeVar("Item")
Result = TypeVar("Result")


class Executor(Protocol):
    """Runs work on partitions.

    Work is a function at the top of a module that imports no Dagster. It gets one item and gives one result, both plain values
    that can be sent to another machine. It may write files under temporary names and nothing else: whoever called it makes
    them visible. What is wrong with an item is a result, too. It may be done twice, when the machine that did it was lost.
    """

    @property
    def name(self) -> str:
        """What people call it, without any secret of its address."""
        ...

    @property
    def is_here(self) -> bool:
        """Whether the work is done in this process."""
        ...

    def map(self, work: Callable[[Item], Result], items: Iterable[Item], at_once: int = 2) -> Iterator[Result]:
        """The result of each item, in the items' order; what the work raises is raised here.

        Args:
            work: What to do.
            items: Taken as they are needed, some of them ahead.
            at_once: Items that threads of this process work on at a time; a cluster knows its own number.

        Raises: ExecutorError when the cluster cannot do it, whatever the item.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Threads:
    """Threads of this process: nothing is sent, nothing is started."""

    name: str = "threads"
    is_here: bool = True

    def map(self, work: Callable[[Item], Result], items: Iterable[Item], at_once: int = 2) -> Iterator[Result]:
        """The result of each item, in their order; see `Executor`."""
        return in_order(work, items, at_once)


THREADS = Threads()
