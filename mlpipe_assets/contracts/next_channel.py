"""The contract of the training set of the next channel."""

from typing import Annotated

import pandera.polars as pa
import polars as pl

from mlpipe_assets.contracts.choices import CHANNELS, REGIONS


class NextChannel(pa.DataFrameModel):
    """Customers of past days, the channel of their newest order, and the one of the next. Grain: customer_id, as_of.

    Customers without an order in the 28 days from as_of on are left out. Features of the channel are null for who did not use it in 30
    days; label is the channel of the first order from as_of on; environments: training only.
    """

    customer_id: str = pa.Field(description="Who.")
    channel: str = pa.Field(isin=CHANNELS, description="Where the newest order was placed.", metadata={"drift": 0.05})
    as_of: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="End of the day, exclusive.")
    orders_30d: pl.Int64 = pa.Field(nullable=True, description="Orders in 30 days.")
    distinct_channels_30d: pl.Int64 = pa.Field(nullable=True, description="Channels used.")
    age: pl.Int64 = pa.Field(nullable=True, metadata={"unit": "years"})
    region: str = pa.Field(nullable=True, isin=REGIONS, description="Home region.")
    channel_orders_7d: pl.Int64 = pa.Field(nullable=True, description="Orders in the channel in 7 days.")
    channel_orders_30d: pl.Int64 = pa.Field(nullable=True, description="Orders in the channel in 30 days.")
    channel_revenue_30d: float = pa.Field(nullable=True, description="Sum of amount.", metadata={"unit": "EUR"})
    label: str = pa.Field(
        isin=CHANNELS, description="Where the next order is placed.", metadata={"environments": ["training"]}
    )

    class Config:
        strict = True
        unique = ("customer_id", "as_of")
