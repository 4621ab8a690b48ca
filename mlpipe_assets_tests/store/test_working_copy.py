"""The files of a lake in a bucket on several machines: each is a folder here, and the bucket is in memory."""

import hashlib
import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlpipe_assets.errors import BusyError, DamagedError
from mlpipe_assets.store import keys
from mlpipe_assets.store.copies.files import files_of_lake
from mlpipe_assets.store.copies.inventory import ROOT
from mlpipe_assets.store.copies.working import WorkingCopy
from mlpipe_assets.store.local import LocalObjects
from mlpipe_assets.store.manifest import Manifest, Part, content_key, spell
from mlpipe_assets.store.memory import MemoryObjects
from mlpipe_assets.store.objects import Condition, Found, StoreError, UnreachableError, UnsupportedError
from mlpipe_assets.store.tags import Pinned, Tag, save_tag

Machine = Callable[[str], WorkingCopy]


@dataclass(kw_only=True)
class Bucket(MemoryObjects):
    """A bucket that can be cut off: after `left` more writes, as a killed writer sees it."""

    left: int = 10**9

    def locate(self, key: str) -> str:
        if "\\" in key:
            raise UnsupportedError(f"{key!r} cannot be used.", reason="a backslash")
        return super().locate(key)

    def put(self, key: str, content: bytes | memoryview, if_match: str | Condition = Condition.ANY) -> str:
        if not self.left:
            raise StoreError("killed", reason="killed")
        self.left -= 1
        return super().put(key, content, if_match)


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
def machine(bucket: Bucket, tmp_path: Path) -> Machine:
    """The copy on a machine of a name."""

    def make(name: str) -> WorkingCopy:
        (tmp_path / name / "data").mkdir(parents=True, exist_ok=True)
        return WorkingCopy(objects=bucket, root=tmp_path / name / "data", note=tmp_path / name / "known.json")

    return make


def write(copy: WorkingCopy, key: str, content: str) -> Path:
    path = copy.root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def files(copy: WorkingCopy) -> dict[str, tuple[str, int]]:
    """What is in a copy, with its times."""
    return {
        f"{path.relative_to(copy.root)}": (path.read_text(), path.stat().st_mtime_ns)
        for path in copy.root.rglob("*")
        if path.is_file()
    }


def test_what_one_machine_published_is_what_another_fetches_times_included(machine: Machine) -> None:
    first, second = machine("a"), machine("b")
    write(first, "interim/orders/date=2026-01-05/part.parquet", "rows")
    os.utime(write(first, "meta/alerts.json", "{}"), ns=(1, 1_700_000_000_123_456_789))

    first.push(1)
    second.pull()

    assert files(second) == files(first)
    assert files(second)["meta/alerts.json"] == ("{}", 1_700_000_000_123_456_789)


def test_what_changed_and_what_went_is_so_everywhere(machine: Machine) -> None:
    first, second = machine("a"), machine("b")
    for key in ("meta/a.json", "meta/b.json", "models/churn/1/model.skops"):
        write(first, key, key)
    first.push(1)
    second.pull()
    write(second, "meta/a.json", "changed")
    (second.root / "models/churn/1/model.skops").unlink()
    second.push(2)

    first.pull()

    assert {key: text for key, (text, _) in files(first).items()} == {
        "meta/a.json": "changed",
        "meta/b.json": "meta/b.json",
    }
    assert not (first.root / "models").exists()


def test_nothing_new_is_published_as_nothing_and_read_as_one_look(machine: Machine, bucket: Bucket) -> None:
    copy = machine("a")
    write(copy, "meta/a.json", "1")
    copy.push(1)
    before = bucket.list()

    assert copy.push(2) == 0
    copy.pull()

    assert bucket.list() == before


