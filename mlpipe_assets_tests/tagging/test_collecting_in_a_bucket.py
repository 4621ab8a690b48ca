"""`mlpipe gc` of a lake in a bucket, by machines that are killed at any request: what tags and the newest state name is there."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpipe_assets.errors import BusyError
from mlpipe_assets.store import keys
from mlpipe_assets.store.copies import use as lake_use
from mlpipe_assets.store.copies.garbage import RECORD, SAFE, find_garbage, remove_garbage
from mlpipe_assets.store.copies.inventory import LEASE, ROOT, branches_of, content, digest_of, of_branch
from mlpipe_assets.store.copies.known_files import beside, load_known
from mlpipe_assets.store.copies.of_main import OfMain
from mlpipe_assets.store.copies.use import BucketLake
from mlpipe_assets.store.copies.working import WorkingCopy
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.pins import named_digests
from mlpipe_assets.store.tagged import TaggedLake
from mlpipe_assets.store.tags import delete_tag, read_tag
from mlpipe_assets.tagging.branching import make_branch
from mlpipe_assets.tagging.collecting import collect
from mlpipe_assets_tests.frames import JAN_5, JAN_6
from mlpipe_assets_tests.store.clocked import ClockedBucket, Death
from mlpipe_assets_tests.tagging.lakes import CATALOG, NOON, Said, held, hours_later, publish, tag

DAYS = [JAN_5 + timedelta(days=n) for n in range(3)]
ADDRESS = "s3://lake/shop"


class World:
    """Two machines of one lake in a bucket, what it should hold, and what roots that were replaced lately named."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bucket = ClockedBucket(clock=lambda: time.time())  # noqa: PLW0108 (the clock is moved by a patch)
        self.values: dict[Any, int] = {}
        self.tags: dict[str, dict[Any, int]] = {}
        self.branch: dict[Any, int] | None = None
        self.roots: list[tuple[float, set[str]]] = []

    def copy(self, name: str, branch: str = "") -> WorkingCopy:
        main = self.folder / name / "data"
        root = main / keys.BRANCHES / branch if branch else main
        for folder in (root, beside(root)):
            folder.mkdir(parents=True, exist_ok=True)
        of_main = OfMain(root=main) if branch else None
        return WorkingCopy(
            objects=self.bucket, root=root, note=beside(root) / "known.json", branch=branch, main=of_main
        )

    def use(self, name: str, work: Callable[[Lake], Any], branch: str = "") -> None:
        """What a process of a machine does: fetch, work, publish."""
        if branch:
            self.copy(name).pull()
        copy = self.copy(name, branch)
        copy.pull()
        before = load_known(copy.note)
        work(Lake(data_dir=f"{copy.root}"))
        copy.push(1)
        if load_known(copy.note).tag != before.tag:
            self.roots.append((time.time(), before.inventory().digests()))

    def begin_branch(self, name: str) -> None:
        """As `mlpipe branch x` does."""

        def work(lake: Lake) -> None:
            root = lake.root / keys.BRANCHES / "x"
            shutil.rmtree(root, ignore_errors=True)
            shutil.rmtree(beside(root), ignore_errors=True)
            make_branch(lake, CATALOG, "x", now=NOON)
            copy = self.copy(name, "x")
            copy.shared = frozenset(load_known(self.copy(name).note).inventory().digests())
            copy.push(1)

        self.use(name, work)

    def killed(self, requests: int, act: Callable[[], Any]) -> None:
        """Do something whose process dies after some requests."""
        self.bucket.left = requests
        with suppress(Death):
            act()
        self.bucket.left = ALIVE

    def gc(self, name: str) -> None:
        """As `mlpipe gc` does, by the steps that it takes: tables, the bucket, and what is left is published."""

        def work(lake: Lake) -> None:
            list(collect(lake, time.time(), remove=True))
            renew = partial(self.bucket.put, LEASE, b"held")
            renew()
            copy = self.copy(name)
            branches, named = branches_of(self.bucket), named_digests(lake.objects)
            found = find_garbage(copy.downloads, [load_known(copy.note)], named, branches=branches)
            remove_garbage(self.bucket, found, renew)

        self.use(name, work)

    def expect_whole(self) -> None:
        """A machine that has nothing yet reads the newest state and every tag, and a slow one what its root named."""
        shutil.rmtree(self.folder / "new", ignore_errors=True)
        copy = self.copy("new")
        copy.pull()
        lake = Lake(data_dir=f"{copy.root}")
        assert held(lake) == self.values
        for name, values in self.tags.items():
            assert held(TaggedLake(data_dir=lake.data_dir, tag=read_tag(lake.objects, name))) == values
        if self.branch is not None:
            copy = self.copy("new", "x")
            copy.pull()
            assert held(Lake(data_dir=f"{copy.root}")) == self.branch
        there = {head.key for head in self.bucket.list(keys.CONTENTS)}
        for replaced, digests in self.roots:
            if time.time() - replaced < SAFE:
                assert {content(digest) for digest in digests} <= there


