"""A table of the lake: a range is seen whole or not at all, by whoever reads, whatever happens to its writer."""

import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mlpipe_assets.errors import BusyError, LakeError
from mlpipe_assets.store import digest_log, keys
from mlpipe_assets.store.contents import Contents
from mlpipe_assets.store.digest_log import Written
from mlpipe_assets.store.digests import content_digest, damage
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.local import LocalObjects
from mlpipe_assets.store.objects import FullError
from mlpipe_assets_tests.frames import JAN_5, JAN_6, refuse

DAYS = [JAN_5 + timedelta(days=n) for n in range(5)]


def publish(lake: Lake, value: int, days: Sequence[date] = DAYS, gone: Sequence[date] = ()) -> None:
    """Days that all hold one value, visible together."""
    change = lake.change("features", "view")
    for day in days:
        change.put(lake.stage(lake.path("features", "view", day), pl.DataFrame({"n": [value]}), {"inputs": f"{value}"}))
        change.clear(day)
    for day in gone:
        change.remove(day)
    change.publish()


def held(lake: Lake) -> list[int]:
    """The values of all days, read from one state."""
    state = lake.state("features", "view")
    return [state.read(day)["n"][0] for day in state.days()]


def faces(lake: Lake) -> list[int]:
    """The same by the folders of days, as any other tool reads them."""
    paths = sorted(lake.folder("features", "view").glob("date=*/part.parquet"))
    return [pl.read_parquet(path, hive_partitioning=False)["n"][0] for path in paths]


def test_a_range_is_seen_whole_or_not_at_all_all_through_its_publication(lake: Lake) -> None:
    publish(lake, 0)
    seen: set[tuple[int, ...]] = set()
    done = threading.Event()

    def read() -> None:
        reader = Lake(data_dir=lake.data_dir)
        while not done.is_set():
            seen.add(tuple(held(reader)))

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for value in range(1, 40):
        publish(lake, value)
    done.set()
    for thread in threads:
        thread.join()

    assert all(len(values) == len(DAYS) and len(set(values)) == 1 for values in seen), seen
    assert len(seen) > 1


def test_a_thread_of_the_writer_that_reads_takes_nothing_of_what_is_published_away(lake: Lake) -> None:
    publish(lake, 0)
    seen: set[tuple[int, ...]] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(tuple(held(lake)))

    thread = threading.Thread(target=read)
    with lake.writing("features", "view"):
        thread.start()
        for value in range(1, 20):
            publish(lake, value)
        done.set()
        thread.join()

    assert held(lake) == faces(lake) == [19] * 5
    assert all(len(values) == len(DAYS) and len(set(values)) == 1 for values in seen), seen


def test_who_has_a_state_reads_what_it_says_whatever_is_published_meanwhile(lake: Lake) -> None:
    publish(lake, 1)
    state = lake.state("features", "view")
    scanned = pl.scan_parquet(state.files(DAYS), hive_partitioning=False)

    publish(lake, 2, DAYS[1:], gone=DAYS[:1])

    assert state.days() == DAYS
    assert [state.read(day)["n"][0] for day in DAYS] == [1] * 5
    assert state.facts(JAN_5) == {"inputs": "1"}
    assert scanned.collect()["n"].to_list() == [1] * 5
    assert held(lake) == [2] * 4
    assert faces(lake) == [2] * 4


class Death(BaseException):
    """The process is gone, as by SIGKILL: nothing cleans up after it."""


