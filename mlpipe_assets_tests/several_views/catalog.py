"""Which channel a customer orders by next, from what is known of the customer and of the customer in the channel used last.

Two views: of customers, and of customers in a channel, with two join keys. The spine of the model has each customer's last channel.
"""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import pandera.polars as pa
import polars as pl

from mlpipe_assets.catalog.aggregates import Aggregate
from mlpipe_assets.catalog.declarations import Catalog, Entity, FeatureView, Model
from mlpipe_assets.catalog.feature_views import customer_features
from mlpipe_assets.catalog.learners import Learner, Promotion
from mlpipe_assets.catalog.sources import customers, orders
from mlpipe_assets.contracts.choices import CHANNELS, REGIONS

_UtcTime = Annotated[pl.Datetime, "us", "UTC"]


class ChannelFeatures(pa.DataFrameModel):
    """What was known of each customer in each channel used in the last 90 days. Grain: customer_id, channel."""

    customer_id: str
    channel: str = pa.Field(isin=CHANNELS)
    as_of: _UtcTime
    channel_orders_30d: pl.Int64 = pa.Field(ge=0)
    channel_orders_90d: pl.Int64 = pa.Field(ge=1)
    days_since_channel: pl.Int64 = pa.Field(ge=0)

    class Config:
        strict = True
        unique = ("customer_id", "channel")


class NextChannel(pa.DataFrameModel):
    """Each customer with the channel of the newest order, what is known of both, and the channel of the next order.

    A customer without an order in the four weeks is left out. Grain: customer_id, as_of.
    """

    customer_id: str
    channel: str = pa.Field(isin=CHANNELS)
    as_of: _UtcTime
    orders_30d: pl.Int64 = pa.Field(nullable=True)
    distinct_channels_30d: pl.Int64 = pa.Field(nullable=True)
    region: str = pa.Field(nullable=True, isin=REGIONS)
    channel_orders_30d: pl.Int64 = pa.Field(nullable=True)
    channel_orders_90d: pl.Int64 = pa.Field(nullable=True)
    days_since_channel: pl.Int64 = pa.Field(nullable=True)
    label: str = pa.Field(isin=CHANNELS, metadata={"environments": ["training"]})

    class Config:
        strict = True
        unique = ("customer_id", "as_of")


class NextChannelPredictions(pa.DataFrameModel):
    """The channel that each customer will order by. Grain: customer_id."""

    customer_id: str = pa.Field(unique=True)
    as_of: _UtcTime
    model_version: str
    feature_version: str
    prediction: str = pa.Field(isin=CHANNELS)
    probability: float = pa.Field(in_range={"min_value": 0, "max_value": 1})

    class Config:
        strict = True


channel_features = FeatureView(
    name="channel_features",
    entity=Entity(name="customer_channel", join_keys=("customer_id", "channel")),
    source="orders",
    aggregates=(
        Aggregate("count", name="channel_orders", days=(30, 90)),
        Aggregate("days_since_last", name="days_since_channel"),
    ),
    contract=ChannelFeatures,
)
next_channel = Model(
    name="next_channel",
    task="multiclass",
    features=(
        "customer_features:orders_30d",
        "customer_features:distinct_channels_30d",
        "customer_features:region",
        "channel_features:*",
    ),
    spine="last_channel.sql",
    inputs=("orders",),
    sql="next_channel.sql",
    contract=NextChannel,
    horizon=timedelta(days=28),
    embargo=timedelta(days=28),
    learner=Learner(
        numeric=(
            "orders_30d",
            "distinct_channels_30d",
            "channel_orders_30d",
            "channel_orders_90d",
            "days_since_channel",
        ),
        categorical=("channel", "region"),
        leaves=4,
        rounds=40,
        rounds_unwatched=20,
    ),
    predictions=NextChannelPredictions,
    promotion=Promotion(),
)
CATALOG = Catalog(
    sources=(orders, customers),
    feature_views=(customer_features, channel_features),
    models=(next_channel,),
    sql_dir=Path(__file__).with_name("sql"),
)
