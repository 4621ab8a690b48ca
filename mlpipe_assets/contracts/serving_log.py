"""The contract of what a server answered."""

from typing import Annotated

import pandera.polars as pa
import polars as pl

from mlpipe_assets.contracts.sourced import Sourced

FEATURES, PREDICTION = "features", "prediction"


class ServingLog(Sourced):
    """What a server answered, one row for each entity of each view or model of a request. Grain: request_id, answered_at, row_number.

    A client may send one request id twice, so the instant of the answer is part of the key. `model` and `model_version` are
    null for features, `as_of` where the entity had no row.
    """

    request_id: str = pa.Field(description="The id of the request, as the client sent it or the server made it.")
    answered_at: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="The instant that was answered for.")
    row_number: pl.Int64 = pa.Field(ge=0, description="Which row of the request, from 0.")
    kind: str = pa.Field(isin=(FEATURES, PREDICTION), description="Whether features were asked for, or a prediction.")
    snapshot: str = pa.Field(description="The online snapshot that was read.")
    view: str = pa.Field(description="The feature view, of a prediction that of its model.")
    feature_version: str = pa.Field(description="Version of the view.")
    model: str = pa.Field(nullable=True, description="The model that answered.")
    model_version: str = pa.Field(nullable=True, description="Its version.")
    join_keys: str = pa.Field(
        description="The entity: a JSON object of its join keys.", str_matches=r"^\{", metadata={"personal": True}
    )
    as_of: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(
        nullable=True, description="Of the feature row that was read."
    )
    answer: str = pa.Field(
        description="What was answered: a JSON object of features, or of what the model says.",
        str_matches=r"^\{",
        metadata={"personal": True},
    )
    statuses: str = pa.Field(
        description="A JSON object: the status of each feature, of a prediction that of its feature row as `row`.",
        str_matches=r"^\{",
    )
