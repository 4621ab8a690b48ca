"""The contract of orders."""

from typing import Annotated

import pandera.polars as pa
import polars as pl

from mlpipe_assets.contracts.choices import CHANNELS, REGIONS
from mlpipe_assets.contracts.sourced import Sourced


class Orders(Sourced):
    """Orders as customers placed them, one row per order after deduplication. Grain: order_id. No column is null."""

    order_id: str = pa.Field(unique=True, description="Identity of the order, as text.")
    customer_id: str = pa.Field(description="Who ordered.")
    order_ts: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="When the order was placed.")
    amount: Annotated[pl.Decimal, 18, 2] = pa.Field(
        ge=0, description="Order total, tax included.", metadata={"unit": "EUR", "drift": 0.1}
    )
    quantity: pl.Int64 = pa.Field(
        in_range={"min_value": 1, "max_value": 100}, description="Pieces ordered.", metadata={"drift": 0.1}
    )
    product_id: str = pa.Field(str_matches=r"^P\d{5}$", description="P and five digits.")
    channel: str = pa.Field(isin=CHANNELS, description="Where it was sold.", metadata={"drift": 0.1})
    region: str = pa.Field(isin=REGIONS, description="Where it went.", metadata={"drift": 0.1})
