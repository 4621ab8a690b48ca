"""Work as another process does it: on agreed terms or not at all, without a cluster."""

import pickle
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mlpipe_assets.catalog.versions import source_version
from mlpipe_assets.errors import DamagedError, ExecutorError, SettingsError
from mlpipe_assets.executors.executor import THREADS
from mlpipe_assets.executors.registry import open_executor
from mlpipe_assets.executors.remote import Wire, perform, terms, unpack, versions
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.intake.delivery import Delivery
from mlpipe_assets.intake.intake import Pending
from mlpipe_assets.intake.registry import intake_of
from mlpipe_assets.monitoring.profiles import RowsToProfile, profile_rows
from mlpipe_assets.stages.interim.judging import DaysToJudge, JudgedDays, judge_days
from mlpipe_assets.stages.raw.reading import DeliveryToRead, UnreadDelivery, read_one
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.executors import work
from mlpipe_assets_tests.executors.lakes import SOURCES, bring_up_to_date, deliver
from mlpipe_assets_tests.frames import ENGINE, JAN_5, JAN_6, JAN_7
from mlpipe_assets_tests.lake_copies import copy_lake

_REPLACED: Mapping[str, Any] = {
    "delivery": pl.String,
    "record_number": pl.Int64,
    "event_date": pl.Date,
    "replaced_at": pl.Datetime("us", "UTC"),
}
WIRE = Wire(dumps=pickle.dumps, loads=pickle.loads)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The small lake, built."""
    lake = Lake(data_dir=f"{tmp_path_factory.mktemp('built')}")
    deliver(lake)
    bring_up_to_date(lake, THREADS)
    return lake


@pytest.fixture
def lake(built: Lake, tmp_path: Path) -> Lake:
    """A copy of it."""
    return copy_lake(built, tmp_path / "data")


def sent(done: object, item: object, **other: object) -> object:
    """What comes back of work that was sent on our terms, or on others."""
    return unpack(perform({**terms(), **other}, WIRE.dumps((done, item)), WIRE), WIRE)


def test_work_is_done_and_its_result_comes_back() -> None:
    assert sent(work.double, 21) == 42


def test_an_error_comes_back_with_all_that_it_knows() -> None:
    with pytest.raises(DamagedError, match="3 is damaged") as caught:
        sent(work.find_damage, 3)

    assert caught.value.lost == ("file-3",)


@pytest.mark.parametrize("name", ["Python", "polars", "duckdb", "mlpipe_assets"])
def test_whoever_has_another_version_does_nothing(name: str) -> None:
    other = {**versions(), name: "0.0"}

    with pytest.raises(
        ExecutorError, match=rf"has {name} {versions()[name]}, and .* has 0\.0: install the same on both"
    ):
        sent(work.find_damage, 1, versions=other)


def test_what_an_executor_cannot_import_is_told_with_what_to_do() -> None:
    packed = b"cnot_a_package\nwork\n."

    with pytest.raises(ExecutorError, match=r"cannot import what the work needs .*not_a_package.*: install it there"):
        unpack(perform(terms(), packed, WIRE), WIRE)


def test_the_code_of_the_package_is_part_of_its_version() -> None:
    assert len(versions()["mlpipe_assets"]) == 12


def test_no_work_is_sent_that_would_import_dagster() -> None:
    modules = ["stages.raw.reading", "stages.interim.judging", "monitoring.profiles"]
    text = f"import sys, {', '.join(f'mlpipe_assets.{name}' for name in modules)}; print('dagster' in sys.modules)"

    said = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout

    assert said == "False\n"


def test_all_that_work_is_given_can_be_sent(lake: Lake) -> None:
    source = SOURCES[0]
    ledger = Ledger.load(lake, source.name)

    item = WIRE.loads(WIRE.dumps(to_judge(lake, ledger)))

    assert item.lake == lake
    assert list(item.ledger.deliveries) == [d.delivery for d in ledger.of_day(JAN_5)]
    later = ledger.part([JAN_6, JAN_7])
    assert len(later.deliveries) == 2
    assert WIRE.loads(WIRE.dumps(later)).order == {name: ledger.order[name] for name in later.deliveries}
    judged = WIRE.loads(WIRE.dumps(judge_days(item)))
    assert [day.accepted for day in judged.days] == [20]
    assert judged.days[0].staged.temporary.exists()


def test_work_on_a_damaged_file_is_a_result_and_heals_nothing(lake: Lake) -> None:
    ledger = Ledger.load(lake, "orders")
    damaged = ledger.event_path(ledger.of_day(JAN_5)[0], JAN_5)
    damaged.write_bytes(b"something else")

    found = judge_days(to_judge(lake, ledger))

    assert isinstance(found, DamagedError)
    assert damaged.read_bytes() == b"something else"


def test_a_delivery_that_cannot_be_read_is_a_result(lake: Lake) -> None:
    source = SOURCES[0]
    file = Pending(name="orders_2026-01-09.csv.gz", mark={}, modified_ns=0, final=False)
    item = DeliveryToRead(
        lake=lake,
        source=source,
        version=source_version(source),
        intake=intake_of(lake, source),
        file=file,
        delivery=delivery_of(file),
    )

    found = read_one(item)

    assert isinstance(found, UnreadDelivery)
    assert found.is_final
    assert found.problem.startswith("broken or cut gzip file")


def test_a_declaration_that_was_loaded_before_it_changed_is_refused(lake: Lake) -> None:
    ledger = Ledger.load(lake, "orders")

    with pytest.raises(ExecutorError, match=r"another declaration of orders .* Start the executors again"):
        judge_days(to_judge(lake, ledger, version="of yesterday"))


def test_a_machine_that_does_not_see_the_lake_is_told_apart_from_damage(lake: Lake, tmp_path: Path) -> None:
    item = to_judge(lake, Ledger.load(lake, "orders"))

    with pytest.raises(ExecutorError, match=r"has no lake in .*elsewhere\. Mount the data folder there"):
        judge_days(replace(item, lake=Lake(data_dir=str(tmp_path / "elsewhere"))))


@pytest.mark.parametrize("what", ["another lake", "a copy"])
def test_a_machine_with_another_folder_under_the_same_path_is_refused(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr("mlpipe_assets.store.presence._PATIENCE", 0.0)
    days = to_judge(lake, Ledger.load(lake, "orders"))
    rows = RowsToProfile(lake=lake, file=tmp_path / "part.parquet", sha256="0" * 64, bins={})
    copy = tmp_path / "copy"
    shutil.copytree(lake.root, copy, ignore=shutil.ignore_patterns(*(() if what == "a copy" else ("raw", "interim"))))
    packed: list[tuple[Any, bytes]] = [
        (judge_days, WIRE.dumps(days)),
        (profile_rows, WIRE.dumps(rows)),
    ]  # the copy is older
    assert isinstance(judge_days(WIRE.loads(packed[0][1])), JudgedDays)

    lake.root.rename(tmp_path / "away")
    copy.rename(lake.root)
    for done, item in packed:
        with pytest.raises(
            ExecutorError, match=r"has another folder than .* or a copy of it, in .*\. Mount the data folder there"
        ):
            done(WIRE.loads(item))


def test_what_shows_the_presence_of_a_process_goes_with_it(tmp_path: Path) -> None:
    text = "import pickle; from pathlib import Path; from mlpipe_assets.store.lake import Lake; lake = Lake(data_dir='lake'); "
    text += "pickle.dumps(lake); pickle.dumps(lake); print(len([*Path('lake/meta/locks/seen').iterdir()]))"

    done = subprocess.run([sys.executable, "-c", text], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert done.stdout == "1\n"
    assert list((tmp_path / "lake" / "meta" / "locks" / "seen").iterdir()) == []


def test_a_profile_of_a_file_that_was_changed_is_none(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    path.write_bytes(b"something else")

    assert profile_rows(RowsToProfile(lake=lake, file=path, sha256="0" * 64, bins={})) is None


def test_an_address_of_no_cluster_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        SettingsError, match=r"begins with 'ray', .* threads, dask://HOST:8786, spark://HOST:7077 or sc://"
    ):
        open_executor("ray://somewhere:1")


def test_threads_do_the_work_unless_told_otherwise() -> None:
    assert open_executor() is THREADS


def to_judge(lake: Lake, ledger: Ledger, version: str | None = None) -> DaysToJudge:
    source = SOURCES[0]
    return DaysToJudge(
        lake=lake,
        engine=ENGINE,
        source=source,
        version=version or source_version(source),
        ledger=ledger.part([JAN_5]),
        corrected=frozenset(),
        days=(JAN_5,),
        replaced=pl.DataFrame(schema={**_REPLACED}),
    )


def delivery_of(file: Pending) -> Delivery:
    """A delivery as it is known before it is read."""
    known = datetime(2026, 1, 9, tzinfo=UTC)
    return Delivery(
        source="orders",
        delivery="d" * 64,
        source_file=file.name,
        content="c" * 64,
        known_at=known,
        known_by="name",
        modified_ns=0,
        arrived=known.date(),
        events={},
    )
