"""A model of several views without a spine: it has the rows of the first view it names."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pandera.polars as pa
import polars as pl
import pytest

from mlpipe_assets.catalog.declarations import Catalog, Entity, FeatureView, Model
from mlpipe_assets.catalog.sources import customers, orders
from mlpipe_assets.commands.feature_list import list_views
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.errors import CatalogError
from mlpipe_assets.explain.rows import rows_behind
from mlpipe_assets.partitions import days_between
from mlpipe_assets.point_in_time.windows import Inputs
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.stages.features.plan import feature_work
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.planted import (
    RETURNING_SQL,
    SPEND_SQL,
    UtcTime,
    bring_in,
    day,
    drop_orders,
    one_a_day,
    planted_lake,
    spend,
    write_sql,
)


class Channels(pa.DataFrameModel):
    """Channels of each customer over three days. Grain: customer_id."""

    customer_id: str = pa.Field(unique=True)
    as_of: UtcTime
    channels: pl.Int64

    class Config:
        strict = True


class Again(pa.DataFrameModel):
    """Spend and channels with whether the customer came back. Grain: customer_id, as_of."""

    customer_id: str
    as_of: UtcTime
    orders_3d: pl.Int64 = pa.Field(nullable=True)
    channels: pl.Int64 = pa.Field(nullable=True)
    label: bool = pa.Field(metadata={"environments": ["training"]})

    class Config:
        strict = True
        unique = ("customer_id", "as_of")


CHANNELS_SQL = """
select o.customer_id, cast(d.day + 1 as timestamp) as as_of, cast(count(distinct o.channel) as bigint) as channels
from days as d
inner join orders as o on o.date > d.day - 2 and o.date <= d.day
group by o.customer_id, d.day
"""


def catalog_of(folder: Path, **changed: object) -> Catalog:
    write_sql(folder, spend=SPEND_SQL, channels=CHANNELS_SQL, returning=RETURNING_SQL)
    channels = FeatureView(
        name="channels",
        entity=Entity(name="customer", join_keys=("customer_id",)),
        inputs=("orders",),
        sql="channels.sql",
        contract=Channels,
        lookback=timedelta(days=2),
    )
    again = Model(
        name="again",
        features=("spend:orders_3d", "channels:*"),
        inputs=("orders",),
        sql="returning.sql",
        contract=Again,
        horizon=timedelta(days=2),
        embargo=timedelta(days=2),
        every=timedelta(days=1),
    )
    models = (replace(again, **changed),)  # type: ignore[arg-type]
    return Catalog(sources=(orders, customers), feature_views=(spend, channels), models=models, sql_dir=folder)


def describe(lake: Lake, catalog: Catalog, last: int) -> list[str | None]:
    days = days_between(day(1), day(last))
    return [
        o.refused
        for view in catalog.feature_views
        for o in build_features(lake, DuckDBEngine(), catalog, view, days)[0]
    ]


def test_it_has_a_row_for_each_of_the_first_view_with_the_features_of_the_others(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path / "sql")
    lake = planted_lake(tmp_path / "data", catalog, [*one_a_day(1, 3), *one_a_day(1, 1, ("bob",))])

    assert describe(lake, catalog, 3) == [None] * 9

    rows = lake.read("features", "again_features", day(3))
    assert rows.select("customer_id", "orders_3d", "channels").rows() == [("ann", 3, 1), ("bob", 1, None)]
    assert rows["as_of"].to_list() == lake.read("features", "spend", day(3))["as_of"].to_list()


def test_a_late_order_builds_its_days_again(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path / "sql")
    lake = planted_lake(tmp_path / "data", catalog, one_a_day(1, 5))
    describe(lake, catalog, 5)
    view = catalog.model("again").view
    assert feature_work(lake, catalog, view, lambda _: True).days == ()

    drop_orders(lake, "orders_2026-07-01.csv", [("late", "bob", day(2), "1.00", "app")])
    bring_in(lake, catalog)
    for one in catalog.feature_views[:2]:
        build_features(lake, DuckDBEngine(), catalog, one, days_between(day(2), day(4)))

    assert feature_work(lake, catalog, view, lambda _: True).days == (day(2), day(3), day(4))


def test_its_sql_is_shown_and_its_rows_need_no_spine(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path / "sql")
    lake = planted_lake(tmp_path / "data", catalog, one_a_day(1, 2))

    listed = {one.view: one for one in list_views(lake, catalog)}["again_features"]

    assert {feature.name: feature.of for feature in listed.features} == {
        "orders_3d": ("spend:orders_3d",),
        "channels": ("channels:channels",),
    }
    assert catalog.view_sql(catalog.model("again").view) == "select customer_id, as_of\nfrom rows\n"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"spine_at": "any_time"}, 'spine_at="any_time" takes a spine'),
        ({"features": (), "spine": "spend.sql"}, "a spine takes features, which are joined to its rows"),
        ({"features": ("spend:orders_3d", "spent:*")}, "There is no feature view 'spent'"),
    ],
)
def test_what_does_not_fit_together_is_said_when_the_catalog_is_made(
    tmp_path: Path, changed: dict[str, object], says: str
) -> None:
    with pytest.raises(CatalogError, match=says):
        catalog_of(tmp_path / "sql", **changed)


def test_the_rows_behind_it_are_those_of_every_view_each_once(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path / "sql", features=("channels:*", "spend:orders_3d"))
    lake = planted_lake(tmp_path / "data", catalog, [*one_a_day(1, 4), *one_a_day(4, 4, ("bob",))])
    describe(lake, catalog, 4)
    view = catalog.model("again").view
    row = lake.read("features", view.name, day(4)).row(0, named=True)

    inputs = Inputs(lake=lake, catalog=catalog, view=view)
    found = rows_behind(inputs, {"customer_id": "ann"}, row, day(4), row["as_of"])

    assert [line["date"] for line in found["interim/orders"]] == [
        f"{day(n)}" for n in (4, 3, 2)
    ]  # channels look at two days
    assert (row["customer_id"], row["orders_3d"]) == ("ann", 3)
    assert [line["age"] for line in found["interim/customers"]] == [30]
