"""The lake from Python: what a notebook reads, as the docstring shows it."""

import doctest
import re
from datetime import date

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import mlpipe_assets.project
from mlpipe_assets.cli import main
from mlpipe_assets.errors import MissingPartitionError, SettingsError
from mlpipe_assets.project import Project, to_pandas
from mlpipe_assets.resources.lake import Lake
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
    frame = to_pandas(Project(root).read("features/customer_features", "2026-01-03"))

    assert list(frame["orders_7d"]) == [3, 3]


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
