"""Leases on every store, with clocks that are set by hand."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from mlpipe_assets.errors import BusyError
from mlpipe_assets.store.leases import Lease, continue_lease, identify_process, is_dead_process, take_lease
from mlpipe_assets.store.objects import ConflictError, Objects, StoreError

KEY = "meta/leases/interim.orders.json"
MANIFEST = "meta/tables/interim.orders.json"


@dataclass(kw_only=True)
class Clock:
    """A machine's own clock: it only moves when somebody sleeps, and begins wherever it likes."""

    now: float
    each_time: Callable[[], None] = lambda: None

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.each_time()


def take(objects: Objects, clock: Clock) -> Lease:
    return take_lease(objects, KEY, 10, clock=lambda: clock.now, sleep=clock.sleep)


def test_a_lease_that_was_released_is_taken_at_once_and_counts_its_holders(objects: Objects) -> None:
    clock = Clock(now=0)
    first = take(objects, clock)
    first.release()

    second = take(objects, clock)

    assert (first.gen, second.gen) == (1, 2)
    assert clock.now == 0


@pytest.mark.parametrize("begin", [0.0, 3600.0, -3600.0])
def test_a_holder_without_a_sign_of_life_loses_the_lease_after_its_time_and_not_before(
    objects: Objects, begin: float
) -> None:
    take(objects, Clock(now=0))
    waiter = Clock(now=begin)

    second = take(objects, waiter)

    assert second.gen == 2
    assert 12 < waiter.now - begin <= 13.1


def test_a_holder_that_gives_signs_of_life_keeps_the_lease(objects: Objects) -> None:
    holder = take(objects, Clock(now=0))

    with pytest.raises(BusyError, match=rf"is held by process \d+ on {identify_process()['host']}\."):
        take(objects, Clock(now=0, each_time=holder.renew))

    holder.renew()


def test_a_store_hands_out_leases_of_each_key(objects: Objects) -> None:
    orders, customers = objects.lease(KEY, 10), objects.lease("meta/leases/interim.customers.json", 10)

    assert (orders.gen, customers.gen, orders.ttl) == (1, 1, 10)


def test_a_lease_that_is_released_while_one_waits_is_taken_then(objects: Objects) -> None:
    holder = take(objects, Clock(now=0))
    waiter = Clock(now=0, each_time=holder.release)

    assert take(objects, waiter).gen == 2
    assert waiter.now < 2


def test_who_lost_a_lease_cannot_renew_it_and_releasing_it_leaves_that_of_the_next(objects: Objects) -> None:
    stopped = take(objects, Clock(now=0))
    present = take(objects, Clock(now=0))

    with pytest.raises(ConflictError):
        stopped.renew()
    stopped.release()

    present.renew()
    with pytest.raises(BusyError):
        take(objects, Clock(now=0, each_time=present.renew))


def test_a_stopped_holder_that_goes_on_after_another_took_over_cannot_publish(objects: Objects) -> None:
    read = objects.put(MANIFEST, b"old")
    take(objects, Clock(now=0))  # and its holder is stopped here
    second = take(objects, Clock(now=0))
    objects.put(MANIFEST, b"of the second", objects.get(MANIFEST).tag)
    second.release()

    with pytest.raises(ConflictError):
        objects.put(MANIFEST, b"of the stopped one", read)

    assert objects.get(MANIFEST).content == b"of the second"


def test_of_two_waiters_one_takes_over(objects: Objects) -> None:
    take(objects, Clock(now=0))
    others: list[Lease] = []

    def faster() -> None:
        if not others:
            others.append(take(objects, Clock(now=0)))

    with pytest.raises(BusyError):
        take(objects, Clock(now=0, each_time=faster))

    assert [lease.gen for lease in others] == [2]


def test_a_holder_whose_process_has_ended_is_not_waited_for(objects: Objects) -> None:
    clock = Clock(now=0)
    take(objects, clock)

    lease = take_lease(objects, KEY, 10, clock=lambda: clock.now, sleep=clock.sleep, is_dead=lambda _: True)

    assert lease.gen == 2
    assert clock.now == 0


def test_only_a_process_of_this_machine_that_is_gone_is_known_to_be_dead() -> None:
    here = identify_process()
    assert not is_dead_process(here)
    assert is_dead_process({**here, "pid": 2**22 + 1})
    assert not is_dead_process({**here, "pid": 2**22 + 1, "boot": "another machine"})
    assert not is_dead_process({**here, "pid": 2**22 + 1, "pids": "another container"})
    assert not is_dead_process({})


def test_a_sign_of_life_whose_answer_was_lost_is_no_other_holder(objects: Objects) -> None:
    lease = take(objects, Clock(now=0))
    behind = replace(lease)
    lease.renew()  # as one that came through unnoticed

    behind.renew()

    other = json.loads(objects.get(lease.key).content)
    other["holder"]["host"] = "another"  # somebody deleted the lease, and numbers begin again
    objects.put(lease.key, json.dumps(other).encode())
    with pytest.raises(ConflictError):
        behind.renew()


def test_a_lease_that_its_holder_left_is_continued_by_its_machine_under_its_number(objects: Objects) -> None:
    lease = take(objects, Clock(now=0))

    assert continue_lease(objects, lease.key, lease.gen + 1) is None
    continued = continue_lease(objects, lease.key, lease.gen)
    assert continued is not None
    assert continued.gen == lease.gen
    continued.release()
    assert continue_lease(objects, lease.key, lease.gen) is None


def test_what_is_no_lease_is_reported_and_not_taken(objects: Objects) -> None:
    objects.put(KEY, b"{}")

    with pytest.raises(StoreError, match=r"is no lease\. When no run is under way, delete it\."):
        take(objects, Clock(now=0))
