"""Side by side, in order."""

import threading
import time

import pytest

from mlpipe_assets.concurrency import in_order


def test_results_come_in_the_order_of_the_items_whichever_ends_first() -> None:
    def slow_first(item: int) -> int:
        time.sleep(0.02 if item == 0 else 0)
        return item * item

    assert list(in_order(slow_first, range(5), at_once=3)) == [0, 1, 4, 9, 16]


def test_no_more_than_the_bound_are_under_way_or_waiting() -> None:
    started: list[int] = []

    def work(item: int) -> int:
        started.append(item)
        return item

    results = in_order(work, range(10), at_once=2)

    assert next(results) == 0
    assert len(started) <= 3
    assert list(results) == list(range(1, 10))


def test_an_error_comes_out_where_its_result_would_have() -> None:
    ended = threading.Event()

    def work(item: int) -> int:
        if item == 1:
            raise ValueError("one")
        ended.set()
        return item

    results = in_order(work, range(4))

    assert next(results) == 0
    with pytest.raises(ValueError, match="one"):
        next(results)
    assert ended.is_set()
