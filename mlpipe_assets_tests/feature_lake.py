"""A lake of two feature views whose partitions tests write themselves: of customers, and of customers in a channel."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pandera.polars as pa
import polars as pl

from mlpipe_assets.catalog.declarations import Catalog, Entity, FeatureView
from mlpipe_assets.catalog.sources import customers, orders
from mlpipe_assets.catalog.versions import view_version
from mlpipe_assets.rules import columns
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.planted import SPEND_SQL, UtcTime, spend

BY_CHANNEL_SQL = """
-- Orders of three days in each channel.
select
    o.customer_id,
    o.channel,
    cast(d.day + 1 as timestamp) as as_of,
    cast(count(*) as bigint) as orders_3d,
    max(o.product_id) as product
from days as d
inner join orders as o on o.date > d.day - 3 and o.date <= d.day
group by o.customer_id, o.channel, d.day
order by as_of, customer_id, channel
"""


class ByChannel(pa.DataFrameModel):
    """Orders of each customer in each channel over three days. Grain: customer_id, channel."""

    customer_id: str
    channel: str
    as_of: UtcTime
    orders_3d: pl.Int64 = pa.Field(nullable=True)
    product: str = pa.Field(nullable=True)

    class Config:
        strict = True
        unique = ("customer_id", "channel")


by_channel = FeatureView(
    name="by_channel",
    entity=Entity(name="customer_channel", join_keys=("customer_id", "channel")),
    inputs=("orders",),
    sql="by_channel.sql",
    contract=ByChannel,
    lookback=timedelta(days=3),
)


def two_views(folder: Path, *, ttl: timedelta | None = None) -> Catalog:
    """`spend` of customers, and `by_channel` of customers in a channel, whose rows hold for `ttl`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spend.sql").write_text(SPEND_SQL)
    (folder / "by_channel.sql").write_text(BY_CHANNEL_SQL)
    return Catalog(
        sources=(orders, customers), feature_views=(spend, replace(by_channel, ttl=ttl)), models=(), sql_dir=folder
    )


def end_of(day: date) -> datetime:
    """The `as_of` of a partition."""
    return datetime.combine(day + timedelta(days=1), time(), UTC)


def write_days(lake: Lake, catalog: Catalog, name: str, days: Mapping[date, Iterable[tuple[object, ...]]]) -> None:
    """Publish partitions of a view: rows of keys and features, without `as_of`."""
    view = next(view for view in catalog.feature_views if view.name == name)
    types = {column.name: column.dtype for column in columns(view.contract)}
    change = lake.change("features", name)
    for day, rows in days.items():
        frame = pl.DataFrame([*rows], schema={n: t for n, t in types.items() if n != "as_of"}, orient="row")
        frame = frame.with_columns(as_of=pl.lit(end_of(day), dtype=types["as_of"])).select([*types])
        facts = {"rows": frame.height, "code_version": view_version(catalog, view), "fingerprint": f"{day}"}
        change.put(change.table.stage(day, frame, facts))
        change.clear(day)
    change.publish()
