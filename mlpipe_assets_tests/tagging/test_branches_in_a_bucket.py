"""Branches of a lake in a bucket: made without sending a content, seen by every machine, and never robbed by `mlpipe gc`."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mlpipe_assets.errors import BusyError, SettingsError
from mlpipe_assets.store import keys
from mlpipe_assets.store.copies import use as lake_use
from mlpipe_assets.store.copies.bucket_branches import (
    drop_bucket_branch,
    names_of_branches,
    publish_branch,
    share_contents,
)
from mlpipe_assets.store.copies.inventory import LEASE, ROOT, of_branch
from mlpipe_assets.store.copies.known_files import beside
from mlpipe_assets.store.copies.use import BucketLake
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.tagging.branching import find_changes, make_branch
from mlpipe_assets.tagging.collecting import collect
from mlpipe_assets.tagging.promoting import promote
from mlpipe_assets_tests.dagster_homes import quiet_home
from mlpipe_assets_tests.frames import JAN_5, JAN_6, JAN_7
from mlpipe_assets_tests.store.clocked import ClockedBucket, Death
from mlpipe_assets_tests.tagging.lakes import CATALOG, NOON, Said, held, hours_later, publish, shown, tag

ADDRESS = "s3://lake/shop"
Machine = Callable[[str], BucketLake]
BEGUN = {JAN_5: 1, JAN_6: 2}


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[ClockedBucket]:
    """A bucket that every address leads to."""
    found = ClockedBucket(clock=lambda: time.time())  # noqa: PLW0108 (the clock is moved by a patch)
    monkeypatch.setattr(lake_use, "open_bucket", lambda _: found)
    yield found
    lake_use._uses.clear()


@pytest.fixture
def machine(bucket: ClockedBucket, tmp_path: Path) -> Machine:
    """The lake as a machine of a name has it; two days are there, and a delivery."""
    bucket.put("raw/orders/a.csv", b"order_id\n")

    def make(name: str) -> BucketLake:
        return BucketLake(address=ADDRESS, root=tmp_path / name / "lake" / "data")

    with make("first").writing():
        lake = Lake(data_dir=f"{make('first').root}")
        for key in (f"{keys.DELIVERIES}/orders/1.json", "meta/champions/m.json", "models/m/1/card.md"):
            lake.objects.put(key, b"{}")
        publish(lake, BEGUN)
    return make


def lake_of(place: BucketLake) -> Lake:
    return Lake(data_dir=f"{place.root}")


def begin(place: BucketLake, name: str = "try-x") -> None:
    """What `mlpipe branch` does."""
    with place.writing():
        make_branch(lake_of(place), CATALOG, name, now=NOON)
        publish_branch(place, name)


def fetched(place: BucketLake) -> Lake:
    place.fetch()
    return lake_of(place)


def contents_of(bucket: ClockedBucket) -> dict[str, bytes]:
    """Every table's file that is in the bucket."""
    return {
        head.key: found for head in bucket.list(keys.CONTENTS) if (found := bucket.get(head.key).content)[:4] == b"PAR1"
    }


def test_a_branch_begins_without_a_content_that_is_sent(bucket: ClockedBucket, machine: Machine) -> None:
    before = contents_of(bucket)
    bucket.asked.clear()

    begin(machine("a"))

    assert contents_of(bucket) == before
    sent = [request for request in bucket.asked if request.startswith(f"put {keys.CONTENTS}/")]
    assert len(sent) <= 8  # the record of the branch, manifests, and their pages
    assert names_of_branches(machine("a")) == ["try-x"]
    assert find_changes(lake_of(machine("a").of("try-x"))).spell() == []


def test_another_machine_has_the_branch_with_main_and_fetches_nothing_twice(
    bucket: ClockedBucket, machine: Machine
) -> None:
    begin(machine("a"))
    machine("b").fetch()
    bucket.asked.clear()

    place = machine("b").of("try-x")
    branch = fetched(place)

    assert (held(branch), shown(branch)) == (BEGUN, BEGUN)
    assert (
        len([request for request in bucket.asked if request.startswith("get .store/")]) <= 12
    )  # pages, small documents
    (content,) = (place.root / keys.CONTENTS / "interim/orders").glob(f"date={JAN_5}/*")
    assert content.samefile(place.main.root / content.relative_to(place.root))
    assert (place.root / "raw/orders/a.csv").read_bytes() == b"order_id\n"
    assert place.main.root.parent != beside(place.root)


