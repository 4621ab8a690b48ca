"""A view whose entity is a pair: built, proved, cut into parts and read back by both keys."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import pandera.polars as pa
import polars as pl
import pytest

from mlpipe_assets.catalog.declarations import Catalog, Entity, FeatureView
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.catalog.validation.sql_lint import lint_view
from mlpipe_assets.engines import duckdb_engine
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets_tests.planted import day, planted_catalog, planted_lake

SQL = """
select o.customer_id, o.channel, cast(d.day + 1 as timestamp) as as_of, count(*) as orders
from days as d
inner join orders as o on o.date <= d.day and o.date > d.day - 3
group by o.customer_id, o.channel, d.day
order by as_of, customer_id, channel
"""
ORDERS = [
    ("o1", "ann", day(1), "5.00", "web"),
    ("o2", "ann", day(1), "5.00", "store"),
    ("o3", "bob", day(2), "5.00", "web"),
    ("o4", "ann", day(2), "5.00", "web"),
    ("o5", "bob", day(3), "5.00", "web"),
]


class Pairs(pa.DataFrameModel):
    """Orders of a customer by a channel in three days. Grain: customer_id, channel."""

    customer_id: str
    channel: str
    as_of: Annotated[pl.Datetime, "us", "UTC"]
    orders: pl.Int64 = pa.Field(ge=1)

    class Config:
        strict = True
        unique = ("customer_id", "channel")


pairs = FeatureView(
    name="pairs",
    entity=Entity(name="customer_channel", join_keys=("customer_id", "channel")),
    inputs=("orders",),
    sql="pairs.sql",
    contract=Pairs,
    lookback=timedelta(days=3),
)


def catalog_of(folder: Path, sql: str = SQL) -> Catalog:
    """Orders and the view of pairs."""
    folder.mkdir()
    (folder / "pairs.sql").write_text(sql)
    return Catalog(sources=(orders,), feature_views=(pairs,), sql_dir=folder)


@pytest.mark.parametrize("rows_a_pass", [1, 1_000])
def test_a_pair_is_described_by_its_own_rows(rows_a_pass: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_engine, "_ROWS_A_PASS", rows_a_pass)
    monkeypatch.setattr(duckdb_engine, "_DAYS_A_PASS", 1)
    lake = planted_lake(tmp_path / "data", planted_catalog(tmp_path / "sql"), ORDERS, {})
    catalog = catalog_of(tmp_path / "pairs")

    outcomes, proof = build_features(lake, DuckDBEngine(), catalog, pairs, [day(2), day(3)])

    assert [(o.day, o.refused) for o in outcomes] == [(day(2), None), (day(3), None)]
    assert (proof.passed, proof.metadata["rows_compared"]) == (True, 6)
    assert lake.read("features", "pairs", day(3)).select("customer_id", "channel", "orders").rows() == [
        ("ann", "store", 1),
        ("ann", "web", 2),
        ("bob", "web", 2),
    ]


def test_a_window_to_the_wrong_side_is_found_for_pairs_too(tmp_path: Path) -> None:
    lake = planted_lake(tmp_path / "data", planted_catalog(tmp_path / "sql"), ORDERS, {})
    catalog = catalog_of(tmp_path / "pairs", SQL.replace("o.date <= d.day ", "o.date <= d.day + 1 "))

    _, proof = build_features(lake, DuckDBEngine(), catalog, pairs, [day(1), day(2)])

    assert not proof.passed
    assert lake.days("features", "pairs") == []


def test_a_figure_of_one_key_alone_is_one_of_other_pairs(tmp_path: Path) -> None:
    sql = """
    with totals as (select customer_id, count(*) as n from orders where date <= $end group by customer_id)
    select o.customer_id, o.channel, cast(d.day + 1 as timestamp) as as_of, max(t.n) as orders
    from days as d
    inner join orders as o on o.date <= d.day
    inner join totals as t on o.customer_id = t.customer_id
    group by o.customer_id, o.channel, d.day
    """

    found = lint_view(catalog_of(tmp_path / "pairs", sql), pairs)

    assert any("count(*) is not grouped by channel" in line.lower() for line in found)
    assert lint_view(catalog_of(tmp_path / "fine"), pairs) == []
