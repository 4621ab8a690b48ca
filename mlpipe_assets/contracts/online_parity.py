"""The contract of what became of answers that were asked again offline."""

import pandera.polars as pa
import polars as pl

from mlpipe_assets.contracts.serving_log import FEATURES, PREDICTION


class OnlineParity(pa.DataFrameModel):
    """Answers of a day, asked again of the lake: how many are the same. Grain: kind, view, model; model is null for features.

    asked = same + corrected + fresh + incomparable + differing.
    """

    kind: str = pa.Field(isin=(FEATURES, PREDICTION), description="What was asked for.")
    view: str = pa.Field(description="The feature view.")
    model: str = pa.Field(nullable=True, description="The model that answered.")
    logged: pl.Int64 = pa.Field(ge=1, description="Rows of the serving log.")
    asked: pl.Int64 = pa.Field(ge=1, description="Those asked again: of a sample of the entities.")
    same: pl.Int64 = pa.Field(ge=0)
    corrected: pl.Int64 = pa.Field(ge=0, description="Other features since: the day was built again.")
    fresh: pl.Int64 = pa.Field(ge=0, description="Of rows that came after the snapshot.")
    incomparable: pl.Int64 = pa.Field(ge=0, description="By a view or model of another version, or one that is gone.")
    differing: pl.Int64 = pa.Field(ge=0)
    features: str = pa.Field(description="What differs, by name; empty for nothing.")

    class Config:
        strict = True