def test_what_is_done_in_a_branch_changes_no_byte_of_main_and_is_seen_elsewhere(
    bucket: ClockedBucket, machine: Machine
) -> None:
    begin(machine("a"))
    root = bucket.get(ROOT)
    with machine("b").of("try-x").writing():
        publish(lake_of(machine("b").of("try-x")), {JAN_5: 10, JAN_7: 3})

    assert bucket.get(ROOT) == root
    assert held(fetched(machine("a"))) == held(fetched(machine("c"))) == BEGUN
    assert held(fetched(machine("c").of("try-x"))) == BEGUN | {JAN_5: 10, JAN_7: 3}


def test_main_is_written_while_a_branch_is(machine: Machine) -> None:
    begin(machine("a"))
    with machine("a").of("try-x").writing(), machine("b").writing():
        publish(lake_of(machine("a").of("try-x")), {JAN_5: 10})
        publish(lake_of(machine("b")), {JAN_7: 3})

    assert held(fetched(machine("c").of("try-x"))) == BEGUN | {JAN_5: 10}
    assert held(fetched(machine("c"))) == BEGUN | {JAN_7: 3}


def test_gc_never_takes_what_only_a_branch_names_and_takes_it_when_that_is_dropped(
    bucket: ClockedBucket, machine: Machine
) -> None:
    begin(machine("a"))
    with machine("a").of("try-x").writing():
        publish(lake_of(machine("a").of("try-x")), {JAN_7: 3})
    with machine("a").writing():
        publish(lake_of(machine("a")), {JAN_5: 100})
    for hours in (30, 60, 90):
        with hours_later(hours), machine("b").writing():
            list_unnamed(machine("b"))

    with hours_later(100):
        assert held(fetched(machine("new").of("try-x"))) == BEGUN | {JAN_7: 3}
        place, size = machine("b").of("try-x"), len(contents_of(bucket))
        place.begin()
        drop_bucket_branch(place)
        assert names_of_branches(machine("b")) == []
        assert not place.root.exists()
    for hours in (130, 160):
        with hours_later(hours), machine("b").writing():
            list_unnamed(machine("b"))
    assert len(contents_of(bucket)) == size - 2
    with hours_later(170):
        assert held(fetched(machine("newer"))) == BEGUN | {JAN_5: 100}
        with pytest.raises(SettingsError, match="There is no branch 'try-x' of "):
            machine("newer").of("try-x").fetch()


def list_unnamed(place: BucketLake) -> None:
    """What `mlpipe gc` does."""
    list(collect(lake_of(place), time.time(), remove=True))
    place.collect(remove=True)


