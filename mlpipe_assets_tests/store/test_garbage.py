"""What nothing names any more goes from a bucket, once it is old enough, and never anything else."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlpipe_assets.errors import BusyError, DamagedError
from mlpipe_assets.store.copies.garbage import RECORD, SAFE, Garbage, find_garbage, remove_garbage
from mlpipe_assets.store.copies.inventory import LEASE, ROOT, Kept, content, digest_of, spell_pages
from mlpipe_assets.store.copies.inventory import spell_root as root_of
from mlpipe_assets.store.copies.known_files import Known, load_known
from mlpipe_assets.store.copies.working import WorkingCopy
from mlpipe_assets.store.objects import ABSENT, Objects
from mlpipe_assets_tests.store.clocked import ClockedBucket

HOUR = 3600.0


@dataclass(kw_only=True)
class Gc:
    """`mlpipe gc` of a machine that has the lease, at hours that a test says."""

    copy: WorkingCopy
    at: float = 0.0
    named: tuple[str, ...] = ()

    def renew(self) -> None:
        self.copy.objects.put(LEASE, b"of this machine")

    def look(self, safe: float = SAFE) -> Garbage:
        self.renew()
        return find_garbage(self.copy.downloads, [load_known(self.copy.note)], self.named, safe)

    def run(self, hour: float) -> list[int]:
        """How many objects went at an hour, and how many wait."""
        self.at = hour
        found = self.look()
        remove_garbage(self.copy.objects, found, self.renew)
        return [len(found.may_go), len(found.waiting)]

    def publish(self, hour: float, **texts: str) -> None:
        """Give files of the lake other texts, at an hour."""
        self.at = hour
        for name, text in texts.items():
            (self.copy.root / f"{name}.txt").write_text(text)
        self.copy.push(1)

    def has(self, text: str) -> bool:
        return self.copy.objects.head(content(digest_of(text.encode()))) is not None


@pytest.fixture
def gc(tmp_path: Path) -> Gc:
    return make(tmp_path, lambda found: ClockedBucket(clock=lambda: found[0].at * HOUR))


def make(folder: Path, bucket: Callable[[list[Gc]], Objects]) -> Gc:
    (folder / "data").mkdir(parents=True)
    found: list[Gc] = []
    found.append(Gc(copy=WorkingCopy(objects=bucket(found), root=folder / "data", note=folder / "known.json")))
    return found[0]


def test_in_every_store_what_the_root_names_stays_and_the_rest_goes(objects: Objects, tmp_path: Path) -> None:
    gc = make(tmp_path / "a", lambda _: objects)
    gc.publish(0, a="1", b="2")
    gc.publish(0, a="3")
    objects.put(content(digest_of(b"of a killed writer")), b"of a killed writer")
    objects.put(".store/notes.txt", b"somebody's own")
    objects.put("raw/orders/a.csv", b"a delivery")

    found = gc.look(safe=0.0)
    remove_garbage(objects, found, gc.renew)

    assert (len(found.may_go), found.named) == (3, 3)  # the text that was, its page, and what nobody came to name
    kept = [head.key for head in objects.list() if head.key not in (ROOT, LEASE, RECORD)]
    assert sorted(kept) == sorted([*found_in_root(gc), ".store/notes.txt", "raw/orders/a.csv"])
    other = make(tmp_path / "b", lambda _: objects)
    other.copy.pull(deliveries=False)
    assert [path.read_text() for path in sorted(other.copy.root.glob("*.txt"))] == ["3", "2"]


def found_in_root(gc: Gc) -> list[str]:
    return [content(digest) for digest in load_known(gc.copy.note).inventory().digests()]


def test_what_was_replaced_stays_for_a_day_for_those_who_read_by_the_root_before(gc: Gc) -> None:
    gc.publish(0, a="1")
    gc.publish(100, a="2")

    assert gc.run(100) == [0, 2]
    assert gc.run(123.9) == [0, 2]
    assert gc.has("1")
    assert gc.run(124) == [2, 0]
    assert not gc.has("1")
    assert gc.run(124) == [0, 0]


def test_where_a_root_a_minute_comes_what_was_seen_a_day_before_goes(gc: Gc) -> None:
    gc.publish(0, a="1")
    gc.publish(10, a="2")
    gc.run(10.5)

    for hour in (20, 30, 34):
        gc.publish(hour, b=f"{hour}")

    assert gc.run(34)[0] == 2
    assert not gc.has("1")
    assert gc.has("20")


def test_what_came_back_meanwhile_stays_for_a_day_from_when_it_was_replaced_again(gc: Gc) -> None:
    gc.publish(0, a="1")
    gc.publish(1, a="2")
    gc.run(2)
    gc.publish(10, a="1")
    gc.publish(20, a="3")

    gc.run(27)
    assert gc.has("1")
    gc.run(44)
    assert not gc.has("1")


def test_what_a_killed_writer_left_goes_a_day_after_it_came(gc: Gc) -> None:
    gc.publish(0, a="1")
    gc.at = 50
    gc.copy.objects.put(content(digest_of(b"left")), b"left")

    assert gc.run(60) == [0, 1]
    assert gc.run(74) == [1, 0]


def test_where_there_is_no_root_nothing_goes(gc: Gc) -> None:
    gc.copy.objects.put(content(digest_of(b"being copied there")), b"being copied there")

    assert gc.run(1000) == [0, 0]
    assert gc.has("being copied there")


def test_what_a_tag_names_stays_though_no_page_does(gc: Gc) -> None:
    gc.publish(0, a="1")
    gc.copy.objects.put(content(digest_of(b"tagged")), b"tagged")
    gc.named = (digest_of(b"tagged"),)

    assert gc.run(1000) == [0, 0]
    assert gc.has("tagged")


def test_a_machine_that_knows_nothing_of_the_bucket_reads_the_pages(gc: Gc, tmp_path: Path) -> None:
    gc.publish(0, a="1")
    gc.publish(1, a="2")
    other = make(tmp_path / "b", lambda _: gc.copy.objects)

    found = other.look(safe=0.0)

    assert (len(found.may_go), found.named) == (2, 2)


def test_nothing_goes_while_something_that_the_lake_needs_is_gone(gc: Gc) -> None:
    gc.publish(0, a="1", b="2")
    gc.publish(1, a="3")
    gc.copy.objects.delete(content(digest_of(b"2")))

    with pytest.raises(DamagedError, match=r"is gone, and the lake needs it\. Nothing was taken away from the bucket"):
        gc.run(1000)

    assert gc.has("1")


def test_a_record_that_cannot_be_read_only_makes_objects_stay_longer(gc: Gc) -> None:
    gc.publish(0, a="1")
    gc.publish(10, a="2")
    gc.run(11)
    gc.copy.objects.put(RECORD, b"{")
    gc.publish(30, b="new")

    assert gc.run(35)[0] == 0
    assert gc.run(54)[0] == 3


def test_when_another_machine_took_over_no_more_goes(gc: Gc) -> None:
    gc.publish(0, a="1")
    gc.publish(1, a="2")

    def lost() -> None:
        raise BusyError("another machine took this lake over")

    with pytest.raises(BusyError, match="took this lake over"):
        remove_garbage(gc.copy.objects, gc.look(safe=0.0), lost)

    assert gc.has("1")


def test_when_another_machine_has_published_no_more_goes(gc: Gc) -> None:
    gc.publish(0, a="1")
    gc.publish(1, a="2")
    found = gc.look(safe=0.0)
    gc.copy.objects.put(ROOT, root_of({}, 2))

    with pytest.raises(BusyError, match="has published to this lake, so no more of the bucket was taken away"):
        remove_garbage(gc.copy.objects, found, gc.renew)

    assert gc.has("1")


def test_a_lake_of_120_days_of_17_tables_takes_few_requests(tmp_path: Path) -> None:
    bucket = ClockedBucket(clock=lambda: 0.0)
    names = [f"{stage}/date={day}" for stage in range(17) for day in range(120)]
    files = {f"t{name}/part.parquet": Kept(hashlib.sha256(name.encode()).hexdigest(), 1, 1) for name in names}
    pages = spell_pages(files)
    for digest in [kept.sha256 for kept in files.values()] + [f"{number:064x}" for number in range(2500)]:
        bucket.put(content(digest), b"x")
    for page in pages.values():
        bucket.put(content(digest_of(page)), page)
    bucket.put(ROOT, root_of({folder: digest_of(page) for folder, page in pages.items()}, 1), ABSENT)
    bucket.put(LEASE, b"")
    bucket.asked.clear()
    copy = WorkingCopy(objects=bucket, root=tmp_path, note=tmp_path / "known.json")
    known = Known(files={key: (kept, []) for key, kept in files.items()})

    found = find_garbage(copy.downloads, [known], (), safe=0.0)
    assert len(bucket.asked) == 1 + 1 + 5  # the root, the times, and a list of 4,557
    remove_garbage(bucket, found, lambda: bucket.put(LEASE, b""))

    assert (len(found.may_go), found.named) == (2500, 17 * 120 + 17)
    assert (
        len(bucket.asked) == 7 + 1 + 3 * 3
    )  # the record; for each thousand a sign of life, a look at the root, the removal