def test_what_a_killed_run_left_goes_and_what_it_took_away_comes_back(machine: Machine) -> None:
    copy = machine("a")
    for key in ("meta/a.json", "meta/b.json", "meta/c.json"):
        write(copy, key, "published")
    copy.push(1)
    write(copy, "meta/a.json", "half a run")
    write(copy, "interim/orders/date=2026-01-05/part.parquet", "of that run")
    (copy.root / "meta/b.json").unlink()
    write(copy, "raw/_events/orders/date=2026-01-05/.part.parquet.7.tmp", "half a file")
    (copy.root / "features/customers/date=2026-01-05").mkdir(parents=True)

    copy.pull()

    assert {key: text for key, (text, _) in files(copy).items()} == dict.fromkeys(
        ("meta/a.json", "meta/b.json", "meta/c.json"), "published"
    )
    assert [path.name for path in copy.root.iterdir()] == ["meta"]


def test_what_a_killed_run_left_goes_where_there_is_no_lake_yet_too(machine: Machine) -> None:
    copy = machine("a")
    write(copy, "raw/_events/orders/date=2026-01-05/.part.parquet.7.tmp", "half a file")
    write(copy, "raw/_events/orders/date=2026-01-05/part.parquet", "a file")
    write(copy, "meta/deliveries/orders/1.json", "{}")

    copy.pull()

    assert list(copy.root.iterdir()) == []


def test_locks_and_temporary_files_are_not_published_and_locks_stay(machine: Machine) -> None:
    first, second = machine("a"), machine("b")
    write(first, "meta/locks/raw.orders.lock", "7")
    write(first, "interim/orders/.part.parquet.1.tmp", "half")
    write(first, "meta/a.json", "1")
    first.push(1)
    first.pull()
    second.pull()

    assert {*files(second)} == {"meta/a.json"}
    assert {*files(first)} == {"meta/a.json", "meta/locks/raw.orders.lock"}


def test_a_machine_that_fetched_before_another_published_publishes_nothing(machine: Machine) -> None:
    first, second = machine("a"), machine("b")
    write(first, "meta/a.json", "1")
    first.push(1)
    second.pull()
    write(first, "meta/a.json", "2")
    first.push(1)
    write(second, "meta/b.json", "of the slower one")

    with pytest.raises(BusyError, match=r"root\.json: another machine has published"):
        second.push(2)

    second.pull()
    assert {key: text for key, (text, _) in files(second).items()} == {"meta/a.json": "2"}


def test_of_two_that_begin_a_lake_one_does(machine: Machine) -> None:
    first, second = machine("a"), machine("b")
    write(first, "meta/a.json", "1")
    write(second, "meta/a.json", "2")
    first.push(1)

    with pytest.raises(BusyError):
        second.push(1)


@pytest.mark.parametrize("puts", range(7))
def test_a_publish_that_is_killed_at_any_write_is_seen_whole_or_not_at_all(
    machine: Machine, bucket: Bucket, puts: int
) -> None:
    first, second = machine("a"), machine("b")
    for key in ("meta/tables/t.json", "interim/t/date=2026-01-05/part.parquet", "validation/golden/m.parquet"):
        write(first, key, "old")
    first.push(1)
    for key in ("meta/tables/t.json", "interim/t/date=2026-01-05/part.parquet", "validation/golden/m.parquet"):
        write(first, key, f"new {key}")  # three files, three pages and the root
    bucket.left = puts

    if puts < 7:
        with pytest.raises(StoreError, match="killed"):
            first.push(1)
    bucket.left = 100
    second.pull()
    assert {text for text, _ in files(second).values()} == {"old"}

    first.push(1)
    second.pull()
    assert files(second) == files(first)


def test_a_face_and_its_content_are_one_file_again(machine: Machine) -> None:
    first, second = machine("a"), machine("b")
    face = write(first, "interim/t/date=2026-01-05/part.parquet", "rows")
    sha = hashlib.sha256(b"rows").hexdigest()
    content = first.root / f".store/interim/t/date=2026-01-05/part.{sha}.parquet"
    content.parent.mkdir(parents=True)
    os.link(face, content)
    first.push(1)

    second.pull()

    assert (second.root / content.relative_to(first.root)).samefile(second.root / face.relative_to(first.root))
    assert files(second) == files(first)


