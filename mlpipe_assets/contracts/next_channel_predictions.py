"""The contract of predictions of the next channel."""

from typing import Annotated

import pandera.polars as pa
import polars as pl

from mlpipe_assets.contracts.choices import CHANNELS


class NextChannelPredictions(pa.DataFrameModel):
    """Where each customer seen in the last 90 days will order next, as predicted at the end of a day. Grain: customer_id.

    No column is null. The label is not here: on the day of the prediction nobody knows it.
    """

    customer_id: str = pa.Field(unique=True, description="Who.")
    as_of: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="End of the day, exclusive.")
    model_version: str = pa.Field(description="The champion that answered.")
    feature_version: str = pa.Field(description="Code version of the features it was given.")
    prediction: str = pa.Field(isin=CHANNELS, description="The likeliest channel.", metadata={"drift": 0.1})
    probability: float = pa.Field(
        in_range={"min_value": 0, "max_value": 1}, description="Of that channel.", metadata={"drift": 0.1}
    )

    class Config:
        strict = True
