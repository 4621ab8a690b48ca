"""Several processes with one store: on one machine's files, and on a server that each reaches by itself."""

import signal
from functools import partial
from pathlib import Path

import pytest

from mlpipe_assets.store.objects import Objects
from mlpipe_assets_tests.store.processes import exit_code, start
from mlpipe_assets_tests.store.stores import STORES

KEY = "meta/alerts.json"
SHARED = ["local", pytest.param("bucket", marks=pytest.mark.faults)]


@pytest.fixture(params=SHARED)
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    return STORES[request.param](tmp_path, partial(request.getfixturevalue, "server_of_objects"))


@pytest.fixture
def environ(request: pytest.FixtureRequest, objects: Objects) -> dict[str, str]:
    """What another process needs to know of the store."""
    found = request.getfixturevalue("server_of_objects").environ() if hasattr(objects, "address") else {}
    assert isinstance(found, dict)
    return found


def test_processes_that_count_together_lose_no_step(objects: Objects, environ: dict[str, str]) -> None:
    objects.put(KEY, b"0")
    count = """
steps = 0
while steps < 20:
    found = objects.get("meta/alerts.json")
    try:
        objects.put("meta/alerts.json", b"%d" % (int(found.content) + 1), found.tag)
        steps += 1
    except ConflictError:
        pass
"""

    processes = [start(objects, count, environ=environ) for _ in range(3)]

    assert [exit_code(process) for process in processes] == [0, 0, 0]
    assert objects.get(KEY).content == b"60"


@pytest.mark.parametrize("puts", range(5))
def test_a_publish_that_is_killed_at_any_put_is_seen_whole_or_not_at_all(
    objects: Objects, environ: dict[str, str], puts: int
) -> None:
    names = ["train", "validation", "test"]
    for name in names:
        objects.put(f"store/old-{name}", b"old")
    objects.put("meta/tables/m.json", b"old")
    publish = """
left = int(sys.argv[1])
def put(*arguments):
    global left
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    objects.put(*arguments)
manifest = objects.get("meta/tables/m.json")
for name in ("train", "validation", "test"):
    put("store/new-" + name, b"new")
put("meta/tables/m.json", b"new", manifest.tag)
"""

    process = start(objects, publish, f"{puts}", environ=environ)

    assert exit_code(process) == (0 if puts == 4 else -signal.SIGKILL)
    state = objects.get("meta/tables/m.json").content.decode()
    assert state == ("new" if puts == 4 else "old")
    assert {objects.get(f"store/{state}-{name}").content.decode() for name in names} == {state}


def test_a_stopped_holder_that_goes_on_after_another_took_over_changes_nothing(
    objects: Objects, environ: dict[str, str]
) -> None:
    objects.put("meta/tables/m.json", b"old")
    hold = """
lease = objects.lease("meta/leases/m.json", 1)
manifest = objects.get("meta/tables/m.json")
print(lease.gen, flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
try:
    objects.put("meta/tables/m.json", b"of the stopped one", manifest.tag)
except ConflictError:
    lease.release()
    sys.exit(3)
"""
    process = start(objects, hold, environ=environ)
    assert process.stdout is not None
    assert process.stdout.readline() == "1\n"

    second = objects.lease("meta/leases/m.json", 1)
    objects.put("meta/tables/m.json", b"of the second", objects.get("meta/tables/m.json").tag)
    process.send_signal(signal.SIGCONT)

    assert second.gen == 2
    assert exit_code(process) == 3
    assert objects.get("meta/tables/m.json").content == b"of the second"
    second.renew()
