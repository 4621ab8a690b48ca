"""What every row of a source's table carries about where it came from."""

from typing import Annotated

import pandera.polars as pa
import polars as pl


class Sourced(pa.DataFrameModel):
    """Where a row came from, and when it could first be known. Contracts of sources inherit these columns."""

    known_at: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="When the row could first be known.")
    delivery: str = pa.Field(description="Digest of the file the row came in.", str_matches=r"^[0-9a-f]{64}$")
    record_number: pl.Int64 = pa.Field(description="Line (sheet row, array position) of the row in its file.", ge=1)

    class Config:
        strict = True