@contextmanager
def dying(step: int) -> Iterator[list[str]]:
    """Die before the n-th change to the disk."""
    done: list[str] = []

    def counted(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def act(*args: Any, **kwargs: Any) -> Any:
            if len(done) >= step:
                raise Death
            done.append(name)
            return real(*args, **kwargs)

        return act

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", counted("rename", Path.replace))
        patch.setattr(Path, "unlink", counted("unlink", Path.unlink))
        patch.setattr(Path, "mkdir", counted("mkdir", Path.mkdir))
        patch.setattr(os, "link", counted("link", os.link))
        patch.setattr(LocalObjects, "put", counted("put", LocalObjects.put))
        yield done


def test_a_writer_killed_at_any_step_leaves_all_of_the_old_or_all_of_the_new(lake: Lake, tmp_path: Path) -> None:
    publish(lake, 1)
    ends: list[list[int]] = []
    for step in range(200):
        root = tmp_path / f"killed-{step}"
        shutil.copytree(lake.root, root)  # the copy has no hard links: faces and contents are files of their own
        victim = Lake(data_dir=f"{root}")
        with dying(step):
            try:
                publish(victim, 2, [*DAYS[1:], DAYS[-1] + timedelta(days=1)], gone=DAYS[:1])
            except Death:
                killed = True
            else:
                killed = False
        after = Lake(data_dir=f"{root}")
        found = held(after)
        assert found in ([1] * 5, [2] * 5), f"killed before step {step}: {found}"
        assert faces(after) == found, f"killed before step {step}: the folders are not what the manifest says"
        named = {path.name for path in after.root.glob(".store/features/view/date=*/*")}
        assert len(named) <= 2, f"killed before step {step}: {named}"
        publish(after, 3)
        assert held(after)[:5] == [3] * 5
        ends.append(found)
        if not killed:
            break

    assert not killed
    assert ends[0] == [1] * 5
    assert ends[-1] == [2] * 5


def test_a_writer_that_was_stopped_is_refused_once_another_took_over(lake: Lake) -> None:
    publish(lake, 0)
    with lake.writing("features", "view"):
        (lake.root / keys.lock("features", "view")).unlink()  # or a lock that did not hold, as on some network disks
        other = Lake(data_dir=lake.data_dir)
        with other.writing("features", "view"):
            publish(other, 2)

        with pytest.raises(BusyError, match=r"features/view: another run took this table over .*run again"):
            publish(lake, 1)

    assert held(lake) == faces(lake) == [2] * 5
    publish(lake, 3)
    assert held(lake) == [3] * 5


def test_a_writer_that_was_stopped_is_refused_before_the_other_has_published(lake: Lake) -> None:
    publish(lake, 0)
    with lake.writing("features", "view"):
        (lake.root / keys.lock("features", "view")).unlink()
        with (
            Lake(data_dir=lake.data_dir).writing("features", "view"),
            pytest.raises(BusyError, match="took this table"),
        ):
            publish(lake, 1)

    assert held(lake) == [0] * 5


def test_a_writer_that_was_stopped_takes_nothing_away_of_what_the_other_is_publishing(lake: Lake) -> None:
    publish(lake, 0)
    with dying(200) as steps:
        publish(lake, 1)
    last_put = len(steps) - 1 - steps[::-1].index("put")
    with lake.writing("features", "view"):
        (lake.root / keys.lock("features", "view")).unlink()
        other = Lake(data_dir=lake.data_dir)
        with other.writing("features", "view"):
            with suppress(Death), dying(last_put):
                publish(other, 2)
            note = (lake.root / keys.contents("features/view") / "publishing.json").read_bytes()
            placed = sorted(lake.root.glob(".store/features/view/date=*/*"))

            with pytest.raises(BusyError, match="took this table over"):
                publish(lake, 3)
            assert held(lake) == [1] * 5

            assert (lake.root / keys.contents("features/view") / "publishing.json").read_bytes() == note
            assert sorted(lake.root.glob(".store/features/view/date=*/*")) == placed
            assert len(placed) == 3 * len(DAYS)


def test_a_publication_that_finds_the_disk_full_leaves_nothing_on_it(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(lake, 0)
    before = sorted(lake.root.rglob("*"))

    def full(*_: object) -> str:
        raise FullError("No space left", reason="no space left")

    with monkeypatch.context() as patch, lake.writing("features", "view"):
        patch.setattr(LocalObjects, "put", full)
        with pytest.raises(FullError):
            publish(lake, 1, [*DAYS, DAYS[-1] + timedelta(days=1)])

    assert sorted(path for path in lake.root.rglob("*") if path.is_file()) == [p for p in before if p.is_file()]
    assert held(lake) == faces(lake) == [0] * 5


def test_a_lock_that_was_lost_with_its_number_stops_nobody_for_good(lake: Lake) -> None:
    for value in range(4):
        publish(lake, value)
    shutil.rmtree(lake.root / "meta" / "locks")

    publish(Lake(data_dir=lake.data_dir), 9)

    assert held(lake) == [9] * 5


def test_a_day_that_somebody_deleted_counts_as_none_until_it_is_built_again(lake: Lake) -> None:
    publish(lake, 1)
    shutil.rmtree(lake.path("features", "view", JAN_6).parent)

    state = lake.state("features", "view")
    assert state.days() == [day for day in DAYS if day != JAN_6]
    assert (state.has(JAN_6), state.facts(JAN_6)) == (False, None)

    publish(lake, 1, [JAN_6])
    assert held(lake) == faces(lake) == [1] * 5


def test_a_refusal_and_the_days_beside_it_become_visible_together(lake: Lake) -> None:
    publish(lake, 1)
    change = lake.change("features", "view")
    change.put(lake.stage(lake.path("features", "view", JAN_5), pl.DataFrame({"n": [2]}), {"inputs": "2"}))
    change.refuse(JAN_6, problem="too many", inputs="abc", counts={"accepted": 0})
    assert held(lake) == [1] * 5
    assert lake.state("features", "view").refused == {}

    change.publish()

    state = lake.state("features", "view")
    assert held(lake) == [2, 1, 1, 1, 1]
    assert state.refused == {JAN_6: {"problem": "too many", "inputs": "abc", "counts": {"accepted": 0}}}
    publish(lake, 3, [JAN_6])
    assert lake.state("features", "view").refused == {}


def test_a_copy_of_the_lake_without_what_is_hidden_is_read_and_goes_on(lake: Lake, tmp_path: Path) -> None:
    publish(lake, 1)
    copy = Lake(data_dir=f"{tmp_path / 'copy'}")
    shutil.copytree(lake.root, copy.root, ignore=shutil.ignore_patterns(".*"), copy_function=shutil.copyfile)

    assert held(copy) == [1] * 5
    publish(copy, 2, [JAN_6])
    assert held(copy) == faces(copy) == [1, 2, 1, 1, 1]


def test_a_lost_manifest_is_made_again_from_the_files_and_said(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    publish(lake, 1)
    (lake.root / keys.manifest("features/view")).unlink()

    assert held(lake) == [1] * 5
    assert lake.facts("features", "view", JAN_5) == {"inputs": "1"}
    assert [m for m in caplog.messages if "had no manifest; it is made again from the files of 5 days" in m]
    caplog.clear()
    assert held(Lake(data_dir=lake.data_dir)) == [1] * 5
    assert caplog.messages == []


def test_a_manifest_that_cannot_be_read_is_named_with_what_deleting_it_does(lake: Lake) -> None:
    publish(lake, 1)
    path = lake.root / keys.manifest("features/view")
    path.write_bytes(path.read_bytes().replace(b'"gen":', b'"gen": '))

    with pytest.raises(
        LakeError,
        match=r"features\.view\.json cannot be read: .*changed by hand.* delete it and run again: it is made again",
    ):
        lake.days("features", "view")
    with pytest.raises(LakeError, match="cannot be read"), lake.writing("features", "view"):
        pass

    path.unlink()
    assert held(lake) == [1] * 5


def test_a_lake_from_before_there_were_manifests_is_taken_over_with_its_refusals(
    lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    for day in (JAN_5, JAN_6):
        folder = lake.path("features", "view", day).parent
        folder.mkdir(parents=True)
        pl.DataFrame({"n": [1]}).write_parquet(
            folder / "part.parquet", metadata={"mlpipe": json.dumps({"inputs": f"{day}"})}
        )
    record = lake.root / "meta" / "refused" / "features" / "view" / "2026-01-07.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"problem": "too many", "inputs": "abc"}))
    log = lake.root / keys.digests("features/view")
    log.parent.mkdir(parents=True)
    log.touch()

    state = lake.state("features", "view")

    assert state.days() == [JAN_5, JAN_6]
    assert state.facts(JAN_6) == {"inputs": "2026-01-06"}
    assert state.refused == {date(2026, 1, 7): {"problem": "too many", "inputs": "abc"}}
    assert caplog.messages == []
    assert not log.exists()


def test_a_manifest_made_again_leaves_on_record_what_is_of_no_day(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    day, version = lake.path("models", "churn", JAN_5), lake.root / keys.version("churn", "v1", "card.json")
    on_record = {
        path: Written(sha256=hashlib.sha256(b"old").hexdigest(), size=3, mtime_ns=1) for path in (day, version)
    }
    for path in on_record:
        path.parent.mkdir(parents=True)
    with digest_log.on_record(lake.root, on_record, content_digest):  # as before there were manifests
        version.write_bytes(b"old")
        pl.DataFrame({"n": [1]}).write_parquet(day)

    assert lake.days("models", "churn") == []  # it does not hold what was written to it
    assert caplog.messages == []
    lake.commit(lake.stage(day, pl.DataFrame({"n": [2]}), {}))
    (lake.root / keys.manifest("models/churn")).unlink()

    assert Lake(data_dir=lake.data_dir).days("models", "churn") == [JAN_5]
    assert [m for m in caplog.messages if "models/churn had no manifest; it is made again" in m]
    assert damage(lake.root, version) is None
    version.write_bytes(b"new")
    assert damage(lake.root, version)


def test_a_file_that_is_no_partition_is_left_out_of_a_manifest_made_again(
    lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    publish(lake, 1)
    (lake.root / keys.manifest("features/view")).unlink()
    path = lake.path("features", "view", JAN_5)
    path.unlink()
    path.write_bytes(b"PAR1 no more")

    assert lake.days("features", "view") == DAYS[1:]
    assert "date=2026-01-05/part.parquet cannot be read" in caplog.text


def test_where_hard_links_are_not_to_be_had_faces_are_copies(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_link(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse_link)
    publish(lake, 1)
    publish(lake, 2, [JAN_5])

    assert held(lake) == faces(lake) == [2, 1, 1, 1, 1]
    assert lake.facts("features", "view", JAN_5) == {"inputs": "2"}


def test_contents_that_nobody_needs_any_more_go_after_an_hour(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000.0
    monkeypatch.setattr("mlpipe_assets.store.table.time.time", lambda: now)
    for value in range(3):
        publish(lake, value, [JAN_5])
    assert len(list(lake.root.glob(".store/features/view/date=*/*"))) == 3

    now += 3601
    publish(lake, 3, [JAN_5])

    assert len(list(lake.root.glob(".store/features/view/date=*/*"))) == 2  # this one, and the one before
    assert held(lake) == [3]


def test_what_a_lost_manifest_had_replaced_goes_after_an_hour_too(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    for value in range(3):
        publish(lake, value, [JAN_5])
    (lake.root / keys.manifest("features/view")).unlink()
    assert held(lake) == [2]
    assert len(list(lake.root.glob(".store/features/view/date=*/*"))) == 3

    monkeypatch.setattr("mlpipe_assets.store.table.time.time", lambda: now + 3700)
    publish(lake, 3, [JAN_6])

    assert len(list(lake.root.glob(".store/features/view/date=*/*"))) == 2
    assert held(lake) == [2, 3]


def test_contents_are_kept_for_their_hour_when_the_clock_is_set_back(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000_000.0
    monkeypatch.setattr("mlpipe_assets.store.table.time.time", lambda: now)
    for value in range(2):
        publish(lake, value, [JAN_5])

    now -= 10_000
    publish(lake, 2, [JAN_5])
    assert len(list(lake.root.glob(".store/features/view/date=*/*"))) == 3

    now += 3601
    publish(lake, 3, [JAN_5])
    assert len(list(lake.root.glob(".store/features/view/date=*/*"))) == 2


def test_a_user_who_may_only_read_reads_what_a_killed_writer_left(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(lake, 1)
    with dying(200) as steps:
        publish(lake, 2)
    last_put = len(steps) - 1 - steps[::-1].index("put")
    with dying(last_put + 2), pytest.raises(Death):
        publish(lake, 3)
    before = faces(lake)
    assert before != [3] * 5

    really_open = Path.open

    def deny(path: Path, mode: str = "r", *more: Any, **named: Any) -> Any:
        if mode in ("r", "rb"):
            return really_open(path, mode, *more, **named)
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", deny)
        assert held(Lake(data_dir=lake.data_dir)) == [3] * 5
    assert faces(lake) == before
    assert held(lake) == faces(lake) == [3] * 5


def test_a_publication_while_a_state_is_being_read_is_no_damage(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(lake, 1)
    with dying(200) as steps:
        publish(lake, 2)
    last_put = len(steps) - 1 - steps[::-1].index("put")
    really_begun = Contents.begun

    def begun(contents: Contents) -> Any:
        found = really_begun(contents)
        monkeypatch.setattr(Contents, "begun", really_begun)
        with suppress(Death), dying(last_put + 2):
            publish(Lake(data_dir=lake.data_dir), 3)  # its manifest is there, its faces are not
        return found

    monkeypatch.setattr(Contents, "begun", begun)
    state = lake.state("features", "view")

    assert [state.facts(day) for day in DAYS] == [{"inputs": "2"}] * 5
    assert [state.read(day)["n"][0] for day in DAYS] == [2] * 5
    assert held(lake) == faces(lake) == [3] * 5


def test_refusing_a_day_of_a_table_without_partitions_makes_no_folder_of_it(lake: Lake) -> None:
    refuse(lake, "interim", "orders", JAN_5, problem="too many", inputs="abc")

    assert not (lake.root / "interim").exists()
    assert lake.names("interim") == ["orders"]


def test_a_change_that_changes_nothing_writes_nothing(lake: Lake) -> None:
    publish(lake, 1, DAYS[:2])
    manifest = lake.root / keys.manifest("features/view")
    before = manifest.read_bytes()

    publish(lake, 0, days=())
    change = lake.change("features", "view")
    change.remove(DAYS[4])
    change.clear(DAYS[0])
    change.publish()
    lake.change("features", "other").publish()

    assert manifest.read_bytes() == before
    assert not (lake.root / keys.manifest("features/other")).exists()
