"""The lake from Python: what a notebook reads, as the docstring shows it."""

import doctest
import re
import subprocess
import sys
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import mlpipe_assets.project
from mlpipe_assets.cli import main
from mlpipe_assets.errors import MissingPartitionError, RunError, SettingsError
from mlpipe_assets.pandas_frames import to_pandas
from mlpipe_assets.project import Project
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.dagster_homes import quiet_home
from mlpipe_assets_tests.planted import ANN, START, day, drop_customers, drop_orders, one_a_day


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The data folder of three days, built once; its name holds what a glob would read."""
    place = tmp_path_factory.mktemp("project") / "data [alt]"
    lake = Lake(data_dir=str(place))
    for n in (1, 2, 3):
        drop_orders(lake, f"orders_{day(n)}.csv", one_a_day(n, n, ("ann", "bob")))
    drop_customers(lake, f"customers_{START}.csv", ANN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLPIPE_DATA_DIR", str(place))
        patch.setenv("MLPIPE_SETTLE_SECONDS", "0")
        patch.setenv("DAGSTER_HOME", str(quiet_home(place.parent)))
        assert main(["run", "--quiet"]) == 0
    return str(place)


def test_the_examples_of_the_docstring_hold(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLPIPE_DATA_DIR", root)

    failed, tried = doctest.testmod(mlpipe_assets.project)

    assert (failed, tried > 5) == (0, True)


def test_a_table_has_two_names_and_its_days(root: str) -> None:
    project = Project(root)

    clean = project.read("interim/orders", first=date(2026, 1, 2))

    assert_frame_equal(project.read("stg.orders", first="2026-01-02"), clean)
    assert clean["date"].unique().sort().to_list() == [date(2026, 1, 2), date(2026, 1, 3)]
    assert (
        project.read("monitoring/orders", "2026-01-01").height
        == project.status()
        .filter((pl.col("table") == "monitoring/orders") & (pl.col("date") == date(2026, 1, 1)))["rows"]
        .item()
    )


def test_a_frame_is_read_by_pandas_without_pyarrow(root: str) -> None:
    project = Project(root)

    assert list(project.pandas("features/customer_features", "2026-01-03")["orders_7d"]) == [3, 3]
    assert list(to_pandas(project.sql("select 1 as one"))["one"]) == [1]


def test_a_frame_is_arrow_to_what_takes_arrow(root: str) -> None:
    project = Project(root)

    assert hasattr(project.read("features/customer_features", "2026-01-03"), "__arrow_c_stream__")
    if find_spec("pyarrow"):
        assert project.arrow("stg.orders", first="2026-01-02").num_rows == 4
    else:
        with pytest.raises(ModuleNotFoundError, match="pyarrow"):
            project.arrow("stg.orders", first="2026-01-02")


def test_a_notebook_reads_without_dagster_and_imports_little(root: str) -> None:
    program = """
import sys
from mlpipe_assets.project import Project
print("pandera" in sys.modules)
project = Project(sys.argv[1])
project.read("stg.orders"), project.sql("select 1"), project.status()
print("dagster" in sys.modules)
"""

    done = subprocess.run([sys.executable, "-c", program, root], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False", "False"]
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("table", "wanted", "said"),
    [
        ("interim/order", None, "There is no table 'interim/order'; there are interim/orders, interim/customers"),
        (
            "interim/orders",
            "2025-12-31",
            "there is no partition of 2025-12-31 to 2025-12-31; there are 2026-01-01 to 2026-01-03",
        ),
        ("predictions/repeat_purchase", None, "there is no partition yet. Next: mlpipe run"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(root: str, table: str, wanted: str | None, said: str) -> None:
    with pytest.raises(MissingPartitionError, match=re.escape(said)):
        Project(root).read(table, wanted)


def test_a_day_that_is_none_is_refused(root: str) -> None:
    with pytest.raises(SettingsError, match="write it as 2026-01-31"):
        Project(root).read("interim/orders", "5 January")


def test_a_run_says_what_it_built_and_a_second_one_builds_nothing(tmp_path: Path) -> None:
    lake = Lake(data_dir=str(tmp_path))
    drop_orders(lake, f"orders_{day(2)}.csv", one_a_day(1, 2))
    drop_customers(lake, f"customers_{START}.csv", ANN)
    project = Project(tmp_path)

    built = project.run(last=f"{day(1)}")

    assert built.filter(pl.col("table").is_in(["interim/orders", "features/customer_features"])).drop(
        "seconds"
    ).rows() == [
        ("interim/orders", 1, day(1), day(1)),
        ("features/customer_features", 1, day(1), day(1)),
    ]
    assert "features/customer_features" in project.run()["table"].to_list()
    assert project.run().is_empty()


def test_a_run_names_everything_that_needs_a_person_after_building_the_rest(tmp_path: Path) -> None:
    lake = Lake(data_dir=str(tmp_path))
    drop_orders(lake, f"orders_{day(1)}.csv", one_a_day(1, 1))
    drop_customers(lake, f"customers_{START}.csv", ANN)
    (tmp_path / "raw" / "orders" / f"orders_{day(2)}.csv").write_bytes(b"\x00\x01")
    project = Project(tmp_path)

    with pytest.raises(RunError, match="What could be built was built; a person has to look at the rest") as raised:
        project.run()

    assert any(f"orders_{day(2)}.csv" in problem for problem in raised.value.problems)
    assert project.days("features/customer_features") == [day(1)]


def test_a_run_of_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        Project(tmp_path / "mistyped").run()


def test_the_address_of_a_bucket_is_no_folder() -> None:
    with pytest.raises(SettingsError, match="For a lake in a bucket set MLPIPE_DATA_DIR to its address"):
        Project("s3://lake/shop")


def test_days_that_are_missing_from_a_frame_are_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lake = Lake(data_dir=str(tmp_path))
    rows = pl.DataFrame({"order_id": ["o1"]})
    for n in (1, 3):
        lake.commit(lake.stage(lake.path("interim", "orders", day(n)), rows, {}))
    project = Project(tmp_path)

    assert project.read("stg.orders").height == project.sql("select 1 from stg.orders").height == 2
    assert [m.partition(":")[0] for m in caplog.messages] == ["stg.orders has no 2026-01-02"] * 2

    caplog.clear()
    assert project.read("stg.orders", "2026-01-03").height == 1
    assert caplog.messages == []
