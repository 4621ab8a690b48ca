"""What the predictions that a server gave promise: the contract of a model's predictions, a row for each answer."""

from functools import cache

import pandera.polars as pa
import polars as pl
from pandera.api.polars.components import Column
from pandera.api.polars.container import DataFrameSchema

from mlpipe_assets.catalog.declarations import Model
from mlpipe_assets.rules import Contract, columns

_UTC = pl.Datetime("us", "UTC")
GRAIN = ["request_id", "answered_at", "row_number"]
STATUSES = ("PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE")
_OF_ALL = ("as_of", "model_version", "feature_version")


def served_contract(model: Model) -> Contract:
    """The contract of `predictions/<model>_served`: one class for each model's contracts, so that equal is the same."""
    predictions: type[pa.DataFrameModel] = model.predictions or model.contract
    return _contract(predictions, model.view.contract, model.view.entity.join_keys)


def answered_columns(model: Model) -> list[str]:
    """The columns of a model's predictions that are what it says."""
    known = {*model.view.entity.join_keys, *_OF_ALL}
    return (
        [column.name for column in columns(model.predictions) if column.name not in known] if model.predictions else []
    )


@cache
def _contract(predictions: Contract, features: Contract, join_keys: tuple[str, ...]) -> Contract:
    def to_schema(_: Contract) -> DataFrameSchema:
        of_features, said = features.to_schema().columns, predictions.to_schema().columns
        keys = {name: Column(of_features[name].dtype, of_features[name].checks) for name in join_keys}
        answers = {
            name: Column(column.dtype, column.checks, nullable=True, description=column.description)
            for name, column in said.items()
            if name not in {*join_keys, *_OF_ALL}
        }
        return DataFrameSchema(
            columns={
                "request_id": Column(pl.String, description="The id of the request."),
                "answered_at": Column(_UTC, description="When it was answered."),
                "row_number": Column(pl.Int64, pa.Check.ge(0), description="Which row of the request, from 0."),
                "snapshot": Column(pl.String, description="The online snapshot that was read."),
                **keys,
                "status": Column(
                    pl.String,
                    pa.Check.isin(STATUSES),
                    description="Of the feature row; without one there is no answer.",
                ),
                "as_of": Column(_UTC, nullable=True, description="Of the feature row."),
                "model_version": Column(pl.String, description="The version that answered."),
                "feature_version": Column(pl.String, description="Version of the features."),
                **answers,
            },
            unique=GRAIN,
            strict=True,
        )

    words = f"What the server answered when it was asked for {predictions.__name__}. Grain: {', '.join(GRAIN)}."
    parts = {"__doc__": words, "__module__": predictions.__module__, "to_schema": classmethod(to_schema)}
    return type(f"{predictions.__name__}Served", (pa.DataFrameModel,), parts)
