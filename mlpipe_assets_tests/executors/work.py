"""Work for executors to do: at the top of a module, so that they find it by its name."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from mlpipe_assets.errors import DamagedError


@dataclass(frozen=True, kw_only=True)
class Once:
    """A number, and a file that is there once somebody died over it."""

    number: int
    died: Path


def double(number: int) -> int:
    """Twice the number."""
    return 2 * number


def whose(_: int) -> int:
    """The process that does it, which takes a moment: all of it must not be done before another process has any."""
    time.sleep(0.05)
    return os.getpid()


def find_damage(number: int) -> int:
    """Fail over an odd number, as work on a damaged file does."""
    if number % 2:
        raise DamagedError(f"{number} is damaged", lost=[f"file-{number}"])
    return number


class SealedError(Exception):
    """An error that cannot be sent."""

    def __reduce__(self) -> Any:
        """Refuse."""
        raise TypeError("it stays here")


def fail_sealed(number: int) -> int:
    """Fail with an error that cannot be sent."""
    raise SealedError(f"number {number}")


def die_once(item: Once) -> int:
    """The number, but the first process that is asked for it is killed."""
    _die_once(item.died)
    return item.number


def die_always(_: int) -> int:
    """Kill whoever is asked for it."""
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


@dataclass(frozen=True, kw_only=True)
class Deadly:
    """Work on an item, and a file that is there once somebody died over it.

    Attributes:
        java: How many processes of Java above the one that works die: none, the executor, or the worker that started it.
    """

    work: Callable[[Any], Any]
    item: Any
    died: Path
    java: int = 0


def die_after(item: Deadly) -> object:
    """Do the work, and be killed the first time, when its files are written and nobody knows of them yet."""
    result: object = item.work(item.item)
    _die_once(item.died, item.java)
    return result


def _die_once(died: Path, java: int = 0) -> None:
    try:
        died.touch(exist_ok=False)
    except FileExistsError:
        return
    above = [process for process in psutil.Process().parents() if process.name() == "java"]
    os.kill(above[java - 1].pid if java else os.getpid(), signal.SIGKILL)
    time.sleep(30)  # until whoever ran us is missed
