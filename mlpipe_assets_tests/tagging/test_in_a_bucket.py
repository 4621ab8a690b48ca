"""Tags of a lake in a bucket of a real server, from two machines."""

import json
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mlpipe_assets.store import keys
from mlpipe_assets.store.copies.inventory import content
from mlpipe_assets_tests.commands.test_lake_in_a_bucket import World, world  # noqa: F401 (a fixture)
from mlpipe_assets_tests.lake_machines import Machine

pytestmark = pytest.mark.long
COLLECT = """
from mlpipe_assets.settings import read_settings
from mlpipe_assets.store.copies.use import BucketLake
settings = read_settings()
place = BucketLake(address=settings.lake_address, root=settings.data_dir)
with place.writing():
    found = place.collect(remove=True, safe=0.0)
print(len(found.may_go), found.named)
"""  # as mlpipe gc does a day later
ADDED_TO = (".store", "raw", "validation/quarantine")  # what files brought stays


def counted(machine: Machine, *tag: str) -> int:
    """How many orders there are, as a machine reads it."""
    (row,) = json.loads(machine.mlpipe("sql", "select count(*) as n from stg.orders", "--json", *tag))
    return int(row["n"])


def test_a_tag_made_on_one_machine_is_read_and_checked_out_on_another(world: World) -> None:  # noqa: F811
    first, second = world.machine("a", "tagged"), world.machine("b", "tagged")
    world.copy_to_bucket("tagged")
    then = counted(first)
    assert "none of it copied" in first.mlpipe("tag", "v1")
    before = first.tables()
    world.deliver("tagged", newest=True)
    second.mlpipe("run", "-q")
    now = counted(second)
    assert (now > then, counted(second, "--tag", "v1"), counted(first, "--tag", "v1")) == (True, then, then)

    second.mlpipe("checkout", "v1")

    assert (counted(first), counted(second)) == (then, then)
    assert "held at tag v1" in first.mlpipe("status")
    faces = {path: digest for path, digest in before.items() if "date=" in path and not path.startswith(ADDED_TO)}
    assert {path: digest for path, digest in first.tables().items() if path in faces} == faces
    first.mlpipe("checkout", "now")
    assert counted(second) == now


def test_gc_leaves_what_is_named_whenever_it_is_killed_and_needs_few_requests(world: World) -> None:  # noqa: F811
    first, second, new = world.machine("a", "gc"), world.machine("b", "gc"), world.machine("c", "gc")
    world.copy_to_bucket("gc")
    then = counted(first)
    first.mlpipe("tag", "v1")
    world.deliver("gc", newest=True)
    second.mlpipe("run", "-q")
    now, bucket = counted(second), world.bucket("gc")
    bucket.put(content("ab" * 32), b"of a killed writer")
    size = len(bucket.list(keys.CONTENTS))

    told = json.loads(first.mlpipe("gc", "--json"))["bucket"]
    assert (told["contents"], told["waiting"] > 10, told["waiting"] + told["named"]) == (0, True, size)
    assert f"Kept there for a day for those who still read: {told['waiting']} objects" in first.mlpipe(
        "gc", "--dry-run"
    )
    for requests in (5, 9, 11, 13):
        world.requests()
        process = first.command("-c", COLLECT, program=Path(sys.executable))
        while world.proxy.count() < requests and process.poll() is None:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
    world.requests()
    said = first.python(COLLECT)

    assert world.requests() <= 25
    assert said.split()[1] == f"{told['named']}", said
    assert len(bucket.list(keys.CONTENTS)) == told["named"]
    assert (counted(new), counted(new, "--tag", "v1")) == (now, then)
    assert new.tables() == second.tables()
    assert "Nothing new to build." in new.mlpipe("run")
    new.mlpipe("verify")


def test_a_branch_is_made_on_one_machine_run_on_another_and_promoted_by_a_third(world: World) -> None:  # noqa: F811
    first, second, third = world.machine("a", "branch"), world.machine("b", "branch"), world.machine("c", "branch")
    world.copy_to_bucket("branch")
    then, bucket = counted(first), world.bucket("branch")
    before = {head.key: head.size for head in bucket.list(keys.CONTENTS)}
    world.proxy.seen.clear()

    assert "Next: MLPIPE_BRANCH=try-x mlpipe run" in first.mlpipe("branch", "try-x")

    added = {head.key: head.size for head in bucket.list(keys.CONTENTS) if head.key not in before}
    assert sum(added.values()) < sum(before.values()) / 3  # records alone
    assert not [key for key in added if bucket.get(key).content.startswith(b"PAR1")]
    world.deliver("branch", newest=True)
    branch = replace(second, environ={**second.environ, "MLPIPE_BRANCH": "try-x"})
    branch.mlpipe("run", "-q")
    now = counted(branch)
    assert (now > then, counted(second), counted(first)) == (True, then, then)
    first.mlpipe("gc")
    assert "interim/orders" in first.mlpipe("diff", "main", "try-x")
    assert "has what was not promoted" in third.mlpipe("drop", "try-x", code=2)
    assert "Branch try-x is promoted" in third.mlpipe("promote", "try-x")
    assert (counted(first), counted(second), counted(branch)) == (now, now, now)
    third.mlpipe("drop", "try-x")
    first.python(COLLECT)
    assert counted(world.machine("d", "branch")) == now
    assert "There is no branch" in branch.mlpipe("status", code=2)