def test_a_file_that_is_gone_or_changed_in_the_bucket_is_reported_and_not_taken(
    machine: Machine, bucket: Bucket
) -> None:
    first, second = machine("a"), machine("b")
    write(first, "meta/a.json", "1")
    first.push(1)
    content = next(head.key for head in bucket.list(".store") if bucket.get(head.key).content == b"1")

    bucket.put(content, b"2")
    with pytest.raises(DamagedError, match=r"does not hold what was written to it\. Restore it"):
        second.pull()
    bucket.delete(content)
    with pytest.raises(DamagedError, match="is gone, and the lake needs it"):
        second.pull()
    assert files(second) == {}


def test_a_fetch_that_broke_off_goes_on_and_a_lost_note_costs_only_time(machine: Machine, bucket: Bucket) -> None:
    first, second = machine("a"), machine("b")
    for number in range(5):
        write(first, f"meta/{number}.json", f"{number}")
    first.push(1)
    second.pull()
    second.note.write_text("{")
    write(second, "meta/0.json", "x")
    shutil.rmtree(second.root / "meta")

    second.pull()

    assert files(second) == files(first)


def test_a_root_that_is_gone_takes_nothing_away_here(machine: Machine, bucket: Bucket) -> None:
    copy = machine("a")
    write(copy, "meta/a.json", "1")
    copy.push(1)
    bucket.delete(ROOT)

    with pytest.raises(StoreError, match=r"root\.json is gone, and it was there before\. Restore it"):
        copy.pull()

    assert {*files(copy)} == {"meta/a.json"}


def test_a_lake_that_was_copied_there_file_by_file_is_not_passed_over(machine: Machine, bucket: Bucket) -> None:
    bucket.put("meta/lease.json", b"{}")
    machine("a").pull()
    bucket.put("meta/acceptances.jsonl", b"{}")
    bucket.put("meta/tables/interim.orders.json", b"{}")

    with pytest.raises(StoreError, match=r"acceptances\.jsonl and 1 more object are there, and no meta/root\.json"):
        machine("a").pull()


def test_a_large_file_comes_and_goes_in_parts(machine: Machine, bucket: Bucket) -> None:
    first, second = replace(machine("a"), large=10), replace(machine("b"), large=10)
    for size in (9, 10, 11, 20, 25):
        write(first, f"models/m/{size}", "x" * size)
        bucket.put(f"raw/orders/{size}.csv", b"y" * size)
    first.push(1)

    second.pull()

    first.pull()
    assert files(second) == files(first)
    assert len(files(second)["raw/orders/25.csv"][0]) == 25


