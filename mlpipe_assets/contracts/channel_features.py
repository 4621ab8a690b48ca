"""The contract of features of a customer in one channel."""

from typing import Annotated

import pandera.polars as pa
import polars as pl

from mlpipe_assets.contracts.choices import CHANNELS


class ChannelFeatures(pa.DataFrameModel):
    """What was known of each customer in each channel used in the last 30 days. Grain: customer_id, channel.

    As it was known then: an order that was delivered or corrected later does not change a past day. No column is null.
    """

    customer_id: str = pa.Field(description="Who.")
    channel: str = pa.Field(isin=CHANNELS, description="Where.")
    as_of: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="End of the day, exclusive.")
    channel_orders_7d: pl.Int64 = pa.Field(
        ge=0, description="Orders in the channel in 7 days.", metadata={"drift": 0.1}
    )
    channel_orders_30d: pl.Int64 = pa.Field(
        ge=1, description="Orders in the channel in 30 days.", metadata={"drift": 0.1}
    )
    channel_revenue_30d: float = pa.Field(ge=0, description="Sum of amount.", metadata={"unit": "EUR", "drift": 0.1})

    class Config:
        strict = True
        unique = ("customer_id", "channel")
