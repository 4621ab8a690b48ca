"""When lineage is recorded: after a publication, whole or not at all, each thing once, whoever is killed."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.lineage.book import Book
from mlpipe_assets.lineage.database import LineageError, SqliteDatabase, open_database
from mlpipe_assets.lineage.recording import Recorder
from mlpipe_assets.lineage.terms import Execution, Key, Told
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.stages.interim.asset import build_interim
from mlpipe_assets.store import keys
from mlpipe_assets.store.copies.known_files import NOTE
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.tagging.making import make_tag, remove_tag
from mlpipe_assets_tests.frames import take
from mlpipe_assets_tests.lineage.history import ask, bring, drop, run_as
from mlpipe_assets_tests.planted import ANN, START, day, drop_customers, planted_catalog, spend
from mlpipe_assets_tests.tagging.lakes import NOON

TWO_DAYS = [day(1), day(2)]


@pytest.fixture
def begun(tmp_path: Path) -> tuple[Catalog, Lake]:
    """Files of two days, not taken yet."""
    lake = Lake(data_dir=str(tmp_path / "data"))
    drop_customers(lake, f"customers_{START}.csv", ANN)
    for number in (1, 2):
        drop(lake, number)
    return planted_catalog(tmp_path / "sql"), lake


def recorded(lake: Lake) -> list[Execution]:
    """Every execution on record, without recording any."""
    with SqliteDatabase(root=lake.root).reading() as connection:
        rows = connection.all("select id, type, name, run, state, at, inputs from executions order by id")
    return [Execution(id=r[0], type=r[1], name=r[2], run=r[3], state=r[4], at=r[5], inputs=r[6]) for r in rows]


def names(lake: Lake, run: str) -> list[str]:
    return sorted(one.name for one in recorded(lake) if one.run == run)


ALL = [
    "features/spend@2026-01-01",
    "features/spend@2026-01-02",
    "interim/customers@2026-01-01",
    "interim/orders@2026-01-01",
    "interim/orders@2026-01-02",
    "raw/customers@2026-01-01",
    "raw/orders@2026-01-01",
    "raw/orders@2026-01-02",
]


def test_a_run_records_each_partition_it_publishes_once(begun: tuple[Catalog, Lake]) -> None:
    catalog, lake = begun
    bring(run_as(lake, catalog, "one"), catalog, TWO_DAYS)
    assert names(lake, "one") == ALL

    bring(run_as(lake, catalog, "two"), catalog, TWO_DAYS)  # the same bytes again

    assert names(lake, "two") == []
    assert len(recorded(lake)) == len(ALL)


def test_a_recording_that_is_killed_leaves_nothing_and_the_next_run_makes_good_for_it(
    begun: tuple[Catalog, Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog, lake = begun
    killed = run_as(lake, catalog, "killed")
    with monkeypatch.context() as patch:
        patch.setattr(Book, "_add_contexts", _die)  # events of the first table are written by then
        with pytest.raises(KeyboardInterrupt):
            bring(killed, catalog, TWO_DAYS)
    assert recorded(lake) == []

    bring(run_as(lake, catalog, "next"), catalog, TWO_DAYS)

    assert sorted(one.name for one in recorded(lake)) == ALL


def _die(*_: object) -> None:
    raise KeyboardInterrupt


def test_what_was_published_and_not_recorded_is_recorded_by_whoever_uses_it(begun: tuple[Catalog, Lake]) -> None:
    catalog, lake = begun
    bring(lake, catalog, [day(1)])  # nobody records, as when a run is killed after each publication
    assert recorded(lake) == []

    with run_as(lake, catalog, "next").writing("features", "spend"):
        pass

    afterwards = [one for one in recorded(lake) if not one.run]
    assert sorted(one.name for one in afterwards) == [
        "features/spend@2026-01-01",
        "interim/customers@2026-01-01",
        "interim/orders@2026-01-01",
        "raw/customers@2026-01-01",
        "raw/orders@2026-01-01",
        "raw/orders@2026-01-02",
    ]
    assert ask(catalog, lake).back("features/spend@2026-01-01").filter(type="File")["partition"].sort().to_list() == [
        "customers_2026-01-01.csv",
        "orders_2026-01-01.csv",
    ]


def test_what_is_recorded_after_its_inputs_have_changed_says_so(begun: tuple[Catalog, Lake]) -> None:
    catalog, lake = begun
    bring(lake, catalog, TWO_DAYS)
    drop(lake, 1, amount="20.00")
    bring_in_only(lake, catalog, "orders")

    asked = ask(catalog, lake)
    found = asked.blame("interim/orders@2026-01-01")

    assert {one.table: one.doubtful for one in found.tables} == {"features/spend": 2}


def bring_in_only(lake: Lake, catalog: Catalog, name: str) -> None:
    """Take the files of a source and build its clean days, and nothing that follows."""
    source = catalog.source(name)
    take(lake, source)
    build_interim(lake, DuckDBEngine(), source, TWO_DAYS if source.event_time else [START])


def test_what_a_corrected_file_made_stands_no_more_and_asks_for_nothing(begun: tuple[Catalog, Lake]) -> None:
    catalog, lake = begun
    bring(run_as(lake, catalog, "one"), catalog, TWO_DAYS)
    drop(lake, 1, amount="99.00")
    bring(run_as(lake, catalog, "two"), catalog, TWO_DAYS)

    found = ask(catalog, lake).blame("orders_2026-01-01.csv")

    assert {one.table: (one.days, one.replaced) for one in found.tables} == {
        "raw/orders": ((), ("2026-01-01",)),
        "interim/orders": ((), ("2026-01-01",)),
        "features/spend": ((), ("2026-01-01", "2026-01-02")),
    }
    assert found.to_do == []


def test_two_writers_wait_for_each_other(tmp_path: Path) -> None:
    database = SqliteDatabase(root=tmp_path)
    problems: list[BaseException] = []

    def write(name: str) -> None:
        try:
            for number in range(10):
                with database.writing() as connection:
                    made = Key("interim/orders", name, f"{number}")
                    told = Told(type="interim", name=made.name, made=made, made_type="CleanTable")
                    Book(connection=connection, at="now").record([told], name)
        except BaseException as error:  # noqa: BLE001 (shown by the assertion)
            problems.append(error)

    writers = [threading.Thread(target=write, args=(name,)) for name in ("a", "b", "c")]
    for one in writers:
        one.start()
    for one in writers:
        one.join()

    with database.reading() as connection:
        counts = [
            connection.all(f"select count(*) from {table}")[0][0] for table in ("executions", "artifacts", "held")
        ]
    assert (problems, counts) == ([], [30, 30, 3])


def _newer(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("pragma user_version = 99")
    connection.close()


@pytest.mark.parametrize("spoil", [lambda path: path.write_bytes(b"no database" * 200), _newer])
def test_a_record_that_cannot_be_written_fails_no_run(
    begun: tuple[Catalog, Lake], caplog: pytest.LogCaptureFixture, spoil: Callable[[Path], None]
) -> None:
    catalog, lake = begun
    path = lake.root / keys.LINEAGE_FILE
    path.parent.mkdir(parents=True)
    spoil(path)

    bring(run_as(lake, catalog, "one"), catalog, TWO_DAYS)

    assert lake.days("features", "spend") == TWO_DAYS
    assert "features/spend: its lineage is not on record yet, the next run records it." in caplog.text


def test_a_tag_is_a_context_of_what_it_pins(begun: tuple[Catalog, Lake], tmp_path: Path) -> None:
    catalog, lake = begun
    bring(run_as(lake, catalog, "one"), catalog, TWO_DAYS)
    make_tag(lake, catalog, "v1", tables=["interim/orders"], message="", now=NOON, root=tmp_path)

    _, artifacts = ask(catalog, lake).of_context("tag", "v1")

    assert [one.key.name for one in artifacts] == ["interim/orders@2026-01-01", "interim/orders@2026-01-02"]
    assert ask(catalog, lake).blame("orders_2026-01-02.csv").tags == {"v1": 1}
    remove_tag(lake, "v1")
    assert ask(catalog, lake).blame("orders_2026-01-02.csv").tags == {}


def test_a_lake_in_a_bucket_without_a_database_records_nothing_and_says_so(begun: tuple[Catalog, Lake]) -> None:
    catalog, lake = begun
    (lake.root.parent / NOTE).write_text("{}")  # what is beside the copy of a bucket

    bring(run_as(lake, catalog, "one"), catalog, TWO_DAYS)

    assert not (lake.root / keys.LINEAGE).exists()
    with pytest.raises(LineageError, match=r"A lake in a bucket keeps its lineage in PostgreSQL.*MLPIPE_METADATA_URL"):
        open_database(lake)


def test_a_table_that_no_catalog_has_is_nobodys_business(begun: tuple[Catalog, Lake]) -> None:
    catalog, lake = begun

    Recorder(catalog=catalog)(lake, "meta", "registry")

    assert not (lake.root / keys.LINEAGE).exists()


def test_inputs_are_recorded_as_they_were_read_whatever_is_published_meanwhile(begun: tuple[Catalog, Lake]) -> None:
    catalog, lake = begun
    for source in catalog.sources:
        bring_in_only(lake, catalog, source.name)
    read = lake.state("interim", "orders").digest(day(1))
    mine = run_as(lake, catalog, "mine")

    with mine.writing("features", "spend"):
        build_features(mine, DuckDBEngine(), catalog, spend, TWO_DAYS)
        drop(lake, 1, amount="20.00")
        bring_in_only(Lake(data_dir=lake.data_dir), catalog, "orders")  # another run, before this one has recorded

    assert lake.state("interim", "orders").digest(day(1)) != read
    with SqliteDatabase(root=lake.root).reading() as connection:
        given = connection.all(
            "select a.digest from artifacts a join events e on e.artifact_id = a.id and e.type = 'INPUT' join executions x "
            "on x.id = e.execution_id where a.table_name = 'interim/orders' and a.partition_name = ? and x.name = ?",
            (f"{day(1)}", f"features/spend@{day(2)}"),
        )
    assert [row[0] for row in given] == [read]
