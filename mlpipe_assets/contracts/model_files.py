"""The contract of model files."""

import pandera.polars as pa


class ModelFiles(pa.DataFrameModel):
    """One fitted model. Grain: version."""

    version: str = pa.Field(unique=True, description="Day of its training set and digest of what it was fitted by.")
    file_digest: str = pa.Field(description="SHA-256 of the model file, which is checked before it is loaded.")

    class Config:
        strict = True
