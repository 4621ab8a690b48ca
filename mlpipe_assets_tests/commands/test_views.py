"""mlpipe show-sql and mlpipe scaffold."""

from pathlib import Path

import pytest

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.catalog.feature_views import customer_features
from mlpipe_assets.cli import main

_VIEW = """
import pandera.polars as pa

from mlpipe_assets.catalog.aggregates import Aggregate, From
from mlpipe_assets.catalog.declarations import Catalog, FeatureView
from mlpipe_assets.catalog.entities import customer
from mlpipe_assets.catalog.sources import SOURCES

spending = FeatureView(
    name="spending",
    entity=customer,
    source="orders",
    aggregates=(Aggregate("{function}", "amount", name="spent", days=(7,)),),
    contract=pa.DataFrameModel,
)
CATALOG = Catalog(sources=SOURCES, feature_views=(spending,))
"""


def project(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, function: str) -> None:
    """A catalog whose only view has no contract yet; `name` is a module that no other test imports."""
    (folder / f"{name}.py").write_text(_VIEW.format(function=function))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MLPIPE_CATALOG", f"{name}:CATALOG")


def test_the_sql_of_a_view_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show-sql", "customer_features"]) == 0

    assert capsys.readouterr().out == CATALOG.view_sql(customer_features)


def test_days_take_the_place_of_parameters_and_not_in_comments(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show-sql", "customer_features", "--from", "2026-01-05", "--to", "2026-01-11"]) == 0

    printed = capsys.readouterr().out
    assert "-- params: $start, $end date" in printed
    assert "where date >= date '2026-01-05' - 90 and date <= date '2026-01-11'" in printed


def test_a_view_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show-sql", "customers"]) == 2

    assert (
        "No feature view 'customers'; there are customer_features, channel_features, next_channel_features."
        in capsys.readouterr().err
    )


def test_a_contract_is_printed_before_there_is_one_and_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project(tmp_path, monkeypatch, "spending_to_be", "sum")

    assert main(["scaffold", "view", "spending"]) == 0

    written = capsys.readouterr().out
    text = _VIEW.format(function="sum").replace("contract=pa.DataFrameModel", "contract=Spending")
    (tmp_path / "spending_contract.py").write_text(written)
    (tmp_path / "spending_that_is.py").write_text(f"from spending_contract import Spending\n{text}")
    monkeypatch.setenv("MLPIPE_CATALOG", "spending_that_is:CATALOG")
    assert main(["show-sql", "spending"]) == 0


def test_no_contract_is_printed_for_what_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project(tmp_path, monkeypatch, "spending_wrong", "total")

    assert main(["scaffold", "view", "spending"]) == 2

    assert "aggregate 'spent': function 'total' is none of count, sum, mean" in capsys.readouterr().err


def test_the_sql_of_a_catalog_that_does_not_hold_together_can_be_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "watches_nothing.py").write_text("""
from mlpipe_assets.catalog.declarations import Catalog, Monitor
from mlpipe_assets.catalog.feature_views import customer_features
from mlpipe_assets.catalog.sources import SOURCES

CATALOG = Catalog(sources=SOURCES, feature_views=(customer_features,), monitors=(Monitor(table="features/none"),))
""")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLPIPE_CATALOG", "watches_nothing:CATALOG")

    assert main(["show-sql", "customer_features"]) == 2

    printed = capsys.readouterr()
    assert printed.out == CATALOG.view_sql(customer_features)
    assert "features/none" in printed.err
