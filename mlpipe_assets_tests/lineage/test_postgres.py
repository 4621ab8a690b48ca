"""The same history recorded in PostgreSQL: equal to what SQLite has, by several writers, and of one lake only."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlpipe_assets.errors import SettingsError
from mlpipe_assets.lineage.asking import Lineage
from mlpipe_assets.lineage.database import LineageError, open_database
from mlpipe_assets.lineage.recording import Recorder
from mlpipe_assets.store.copies.known_files import NOTE
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.lineage.history import BAD, bring, drop, lived
from mlpipe_assets_tests.planted import ANN, START, day, drop_customers, planted_catalog
from mlpipe_assets_tests.servers import postgres_server

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An empty PostgreSQL."""
    with postgres_server(tmp_path_factory.mktemp("postgres")) as found:
        yield found


def test_postgres_answers_as_sqlite_does(address: str, tmp_path: Path) -> None:
    catalog, lake = lived(tmp_path)
    here = Lineage(lake=lake, catalog=catalog)
    there = Lineage(lake=lake, catalog=catalog, address=f"{address}?schema=alike")

    wanted = (
        here.artifacts()
        .filter("is_held")
        .select("type", "table", "partition", "digest")
        .sort("type", "table", "partition")
    )
    found = (
        there.artifacts()
        .filter("is_held")
        .select("type", "table", "partition", "digest")
        .sort("type", "table", "partition")
    )

    assert found.equals(wanted)
    named = [sorted(one.back("features/spend@2026-01-05").select("table", "partition").rows()) for one in (here, there)]
    assert named[0] == named[1]
    assert there.blame(BAD).found == []  # what the lake held before its lineage was kept there is not on record
    present = there.artifacts("File").filter(partition=BAD, is_held=True)["digest"].item()
    assert {one.table: one.days for one in there.blame(f"{BAD}#{present}").tables} == {
        "raw/orders": ("2026-01-03",),
        "interim/orders": ("2026-01-03",),
        "features/spend": ("2026-01-03", "2026-01-04", "2026-01-05"),
        "processed/returning": ("2026-01-05", "2026-01-06"),
    }
    assert sorted(there.tables_of()) == [
        "artifacts",
        "associations",
        "attributions",
        "contexts",
        "events",
        "executions",
    ]


def test_a_run_on_the_copy_of_a_bucket_records_in_postgres(address: str, tmp_path: Path) -> None:
    lake, catalog = Lake(data_dir=str(tmp_path / "data")), planted_catalog(tmp_path / "sql")
    drop_customers(lake, f"customers_{START}.csv", ANN)
    drop(lake, 1)
    (tmp_path / NOTE).write_text("{}")
    mine = f"{address}?schema=bucket"

    bring(replace(lake, written=Recorder(catalog=catalog, address=mine, run="one")), catalog, [day(1)])

    executions, _ = Lineage(lake=lake, catalog=catalog, address=mine).of_context("run", "one")
    assert [one.name for one in executions] == [
        "raw/orders@2026-01-01",
        "interim/orders@2026-01-01",
        "raw/customers@2026-01-01",
        "interim/customers@2026-01-01",
        "features/spend@2026-01-01",
    ]


def test_a_schema_is_of_one_lake(address: str, tmp_path: Path) -> None:
    first, second = Lake(data_dir=str(tmp_path / "first")), Lake(data_dir=str(tmp_path / "second"))
    with open_database(first, f"{address}?schema=own").writing() as connection:
        assert connection.all("select count(*) from artifacts") == [(0,)]

    with (
        pytest.raises(LineageError, match="has the lineage of another data folder") as caught,
        open_database(second, f"{address}?schema=own").reading(),
    ):
        pass

    assert "s3cret" not in f"{caught.value}"
    with (
        pytest.raises(SettingsError, match="no name of a schema"),
        open_database(first, f"{address}?schema=A;b").reading(),
    ):
        pass


def test_a_server_that_is_down_fails_no_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lake, catalog = Lake(data_dir=str(tmp_path / "data")), planted_catalog(tmp_path / "sql")
    drop_customers(lake, f"customers_{START}.csv", ANN)
    drop(lake, 1)
    down = Recorder(catalog=catalog, address="postgresql://keeper:s3cret@127.0.0.1:1/lineage", run="one")

    bring(replace(lake, written=down), catalog, [day(1)])

    assert lake.days("features", "spend") == [day(1)]
    assert "Is MLPIPE_METADATA_URL right, and the server up?" in caplog.text
    assert "s3cret" not in caplog.text
