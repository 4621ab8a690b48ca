"""The contract of customer features."""

from typing import Annotated

import pandera.polars as pa
import polars as pl

from mlpipe_assets.contracts.choices import REGIONS


class CustomerFeatures(pa.DataFrameModel):
    """What was known of each customer seen in the last 90 days, at the end of a day. Grain: customer_id.

    Windows count back from the end of the day: 7d is that day and the six before it. avg_order_value_30d is null
    without an order in 30 days; age, region and tenure_days are null for customers no snapshot knew yet.
    """

    customer_id: str = pa.Field(unique=True, description="Who.")
    as_of: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="End of the day, exclusive.")
    orders_7d: pl.Int64 = pa.Field(ge=0, description="Orders in 7 days.", metadata={"drift": 0.1})
    orders_30d: pl.Int64 = pa.Field(ge=0, description="Orders in 30 days.", metadata={"drift": 0.1})
    orders_90d: pl.Int64 = pa.Field(ge=1, description="Orders in 90 days.", metadata={"drift": 0.1})
    revenue_7d: float = pa.Field(ge=0, description="Sum of amount.", metadata={"unit": "EUR", "drift": 0.1})
    revenue_30d: float = pa.Field(ge=0, description="Sum of amount.", metadata={"unit": "EUR", "drift": 0.1})
    revenue_90d: float = pa.Field(ge=0, description="Sum of amount.", metadata={"unit": "EUR", "drift": 0.1})
    avg_order_value_30d: float = pa.Field(
        ge=0, nullable=True, description="Revenue per order.", metadata={"unit": "EUR", "drift": 0.1}
    )
    days_since_last_order: pl.Int64 = pa.Field(
        in_range={"min_value": 0, "max_value": 89}, description="0: ordered today.", metadata={"unit": "days"}
    )
    distinct_channels_30d: pl.Int64 = pa.Field(ge=0, description="Channels used.", metadata={"drift": 0.1})
    tenure_days: pl.Int64 = pa.Field(
        nullable=True, description="Days since sign-up; negative if backdated.", metadata={"unit": "days"}
    )
    age: pl.Int64 = pa.Field(
        nullable=True, in_range={"min_value": 0, "max_value": 130}, metadata={"unit": "years", "drift": 0.1}
    )
    region: str = pa.Field(
        nullable=True,
        isin=REGIONS,
        description="Home region.",
        metadata={"drift": 0.05},
    )

    @pa.dataframe_check
    def longer_windows_hold_shorter_ones(cls, data: pa.PolarsData) -> pl.LazyFrame:  # type: ignore[misc]  # noqa: N805 (a class method, by pandera)
        """Every order of 7 days is one of 30 days, and every one of those is one of 90."""
        return data.lazyframe.select(
            pl.col("orders_7d").le(pl.col("orders_30d")) & pl.col("orders_30d").le(pl.col("orders_90d"))
        )

    class Config:
        strict = True
