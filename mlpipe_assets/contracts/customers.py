"""The contract of customers."""

from datetime import date

import pandera.polars as pa
import polars as pl

from mlpipe_assets.contracts.choices import REGIONS
from mlpipe_assets.contracts.sourced import Sourced


class Customers(Sourced):
    """Customers as a full snapshot knew them. Grain: customer_id. A null age means it was not told."""

    customer_id: str = pa.Field(unique=True, description="Identity of the customer, as text.")
    email: str = pa.Field(nullable=True, description="Address for receipts.", metadata={"personal": True})
    age: pl.Int64 = pa.Field(
        nullable=True,
        in_range={"min_value": 0, "max_value": 130},
        description="Age at the time of the snapshot.",
        metadata={"unit": "years", "drift": 0.1},
    )
    region: str = pa.Field(isin=REGIONS, description="Home region.", metadata={"drift": 0.05})
    signup_date: date = pa.Field(description="Day the account was opened.")
