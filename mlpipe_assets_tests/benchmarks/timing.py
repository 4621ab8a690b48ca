"""Seconds of a call within this process."""

import time
from collections.abc import Callable
from typing import TypeVar

_Result = TypeVar("_Result")


def timed(call: Callable[[], _Result]) -> tuple[float, _Result]:
    """Wall seconds of a call, and what it returned."""
    began = time.perf_counter()
    result = call()
    return time.perf_counter() - began, result
