"""Selects by day in parts of the keys, wherever these run: what every engine promises, and what is left when somebody dies."""

import os
import pickle
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pytest

from mlpipe_assets.engines import bucket_engine
from mlpipe_assets.engines.aside import Aside
from mlpipe_assets.engines.bucket_engine import BucketEngine, BucketToCopy, copy_bucket
from mlpipe_assets.engines.duckdb_engine import Bucket, DuckDBEngine
from mlpipe_assets.engines.engine import Engine
from mlpipe_assets.engines.refused import RefusedSqlError
from mlpipe_assets.errors import ExecutorError
from mlpipe_assets.executors.executor import THREADS
from mlpipe_assets_tests.engines.test_conformance import (  # noqa: F401 (run again, on the engine of this module)
    BY_DAY,
    VISITS,
    test_a_limit_behind_the_last_order_counts,
    test_a_table_without_the_key_is_whole_in_each_part,
    test_an_error_quotes_no_value_of_the_data,
    test_each_day_has_its_rows_in_the_order_asked_for,
)

ONE_DAY = date(2026, 1, 5)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[BucketEngine]:
    """Parts of a million rows, on threads; nothing stays aside."""
    engine = BucketEngine(executor=THREADS, aside=tmp_path / "aside", rows_a_bucket=1_000_000)
    yield engine
    assert not list((tmp_path / "aside").glob("frames-*"))


def bucket(number: int = 0) -> Bucket:
    """One of two parts of the visits."""
    rows = f"(select *, cast(as_of - interval 1 microsecond as date) as _day from ({BY_DAY}))"
    return Bucket(rows=rows, tables={"t": VISITS}, params={}, keys=("k",), number=number, parts=2)


def test_parts_leave_together_what_one_pass_leaves(engine: BucketEngine) -> None:
    table = pl.DataFrame({"k": [f"{n}" for n in range(500)], "n": range(500), "day": [ONE_DAY] * 500})
    one = DuckDBEngine().select_by_day(BY_DAY, {"t": table}, {}, rows=500, keys=["k"], days=1)
    with one, engine.select_by_day(BY_DAY, {"t": table}, {}, rows=7_000_000, keys=["k"], days=1) as many:
        expected, found = one.day(ONE_DAY, ["k"]), many.day(ONE_DAY, ["k"])
        assert many.astray(ONE_DAY, ONE_DAY) == []

    assert expected is not None
    assert found is not None
    assert found.equals(expected)


def test_two_executors_of_one_part_leave_its_rows_once(tmp_path: Path) -> None:
    items = [BucketToCopy(engine=DuckDBEngine(), bucket=bucket(n), folder=tmp_path / f"{n}") for n in (0, 1, 0, 1)]

    assert [copy_bucket(item) for item in items] == [True] * 4

    assert sum(pl.read_parquet(path).height for path in tmp_path.glob("*/_day=*/*.parquet")) == VISITS.height
    assert list((tmp_path / "staging").iterdir()) == []


def test_an_executor_that_does_not_see_the_folder_is_told_with_what_to_do(tmp_path: Path) -> None:
    item = BucketToCopy(engine=DuckDBEngine(), bucket=bucket(), folder=tmp_path / "frames-of-another-machine" / "0")

    with pytest.raises(ExecutorError, match=r"has not the data folder that .*frames-of-another-machine is in"):
        copy_bucket(item)


@pytest.mark.parametrize(("hours", "left"), [(0, 1), (2, 0)])
def test_what_a_cancelled_select_wrote_after_its_end_goes_when_it_is_old(tmp_path: Path, hours: int, left: int) -> None:
    late = tmp_path / "frames-late" / "0" / "_day=2026-01-05"
    late.mkdir(parents=True)
    moment = time.time() - 3600 * hours
    os.utime(tmp_path / "frames-late", (moment, moment))

    with Aside(folder=tmp_path).frames():
        assert len([*tmp_path.glob("frames-late")]) == left


def test_a_part_that_does_not_fit_is_cut_again(engine: BucketEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    parts: list[int] = []

    def fits(item: BucketToCopy) -> bool:
        parts.append(item.bucket.parts)
        return item.bucket.parts >= 8 and copy_bucket(item)

    monkeypatch.setattr(bucket_engine, "copy_bucket", fits)
    with engine.select_by_day(BY_DAY, {"t": VISITS}, {}, rows=2_000_000, keys=["k"], days=90) as frames:
        found = frames.day(ONE_DAY, ["n"])

    assert {*parts} == {2, 4, 8}
    assert found is not None
    assert found["n"].to_list() == [1, 2, 4]


def test_a_select_without_keys_stays_whole_and_here(engine: BucketEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_engine, "copy_bucket", None)

    with engine.select_by_day(BY_DAY, {"t": VISITS}, {}, rows=9_000_000, keys=[], days=90) as frames:
        assert frames.day(ONE_DAY, ["n"]) is not None


def test_what_a_part_is_refused_for_is_told_here(engine: BucketEngine) -> None:
    with pytest.raises(RefusedSqlError, match="nowhere"):
        engine.select_by_day("select * from nowhere", {"t": VISITS}, {}, rows=9_000_000, keys=["k"], days=90)


def test_rows_that_a_killed_run_left_aside_are_removed_and_those_of_a_living_one_stay(tmp_path: Path) -> None:
    dead = tmp_path / "frames-dead"
    dead.mkdir()
    (dead / "lock").touch()
    living = Aside(folder=tmp_path).frames()

    other = Aside(folder=tmp_path).frames()

    assert not dead.exists()
    assert len(list(tmp_path.glob("frames-*"))) == 2
    living.close()
    other.close()
    assert list(tmp_path.iterdir()) == []


def test_sent_to_an_executor_it_is_duckdb_alone(engine: Engine) -> None:
    sent = pickle.loads(pickle.dumps(engine))  # noqa: S301 (made in this line)

    assert sent == DuckDBEngine()


def test_memory_that_does_not_suffice_is_a_result(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*_: object) -> None:
        raise duckdb.OutOfMemoryException("full")

    monkeypatch.setattr(DuckDBEngine, "copy_bucket", full)

    assert not copy_bucket(BucketToCopy(engine=DuckDBEngine(), bucket=bucket(), folder=tmp_path / "0"))
