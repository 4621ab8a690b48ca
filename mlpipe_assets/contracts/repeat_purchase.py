"""The contract of the repeat-purchase training set."""

import pandera.polars as pa

from mlpipe_assets.contracts.customer_features import CustomerFeatures


class RepeatPurchase(CustomerFeatures):
    """Customer features of past days with what happened next. Grain: customer_id, as_of.

    label is true when the customer ordered in the 28 days from as_of on; environments: training only.
    """

    customer_id: str = pa.Field(description="Who.")
    label: bool = pa.Field(description="Ordered within the horizon.", metadata={"environments": ["training"]})

    class Config:
        strict = True
        unique = ("customer_id", "as_of")
