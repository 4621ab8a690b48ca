"""A view with features of other views: built, planned, refused, versioned, and learnt from, as any view."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pandera.polars as pa
import polars as pl
import pytest

from mlpipe_assets.catalog.declarations import Catalog, FeatureView
from mlpipe_assets.catalog.versions import view_version
from mlpipe_assets.errors import CatalogError
from mlpipe_assets.flow import tables_of
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.stages.features.plan import feature_work
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.feature_lake import by_channel, two_views
from mlpipe_assets_tests.frames import ENGINE
from mlpipe_assets_tests.planted import START, Order, UtcTime, day, planted_lake, spend

_LAST_CHANNEL = """
-- The channel of each customer's newest order of three days.
select o.customer_id, max_by(o.channel, (o.order_ts, o.order_id)) as channel, cast(d.day + 1 as timestamp) as as_of
from days as d
inner join orders as o on o.date > d.day - 3 and o.date <= d.day
group by o.customer_id, d.day
order by as_of, o.customer_id
"""
_ORDERS: list[Order] = [
    ("o1", "ann", day(1), "1.00", "web"),
    ("o2", "ann", day(2), "1.00", "app"),
    ("o3", "bob", day(1), "1.00", "app"),
]


class Joined(pa.DataFrameModel):
    """The last channel of each customer, with what is known of the customer and of the customer in that channel. Grain: customer_id."""

    customer_id: str = pa.Field(unique=True)
    channel: str
    as_of: UtcTime
    age: pl.Int64 = pa.Field(nullable=True)
    product: str = pa.Field(nullable=True)

    class Config:
        strict = True


joined = FeatureView(
    name="joined",
    entity=spend.entity,
    inputs=("orders",),
    sql="joined.sql",
    contract=Joined,
    lookback=timedelta(days=3),
    joins=("spend:age", "by_channel:product"),
)


def catalog_of(folder: Path, view: FeatureView = joined, **changes: object) -> Catalog:
    """The two views and the one that joins them."""
    catalog = two_views(folder)
    (folder / "joined.sql").write_text(_LAST_CHANNEL)
    views = (spend, replace(by_channel, **changes), view)  # type: ignore[arg-type]
    return replace(catalog, feature_views=views)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """The three views."""
    return catalog_of(tmp_path / "sql")


@pytest.fixture
def lake(tmp_path: Path, catalog: Catalog) -> Lake:
    """Orders of two days; no feature is built yet."""
    return planted_lake(tmp_path / "data", catalog, _ORDERS, {START: [("ann", 30, "north", START)]})


def build(lake: Lake, catalog: Catalog, *names: str) -> None:
    """Build both days of some views."""
    for view in catalog.feature_views:
        if view.name in names:
            outcomes, proof = build_features(lake, ENGINE, catalog, view, [day(1), day(2)])
            assert proof.passed, proof.description
            assert [outcome.refused for outcome in outcomes] == [None, None]


def test_its_rows_have_the_features_of_that_day_by_each_views_own_keys(lake: Lake, catalog: Catalog) -> None:
    build(lake, catalog, "spend", "by_channel", "joined")

    found = lake.read("features", "joined", day(2)).drop("as_of")

    assert found.rows() == [("ann", "app", 30, "P00001"), ("bob", "app", None, "P00001")]
    assert lake.read("features", "joined", day(1))["channel"].to_list() == ["web", "app"]


def test_it_waits_for_the_views_it_joins_and_is_built_again_when_one_of_them_is(lake: Lake, catalog: Catalog) -> None:
    build(lake, catalog, "spend")
    before = feature_work(lake, catalog, joined, lambda _: True)
    build(lake, catalog, "by_channel", "joined")
    after = feature_work(lake, catalog, joined, lambda _: True)
    change = lake.change("features", "by_channel")
    facts = {**(lake.facts("features", "by_channel", day(2)) or {}), "fingerprint": "another"}
    change.put(change.table.stage(day(2), lake.read("features", "by_channel", day(2)), facts))
    change.publish()

    assert before.blocked == (
        (day(1), "features/by_channel has no 2026-01-01"),
        (day(2), "features/by_channel has no 2026-01-02"),
    )
    assert (after.days, after.blocked) == ((), ())
    assert feature_work(lake, catalog, joined, lambda _: True).days == (day(2),)


def test_a_view_it_joins_that_was_refused_refuses_it(lake: Lake, catalog: Catalog) -> None:
    build(lake, catalog, "spend", "by_channel")
    change = lake.change("features", "spend")
    change.refuse(day(2), problem="breaks its contract", inputs="x")
    change.publish()

    outcomes, _ = build_features(lake, ENGINE, catalog, joined, [day(1), day(2)])

    assert [outcome.refused for outcome in outcomes] == [
        None,
        "features/spend [2026-01-02] failed: breaks its contract",
    ]


def test_a_row_of_an_earlier_moment_never_gets_features_of_the_end_of_the_day(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path / "sql")
    noon = _LAST_CHANNEL.replace("cast(d.day + 1 as timestamp)", "cast(d.day + 1 as timestamp) - interval 12 hour")
    (tmp_path / "sql" / "joined.sql").write_text(noon)
    lake = planted_lake(tmp_path / "data", catalog, _ORDERS, {START: [("ann", 30, "north", START)]})
    build(lake, catalog, "spend", "by_channel")

    (outcome, _), _ = build_features(lake, ENGINE, catalog, joined, [day(1), day(2)])

    assert str(outcome.refused).startswith(
        "2 of 2 rows are not as of 2026-01-02 00:00 UTC, the end of the day (e.g. 2026-01-01 12"
    )


def test_its_version_follows_the_views_it_joins(tmp_path: Path, catalog: Catalog) -> None:
    other = catalog_of(tmp_path / "other", lookback=timedelta(days=4))

    assert view_version(other, joined) != view_version(catalog, joined)
    assert view_version(other, spend) == view_version(catalog, spend)


def test_it_flows_from_the_views_it_joins(catalog: Catalog) -> None:
    (table,) = [table for table in tables_of(catalog) if table.key == "features/joined"]

    assert table.upstream == ("interim/orders", "features/spend", "features/by_channel")


@pytest.mark.parametrize(
    ("joins", "said"),
    [
        (("spend:aeg",), "joins: spend has no feature 'aeg'; it has orders_3d, age. Is 'age' meant?"),
        (("joined:age",), "joins: joined is not declared before it"),
        (("spend:age",), "gives no column 'product' of Joined"),
        (("spend:*", "by_channel:product"), "joins: spend:orders_3d is no column of Joined"),
        (("spend:*", "by_channel:*"), "joins: by_channel:orders_3d and spend:orders_3d have the same name"),
        ("spend:age", "joins='spend:age' is a text, not a tuple of texts"),
    ],
)
def test_joins_that_cannot_be_are_named_when_the_catalog_is_made(joins: object, said: str, tmp_path: Path) -> None:
    with pytest.raises(CatalogError) as raised:
        catalog_of(tmp_path, replace(joined, joins=joins))  # type: ignore[arg-type]

    assert said in str(raised.value)