MACHINES = st.sampled_from("ab")
ALIVE = 10**9  # requests
DEATHS = st.one_of(st.just(ALIVE), st.integers(0, 25))
STEPS = st.one_of(
    st.tuples(st.just("publish"), MACHINES, st.dictionaries(st.sampled_from(DAYS), st.integers(0, 3), min_size=1)),
    st.tuples(st.just("tag"), MACHINES, st.sampled_from("vw")),
    st.tuples(st.just("untag"), MACHINES, st.sampled_from("vw")),
    st.tuples(st.just("gc"), MACHINES, DEATHS),
    st.tuples(st.just("killed publication"), MACHINES, st.integers(0, 12)),
    st.tuples(st.just("branch"), MACHINES, DEATHS),
    st.tuples(
        st.just("publish in branch"), MACHINES, st.dictionaries(st.sampled_from(DAYS), st.integers(4, 6), min_size=1)
    ),
    st.tuples(st.just("drop"), MACHINES, st.none()),
    st.tuples(st.just("gc a day later"), MACHINES, DEATHS),
)


@pytest.mark.fuzz
@given(steps=st.lists(STEPS, min_size=8, max_size=16))
@settings(max_examples=30, deadline=None)
def test_whoever_is_killed_at_any_request_what_is_named_is_there(steps: list[tuple[str, str, Any]]) -> None:
    with TemporaryDirectory() as folder:
        world, hours = World(Path(folder)), 0
        world.values = {JAN_5: 0}
        world.use("a", lambda lake: publish(lake, {JAN_5: 0}))
        act_in_branch(world, "branch", "a", ALIVE)
        for step, machine, argument in steps:
            hours += 26 if step == "gc a day later" else 1
            with hours_later(hours):
                act(world, step, machine, argument)
                act_in_branch(world, step, machine, argument)
                world.expect_whole()
        if world.branch is not None:
            act_in_branch(world, "drop", "a", None)
        for later in (50, 100, 150):  # what only a tag or a killed writer named is seen, and has waited
            with hours_later(hours + later):
                world.gc("a")
        with hours_later(hours + 200):
            world.expect_whole()
            there = {head.key for head in world.bucket.list(keys.CONTENTS)}
            assert there == {content(digest) for digest in load_known(world.copy("a").note).inventory().digests()}
            named = {*world.values.items(), *(item for values in world.tags.values() for item in values.items())}
            assert len(list((world.copy("a").root / keys.CONTENTS).rglob("*.parquet"))) == len(named)


def act(world: World, step: str, machine: str, argument: Any) -> None:
    """Do something in main."""
    if step == "publish":
        world.values |= argument
        world.use(machine, lambda lake: publish(lake, argument))
    elif step == "tag" and argument not in world.tags:
        world.tags[argument] = dict(world.values)
        world.use(machine, lambda lake: tag(lake, argument))
    elif step == "untag" and world.tags.pop(argument, None) is not None:
        world.use(machine, lambda lake: delete_tag(lake.objects, argument))
    elif step.startswith("gc"):
        world.killed(argument, partial(world.gc, machine))
    elif step == "killed publication":
        values = dict.fromkeys(DAYS, 9)
        world.killed(argument, partial(world.use, machine, lambda lake: publish(lake, values)))
        world.values = newest(world)


def act_in_branch(world: World, step: str, machine: str, argument: Any) -> None:
    """Do something with the branch."""
    if step == "branch" and world.branch is None:
        world.killed(argument, partial(world.begin_branch, machine))
        world.branch = dict(world.values) if branches_of(world.bucket) else None
    elif step == "publish in branch" and world.branch is not None:
        world.branch |= argument
        world.use(machine, lambda lake: publish(lake, argument), "x")
    elif step == "drop" and world.branch is not None:
        world.bucket.delete(of_branch(ROOT, "x"))
        world.branch = None