def test_while_a_branch_is_written_elsewhere_the_bucket_is_left(
    bucket: ClockedBucket, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(machine("a"))

    def busy(key: str, ttl: float) -> object:
        raise BusyError(f"{key} is held by process 7 on elsewhere.")

    with machine("b").writing():
        monkeypatch.setattr(bucket, "lease", busy)
        with hours_later(30), pytest.raises(BusyError, match=r"branches/try-x/meta/lease\.json is held"):
            machine("b").collect(remove=True)
        monkeypatch.undo()
        monkeypatch.setattr(lake_use, "open_bucket", lambda _: bucket)


def test_a_branch_is_whole_or_not_there_whenever_it_is_killed_while_it_is_made(
    bucket: ClockedBucket, machine: Machine
) -> None:
    place, made = machine("a"), False
    for requests in range(40):
        with place.writing():
            make_branch(lake_of(place), CATALOG, f"try-{requests}", now=NOON)
            bucket.left = requests
            with suppress(Death):
                publish_branch(place, f"try-{requests}")
                made = True
            bucket.left = 10**9
        there = f"try-{requests}" in names_of_branches(machine("b"))
        assert there == made
        assert held(fetched(machine("b"))) == BEGUN
        if made:
            break
    assert requests > 3
    assert held(fetched(machine("b").of(f"try-{requests}"))) == BEGUN


def test_a_copy_with_a_bound_has_a_branch_whose_days_come_when_they_are_read(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(machine("a"))
    monkeypatch.setenv("MLPIPE_CACHE_SIZE", "1KB")
    with machine("a").of("try-x").writing():
        publish(lake_of(machine("a").of("try-x")), {JAN_7: 3})

    branch = fetched(machine("b").of("try-x"))

    assert not list((branch.root / keys.CONTENTS).rglob("*.parquet"))
    assert held(branch) == BEGUN | {JAN_7: 3}
    assert len(list((branch.root / keys.CONTENTS).rglob("*.parquet"))) == 3
    with machine("b").of("try-x").writing():
        publish(branch, {JAN_5: 10})
    begin(machine("c"), "other")  # what it takes is fetched
    monkeypatch.delenv("MLPIPE_CACHE_SIZE")
    assert held(fetched(machine("new").of("try-x"))) == BEGUN | {JAN_5: 10, JAN_7: 3}
    assert held(fetched(machine("new").of("other"))) == held(fetched(machine("new"))) == BEGUN


def test_a_promotion_that_is_killed_at_any_request_is_done_or_not_and_can_be_done_again(
    bucket: ClockedBucket, machine: Machine
) -> None:
    begin(machine("a"))
    with machine("a").of("try-x").writing():
        publish(lake_of(machine("a").of("try-x")), {JAN_5: 10, JAN_7: 3})
    before, after, seen = dict(bucket._kept), BEGUN | {JAN_5: 10, JAN_7: 3}, set[bool]()
    for requests in range(60):
        bucket._kept = dict(before)
        died = promoted(machine(f"p{requests}"), bucket, requests)
        found = held(fetched(machine(f"look-{requests}")))
        assert found in (BEGUN, after)
        seen.add(found == after)
        assert held(fetched(machine(f"look-{requests}").of("try-x"))) == after
        if not died:
            break
        assert not promoted(machine(f"again-{requests}"), bucket, 10**9)
        assert held(fetched(machine(f"again-look-{requests}"))) == after
        assert find_changes(fetched(machine(f"again-look-{requests}").of("try-x"))).spell() == []
    assert (died, seen, requests > 6) == (False, {True, False}, True)


def promoted(main: BucketLake, bucket: ClockedBucket, requests: int) -> bool:
    """Promote as `mlpipe promote` does; whether it died after some requests of what it publishes."""
    branch, died = main.of("try-x"), False
    main.begin()
    branch.begin()
    share_contents(main, "try-x")
    promote(lake_of(main), CATALOG, "try-x", now=NOON)
    bucket.left = requests
    try:
        main.use.publish()
        branch.use.publish()
    except Death:
        died = True
    bucket.left = 10**9
    for place in (branch, main):
        lake_use.leave(place).close()
    return died


def test_the_commands_are_those_of_a_lake_in_a_folder(
    bucket: ClockedBucket, machine: Machine, said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with machine("first").writing():
        tag(lake_of(machine("first")), "v1")
    for name, value in (
        ("MLPIPE_DATA_DIR", ADDRESS),
        ("AWS_ACCESS_KEY_ID", "a"),
        ("AWS_SECRET_ACCESS_KEY", "b"),
        ("DAGSTER_HOME", f"{quiet_home(tmp_path)}"),
    ):
        monkeypatch.setenv(name, value)

    def on(name: str) -> None:
        monkeypatch.setenv("MLPIPE_CACHE_DIR", f"{tmp_path / name}")

    on("one")
    assert "There is no branch" in said("branch")
    assert "'v1' is a tag" in said("branch", "v1", code=2)
    assert "Next: MLPIPE_BRANCH=try-x mlpipe run" in said("branch", "try-x")
    assert "There is a branch 'try-x' already" in said("branch", "try-x", code=2)
    on("two")
    assert "There is a branch 'try-x' already" in said("branch", "try-x", code=2)
    with machine("other").of("try-x").writing():
        publish(lake_of(machine("other").of("try-x")), {JAN_5: 10, JAN_7: 3})
    monkeypatch.setenv("MLPIPE_BRANCH", "try-x")
    assert "the bucket is cleaned by mlpipe gc of main" in said("gc")
    assert "This is branch try-x" in said("copy-lake", f"{tmp_path / 'away'}", code=2)
    assert "branches begin from" in said("branch", "within", code=2)
    monkeypatch.delenv("MLPIPE_BRANCH")
    assert json.loads(said("branch", "--json"))["branches"][0]["changes"] == ["interim/orders: 2 days"]
    (table,) = json.loads(said("diff", "main", "try-x", "--json"))["tables"]
    assert (table["added"], table["changed"]) == ([f"{JAN_7}"], [f"{JAN_5}"])
    assert "Branch try-x has what was not promoted: interim/orders: 2 days" in said("drop", "try-x", code=2)
    on("three")
    before = contents_of(bucket)
    assert "Branch try-x is promoted: 2 partitions of 1 table" in said("promote", "try-x")
    assert contents_of(bucket) == before
    assert held(fetched(machine("new"))) == BEGUN | {JAN_5: 10, JAN_7: 3}
    on("two")
    assert "nothing" in said("branch")
    assert said("drop", "try-x") == "Branch try-x is gone\n"
    assert "There is no branch 'try-x'; there is none yet" in said("promote", "try-x", code=2)
    monkeypatch.setenv("MLPIPE_BRANCH", "try-x")
    assert "There is no branch 'try-x'" in said("tags", code=2)
    assert [head.key for head in bucket.list(keys.BRANCHES)] in ([], [of_branch(LEASE, "try-x")])
