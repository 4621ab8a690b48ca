"""The contract of raw events."""

from typing import Annotated

import pandera.polars as pa
import polars as pl


class Events(pa.DataFrameModel):
    """Every row of a source's files exactly as received. Grain: delivery, record_number. No column is null."""

    source: str = pa.Field(description="The source it came for.")
    delivery: str = pa.Field(description="Digest of the file the row came in.")
    source_file: str = pa.Field(description="Name of that file, below the source's folder of the drop zone.")
    record_number: pl.Int64 = pa.Field(description="Line (sheet row, array position) of the row in its file.")
    event_date: pl.Date = pa.Field(description="UTC day of the event time; of a snapshot, the day it holds from.")
    known_at: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="When the row could first be known.")
    payload: str = pa.Field(description="The row as JSON, every value as received.")

    class Config:
        strict = True