def newest(world: World) -> dict[Any, int]:
    """What was published, by a publication that may have come to its end."""
    copy = world.copy("look")
    copy.pull()
    return held(Lake(data_dir=f"{copy.root}"))


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ClockedBucket]:
    """A bucket that every address leads to, with a lake of two states in it."""
    found = ClockedBucket(clock=lambda: time.time())  # noqa: PLW0108 (the clock is moved by a patch)
    monkeypatch.setattr(lake_use, "open_bucket", lambda _: found)
    place = BucketLake(address=ADDRESS, root=tmp_path / "first" / "data")
    for values in ({JAN_5: 1, JAN_6: 2}, {JAN_5: 10}):
        with place.writing():
            (place.root / keys.DELIVERIES).mkdir(parents=True, exist_ok=True)
            (place.root / keys.DELIVERIES / "orders.json").write_text("{}")
            publish(Lake(data_dir=f"{place.root}"), values)
    yield found
    lake_use._uses.clear()


def test_a_use_collects_and_then_publishes_what_it_took_from_the_copy(bucket: ClockedBucket, tmp_path: Path) -> None:
    place = BucketLake(address=ADDRESS, root=tmp_path / "a" / "data")
    with hours_later(30), place.writing():
        list(collect(Lake(data_dir=f"{place.root}"), time.time(), remove=True))
        found = place.collect(remove=True)

    assert len(found.may_go) > 0
    with hours_later(60), place.writing():
        last = place.collect(remove=False)
    assert len(last.may_go) > 0  # what the copy still had, until then
    assert json.loads(bucket.get(LEASE).content)["held"] is False


def test_a_look_changes_nothing(bucket: ClockedBucket, tmp_path: Path) -> None:
    place, before = BucketLake(address=ADDRESS, root=tmp_path / "a" / "data"), bucket.list()
    with hours_later(30), place.writing():
        assert len(place.collect(remove=False).may_go) > 0

    assert [head for head in bucket.list() if head.key != LEASE] == [head for head in before if head.key != LEASE]


@pytest.mark.usefixtures("bucket")
def test_beside_another_process_that_writes_the_bucket_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = BucketLake(address=ADDRESS, root=tmp_path / "a" / "data")
    other = place._begin()  # what another process has
    place.begin()

    with pytest.raises(BusyError, match="another process of this machine writes to the lake"):
        place.collect(remove=True)

    place.end()
    other.close()


def test_who_was_stopped_while_another_took_over_takes_nothing_away(bucket: ClockedBucket, tmp_path: Path) -> None:
    place = BucketLake(address=ADDRESS, root=tmp_path / "a" / "data")
    place.begin()
    lease = json.loads(bucket.get(LEASE).content)
    bucket.put(LEASE, json.dumps({**lease, "gen": 99, "nonce": "x"}).encode())
    before = bucket.list(keys.CONTENTS)

    with hours_later(30), pytest.raises(BusyError, match="another machine took this lake over"):
        place.collect(remove=True)

    assert (bucket.list(keys.CONTENTS), bucket.head(RECORD)) == (before, None)
    with pytest.raises(BusyError):
        place.end()


def test_the_command_says_what_went_here_and_there_and_what_waits(
    bucket: ClockedBucket, said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("MLPIPE_DATA_DIR", ADDRESS),
        ("MLPIPE_CACHE_DIR", f"{tmp_path / 'cache'}"),
        ("AWS_ACCESS_KEY_ID", "a"),
        ("AWS_SECRET_ACCESS_KEY", "b"),
        ("DAGSTER_HOME", f"{tmp_path}"),
    ):
        monkeypatch.setenv(name, value)
    size = len(bucket.list(keys.CONTENTS))

    told = json.loads(said("gc", "--json"))
    assert (told["contents"], told["waiting"], told["bucket"]["contents"]) == (0, 1, 0)
    assert told["bucket"]["waiting"] + told["bucket"]["named"] == size
    assert "objects that neither a tag nor the newest state names went from s3://lake/shop" in said("gc")
    with hours_later(30):
        assert "1 content that neither a tag nor the newest state names would go from the copy" in said(
            "gc", "--dry-run"
        )
        assert bucket.head(content(digest_of(b"{}"))) is not None
        told = json.loads(said("gc", "--json"))
        assert (told["contents"], told["bucket"]["waiting"]) == (1, 0)
        assert told["bucket"]["contents"] == size - told["bucket"]["named"]
        assert len(bucket.list(keys.CONTENTS)) >= told["bucket"]["named"]
    with hours_later(60):
        last = json.loads(said("gc", "--json"))["bucket"]
        assert (last["contents"] > 0, last["waiting"]) == (True, 0)
        assert len(bucket.list(keys.CONTENTS)) == last["named"]
    assert bucket.head(ROOT) is not None
