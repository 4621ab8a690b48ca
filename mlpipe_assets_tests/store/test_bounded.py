"""A copy of a lake that does not hold all of it: days come when they are read, and those not read for longest go first."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from mlpipe_assets.errors import LakeError
from mlpipe_assets.store import keys
from mlpipe_assets.store.copies import bounded
from mlpipe_assets.store.copies import use as lake_use
from mlpipe_assets.store.copies.inventory import ROOT
from mlpipe_assets.store.copies.use import BucketLake
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.local import LocalObjects
from mlpipe_assets.store.manifest import spell
from mlpipe_assets.store.memory import MemoryObjects
from mlpipe_assets.store.objects import Found
from mlpipe_assets.store.tagged import TaggedLake
from mlpipe_assets.store.tags import Pinned, Tag, save_tag

DAYS = [date(2026, 1, number) for number in (5, 6, 7)]
Machine = Callable[[str], BucketLake]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryObjects]:
    found = MemoryObjects()
    monkeypatch.setattr(lake_use, "open_bucket", lambda _: found)
    yield found
    lake_use._uses.clear()


@pytest.fixture
def machine(bucket: MemoryObjects, tmp_path: Path) -> Machine:
    """Machines, after one without a bound has published three days of a table."""
    whole = BucketLake(address="s3://lake/shop", root=tmp_path / "whole" / "data")
    with whole.writing():
        for day in DAYS:
            write(whole, day, day.day)
        (whole.root / "online/features").mkdir(parents=True)
        (whole.root / "online/features/a.sqlite").touch()
    return lambda name: BucketLake(address="s3://lake/shop", root=tmp_path / name / "data")


@pytest.fixture
def small(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> BucketLake:
    """A machine with a bound, after its first fetch."""
    monkeypatch.setenv("MLPIPE_CACHE_SIZE", "1GB")
    found = machine("small")
    found.fetch()
    return found


def lake_of(place: BucketLake) -> Lake:
    return Lake(data_dir=f"{place.root}")


def write(place: BucketLake, day: date, value: int) -> None:
    lake = lake_of(place)
    lake.commit(lake.stage(lake.path("interim", "t", day), pl.DataFrame({"n": [value]}), {"rows": 1}))


def read(place: BucketLake) -> dict[date, int]:
    """The value of each day, as an engine reads it: by the paths that are handed out."""
    state = lake_of(place).state("interim", "t")
    days = state.days()
    return dict(zip(days, (pl.read_parquet(path).item() for path in state.files(days)), strict=True))


def here(place: BucketLake) -> list[str]:
    """The days whose files are on this machine, with how many names each has."""
    return sorted(path.parent.name.removeprefix("date=") for path in place.root.rglob("*.parquet"))


def test_days_are_known_without_their_files_and_one_that_is_read_comes_alone(
    small: BucketLake, bucket: MemoryObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = lake_of(small).state("interim", "t")
    assert here(small) == []
    assert state.days() == DAYS
    assert state.facts(DAYS[0]) == {"rows": 1}

    assert state.read(DAYS[1]).item() == 6

    assert here(small) == ["2026-01-06"] * 2
    assert read(small) == {day: day.day for day in DAYS}
    asked = list[str]()
    get = bucket.get

    def note(key: str, part: slice | None = None) -> Found:
        asked.append(key)
        return get(key, part)

    monkeypatch.setattr(bucket, "get", note)
    assert read(small) == {day: day.day for day in DAYS}
    assert asked == []


def test_what_was_not_read_for_longest_goes_first_and_nothing_that_was_read_lately(
    small: BucketLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(small)
    lake_of(small).state("interim", "t").read(DAYS[0])  # again
    size = next(small.root.rglob("part.parquet")).stat().st_size
    monkeypatch.setenv("MLPIPE_CACHE_SIZE", f"{size}B")
    small.fetch()
    assert len(here(small)) == 6  # all within the hour

    monkeypatch.setattr(bounded, "_LATELY", 0.0)
    small.fetch()

    assert here(small) == ["2026-01-05"] * 2
    assert read(small) == {day: day.day for day in DAYS}


def test_what_a_machine_with_a_bound_builds_is_whole_everywhere(
    small: BucketLake, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "_LATELY", 0.0)
    monkeypatch.setenv("MLPIPE_CACHE_SIZE", "0B")
    with small.writing():
        write(small, DAYS[0], 50)
        write(small, date(2026, 1, 8), 8)
        small.fetch()  # of a command beside it: what is not in the bucket yet stays
        assert here(small).count("2026-01-08") == 2
        change = lake_of(small).change("interim", "t")
        change.remove(DAYS[2])
        change.publish()
    small.fetch()
    assert here(small) == []
    monkeypatch.delenv("MLPIPE_CACHE_SIZE")
    other = machine("other")
    other.fetch()

    expected = {DAYS[0]: 50, DAYS[1]: 6, date(2026, 1, 8): 8}
    assert read(other) == expected
    assert here(other).count("2026-01-06") == 2
    small.fetch()
    assert sorted(here(small)) == sorted(here(other))  # the bound was lifted
    assert read(small) == expected


@pytest.mark.parametrize("tagged", [False, True])
def test_a_content_is_let_go_of_without_having_been_here_once_neither_manifest_nor_tag_names_it(
    small: BucketLake, machine: Machine, monkeypatch: pytest.MonkeyPatch, *, tagged: bool
) -> None:
    table = lake_of(small).table("interim", "t")
    with small.writing():
        if tagged:
            tag = Tag(name="v1", made_at="", tables={"interim/t": Pinned(days=table.state().manifest.days)})
            save_tag(LocalObjects(small.root), tag)
        write(small, DAYS[0], 50)
    with small.writing():  # an hour later: `old` is empty
        table.collect(now=4e9, remove=True)
        lake_of(small).objects.put(keys.manifest("interim/t"), spell(replace(table.state().manifest, old={})))
    monkeypatch.delenv("MLPIPE_CACHE_SIZE")
    other = machine("other")
    other.fetch()

    assert here(other) == ["2026-01-05"] * (3 if tagged else 2) + ["2026-01-06"] * 2 + ["2026-01-07"] * 2
    if tagged:
        state = TaggedLake(data_dir=f"{other.root}", tag=tag).state("interim", "t")
        assert [state.read(day).item() for day in DAYS] == [5, 6, 7]
        assert [TaggedLake(data_dir=f"{small.root}", tag=tag).state("interim", "t").read(DAYS[0]).item()] == [5]


def test_a_manifest_that_is_lost_in_use_is_not_made_of_the_files_that_happen_to_be_here(
    small: BucketLake, bucket: MemoryObjects
) -> None:
    root = bucket.get(ROOT)
    lake_of(small).state("interim", "t").read(DAYS[0])
    (small.root / keys.manifest("interim/t")).unlink()

    assert lake_of(small).state("online", "features").days() == []  # it has files, and never had days
    with pytest.raises(LakeError, match="is gone while the lake is in use"):
        lake_of(small).state("interim", "t").days()

    small.fetch()
    assert read(small) == {day: day.day for day in DAYS}
    assert bucket.get(ROOT) == root


def test_a_file_that_is_damaged_here_is_fetched_again(small: BucketLake) -> None:
    lake_of(small).state("interim", "t").read(DAYS[0])
    for path in small.root.rglob("date=2026-01-05/*.parquet"):
        path.write_bytes(b"x" * path.stat().st_size)
        os.utime(path)

    small.fetch()

    assert read(small) == {day: day.day for day in DAYS}
