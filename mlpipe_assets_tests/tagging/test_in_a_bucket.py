"""Tags of a lake in a bucket of a real server, from two machines."""

import json

import pytest

from mlpipe_assets_tests.commands.test_lake_in_a_bucket import World, world  # noqa: F401 (a fixture)
from mlpipe_assets_tests.lake_machines import Machine

pytestmark = pytest.mark.long
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
    assert "mlpipe gc works on a lake in a folder" in first.mlpipe("gc", code=2)
