"""The contract of repeat-purchase predictions."""

from typing import Annotated

import pandera.polars as pa
import polars as pl


class RepeatPurchasePredictions(pa.DataFrameModel):
    """Whether each customer seen in the last 90 days will order again, as predicted at the end of a day. Grain: customer_id.

    No column is null. The label is not here: on the day of the prediction nobody knows it.
    """

    customer_id: str = pa.Field(unique=True, description="Who.")
    as_of: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="End of the day, exclusive.")
    model_version: str = pa.Field(description="The champion that answered.")
    feature_version: str = pa.Field(description="Code version of the features it was given.")
    probability: float = pa.Field(
        in_range={"min_value": 0, "max_value": 1},
        description="Of an order in the 28 days from as_of on.",
        metadata={"drift": 0.1},
    )
    decision: bool = pa.Field(
        description="Whether the probability reaches the declared bound.", metadata={"drift": 0.1}
    )

    class Config:
        strict = True
