"""The contract of the spend training set."""

import pandera.polars as pa

from mlpipe_assets.contracts.customer_features import CustomerFeatures


class Spend28d(CustomerFeatures):
    """Customer features of past days with what was spent next. Grain: customer_id, as_of.

    label is the sum of amount over the 28 days from as_of on, 0 without an order; environments: training only.
    """

    customer_id: str = pa.Field(description="Who.")
    label: float = pa.Field(
        ge=0, description="Spent within the horizon.", metadata={"unit": "EUR", "environments": ["training"]}
    )

    class Config:
        strict = True
        unique = ("customer_id", "as_of")
