"""The contract of spend predictions."""

from typing import Annotated

import pandera.polars as pa
import polars as pl


class Spend28dPredictions(pa.DataFrameModel):
    """How much each customer seen in the last 90 days will spend, as predicted at the end of a day. Grain: customer_id.

    No column is null. The label is not here: on the day of the prediction nobody knows it.
    """

    customer_id: str = pa.Field(unique=True, description="Who.")
    as_of: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="End of the day, exclusive.")
    model_version: str = pa.Field(description="The champion that answered.")
    feature_version: str = pa.Field(description="Code version of the features it was given.")
    prediction: float = pa.Field(
        description="Spent in the 28 days from as_of on; of who buys hardly ever it may lie just below 0.",
        metadata={"unit": "EUR", "drift": 0.1},
    )

    class Config:
        strict = True