def test_a_file_that_is_delivered_anew_while_it_is_fetched_is_not_mixed(
    machine: Machine, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = replace(machine("a"), large=10)
    bucket.put("raw/orders/a.csv", b"y" * 25)
    get = bucket.get

    def deliver_anew(key: str, part: slice | None = None) -> Found:
        if part == slice(10, 20):
            bucket.put(key, b"z" * 25)
        return get(key, part)

    monkeypatch.setattr(bucket, "get", deliver_anew)
    with pytest.raises(BusyError, match="was written again while it was being fetched"):
        copy.pull()
    assert files(copy) == {}


def test_the_drop_zone_is_what_was_delivered_with_its_times(machine: Machine, bucket: Bucket) -> None:
    copy = machine("a")
    for name in ("a.csv", "b.csv", "c.csv"):
        bucket.put(f"raw/orders/{name}", b"1")
    bucket.put("raw/_events/orders/x", b"made by us, and not here")
    copy.pull()
    modified = {head.key: round(head.modified.timestamp() * 1e9) for head in bucket.list("raw/orders")}
    assert {key: time for key, (_, time) in files(copy).items()} == modified

    bucket.put("raw/orders/b.csv", b"2")
    bucket.delete("raw/orders/c.csv")
    copy.pull()

    assert {key: text for key, (text, _) in files(copy).items()} == {"raw/orders/a.csv": "1", "raw/orders/b.csv": "2"}
    assert copy.push(1) == 0  # what others delivered is not ours to publish


def test_a_name_that_is_none_here_is_reported_and_the_rest_goes_on(
    machine: Machine, bucket: Bucket, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("mlpipe"), "propagate", True)
    copy = machine("a")
    bucket.put("raw/orders/a.csv", b"1")
    listed = bucket.list("raw")
    odd = [listed[0], *(replace(listed[0], key=key) for key in ("raw/../../x", "raw/orders/a\\b.csv"))]
    monkeypatch.setattr(bucket, "list", lambda prefix="": odd if prefix == "raw" else [])

    copy.pull()

    assert {*files(copy)} == {"raw/orders/a.csv"}
    assert "raw/../../x" in caplog.text
    assert "a\\\\b.csv" in caplog.text


def test_what_somebody_puts_into_the_copy_by_hand_is_moved_aside_and_reported(
    machine: Machine, bucket: Bucket, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("mlpipe"), "propagate", True)
    copy = machine("a")
    bucket.put("raw/orders/a.csv", b"1")
    copy.pull()
    write(copy, "raw/orders/b.csv", "for nobody")
    write(copy, "raw/orders/c.csv", "for nobody")

    copy.pull()

    assert {*files(copy)} == {"raw/orders/a.csv"}
    assert (copy.root.parent / "not-delivered/raw/orders/b.csv").read_text() == "for nobody"
    assert "raw/orders/b.csv and 1 more file were put into the copy of the lake on this machine" in caplog.text
    assert caplog.text.rstrip().endswith("To deliver, put files below memory:raw")


def test_what_other_tools_make_to_show_an_empty_folder_is_no_delivery_and_in_nobodys_way(
    machine: Machine, bucket: Bucket
) -> None:
    copy = machine("a")
    bucket.put("raw/orders", b"")
    bucket.put("raw/customers/empty.csv", b"")
    copy.pull()
    assert {*files(copy)} == {"raw/customers/empty.csv"}
    bucket.delete("raw/customers/empty.csv")
    bucket.put("raw/customers", b"a file where a folder comes to be")
    copy.pull()
    for name in ("orders", "customers"):
        bucket.delete(f"raw/{name}")
        bucket.put(f"raw/{name}/a.csv", b"1")

    copy.pull()

    assert {*files(copy)} == {"raw/orders/a.csv", "raw/customers/a.csv"}


def test_a_file_delivered_again_between_the_list_and_the_fetch_has_not_the_time_of_the_one_before(
    machine: Machine, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = machine("a")
    bucket.put("raw/orders/a.csv", b"1")
    listed = bucket.list("raw")
    bucket.put("raw/orders/a.csv", b"22")
    with monkeypatch.context() as between:
        between.setattr(bucket, "list", lambda prefix="": listed if prefix == "raw" else [])
        with pytest.raises(BusyError, match=r"a\.csv was written again while it was being fetched"):
            copy.pull()
    assert files(copy) == {}

    copy.pull()
    assert files(copy)["raw/orders/a.csv"][0] == "22"


def test_a_publication_whose_answer_was_lost_is_gone_on_from_by_the_same_writer_alone(
    machine: Machine, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = machine("a"), machine("b")
    write(first, "meta/a.json", "1")
    put = bucket.put

    def lose_the_answer(key: str, content: bytes | memoryview, if_match: str | Condition = Condition.ANY) -> str:
        tag = put(key, content, if_match)
        if key == ROOT:
            raise UnreachableError("no answer", reason="no answer")
        return tag

    with monkeypatch.context() as lossy:
        lossy.setattr(bucket, "put", lose_the_answer)
        with pytest.raises(UnreachableError):
            first.push(1)
    write(first, "meta/b.json", "2")
    first.push(1)

    second.pull()
    assert files(second) == files(first)
    write(second, "meta/c.json", "3")
    second.push(2)
    write(first, "meta/b.json", "4")
    with pytest.raises(BusyError):
        first.push(1)


def test_logs_of_digests_are_read_after_the_files_they_tell_of(machine: Machine) -> None:
    copy = machine("a")
    for key in ("meta/digests/models.log", "models/m/1/x", "meta/tables/t.json", "online/x"):
        write(copy, key, "1")

    assert [key for key, _ in files_of_lake(copy.root)] == [
        "meta/tables/t.json",
        "models/m/1/x",
        "online/x",
        "meta/digests/models.log",
    ]


def test_a_file_that_a_manifest_names_is_not_taken_away_by_a_run(machine: Machine, bucket: Bucket) -> None:
    copy, day = machine("a"), date(2026, 1, 5)
    part = Part(hashlib.sha256(b"rows").hexdigest(), 4, 1, {})
    for key in (keys.partition("interim", "t", day), f".store/interim/t/{content_key(day, keys.PART, part.sha256)}"):
        write(copy, key, "rows")
    write(copy, keys.manifest("interim/t"), spell(Manifest(days={day: {keys.PART: part}})).decode())
    write(copy, keys.partition("interim", "t", date(2026, 1, 4)), "of no manifest")
    copy.push(1)
    root = bucket.get(ROOT)
    shutil.rmtree(copy.root / "interim")

    with pytest.raises(StoreError, match=r"date=2026-01-05/part\.parquet was taken away while the lake was in use"):
        copy.push(1)

    assert bucket.get(ROOT) == root


def test_a_content_that_only_a_tag_names_is_not_taken_away_by_a_run(machine: Machine, bucket: Bucket) -> None:
    copy, day = machine("a"), date(2026, 1, 5)
    part = Part(hashlib.sha256(b"rows").hexdigest(), 4, 1, {})
    kept = write(copy, f".store/interim/t/{content_key(day, keys.PART, part.sha256)}", "rows")
    other = write(copy, f".store/interim/t/{content_key(day, keys.PART, '0' * 64)}", "of no tag")
    tag = Tag(name="v1", made_at="", tables={"interim/t": Pinned(days={day: {keys.PART: part}})})
    save_tag(LocalObjects(copy.root), tag)
    copy.push(1)
    root = bucket.get(ROOT)
    other.unlink()
    copy.push(1)
    assert bucket.get(ROOT) != root
    root = bucket.get(ROOT)

    kept.unlink()

    with pytest.raises(StoreError, match=rf"{part.sha256}\.parquet was taken away while the lake was in use"):
        copy.push(1)
    assert bucket.get(ROOT) == root


def test_what_is_written_into_the_drop_zone_here_is_delivered(machine: Machine, bucket: Bucket) -> None:
    first, second = machine("a"), machine("b")
    write(first, "raw/orders/a.csv", "1")

    assert (first.deliver(), first.deliver()) == (1, 0)
    second.pull()
    first.pull()

    assert {key: text for key, (text, _) in files(second).items()} == {"raw/orders/a.csv": "1"}
    assert {key: text for key, (text, _) in files(first).items()} == {"raw/orders/a.csv": "1"}


NAMES = st.sampled_from(["meta/a.json", "meta/b/t.json", "interim/t/date=2026-01-05/part.parquet", "models/m/1/x"])
CHANGES = st.lists(st.tuples(NAMES, st.text("xyz", max_size=2) | st.none()), max_size=5)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])  # each example has new folders
@given(turns=st.lists(st.tuples(st.sampled_from("ab"), CHANGES), max_size=6))
def test_whatever_each_machine_does_in_turn_all_end_up_alike(
    tmp_path: Path, turns: list[tuple[str, list[tuple[str, str | None]]]]
) -> None:
    bucket, expected = Bucket(), dict[str, str]()
    place = tmp_path / f"{len(list(tmp_path.iterdir()))}"
    copies = {
        name: WorkingCopy(objects=bucket, root=place / name / "data", note=place / name / "known.json")
        for name in "abc"
    }
    for copy in copies.values():
        copy.root.mkdir(parents=True)

    for name, changes in turns:
        copies[name].pull()
        for key, text in changes:
            if text is None:
                (copies[name].root / key).unlink(missing_ok=True)
                expected.pop(key, None)
            else:
                write(copies[name], key, text)
                expected[key] = text
        copies[name].push(1)

    for copy in copies.values():
        copy.pull()
        assert {key: text for key, (text, _) in files(copy).items()} == expected
