"""The contract of drift measurements."""

from datetime import date

import pandera.polars as pa


class DriftMeasurements(pa.DataFrameModel):
    """What was measured of a monitored table on a day, whether or not anything fired. Grain: comparison, column, method.

    A null value means that a side had nothing to measure, and the note says why; a null threshold marks evidence that
    decides nothing.
    """

    table: str = pa.Field(description="The monitored table.")
    date: date = pa.Field(description="Last day of the current window.")
    comparison: str = pa.Field(
        isin=["previous", "baseline", "skew", "performance"],
        description="What the current window is held against: the window before it, the frozen baseline, the "
        "champion's training set, or the champion's metrics on its test set.",
    )
    column: str = pa.Field(description="Column of the table; of performance, the slice.")
    method: str = pa.Field(description="Name of the measure.")
    value: float = pa.Field(nullable=True, description="What was measured.")
    threshold: float = pa.Field(nullable=True, description="From which value it counts as drift.")
    floor: float = pa.Field(nullable=True, description="What samples of these sizes rarely exceed by chance.")
    p_value: float = pa.Field(nullable=True, in_range={"min_value": 0, "max_value": 1}, description="Of a test.")
    q_value: float = pa.Field(
        nullable=True, in_range={"min_value": 0, "max_value": 1}, description="p-value corrected over the columns."
    )
    n_reference: int = pa.Field(ge=0, description="Rows of the reference.")
    n_current: int = pa.Field(ge=0, description="Rows of the current window.")
    verdict: str = pa.Field(isin=["none", "possible", "drift"], description="By effect size beyond the floor.")
    note: str = pa.Field(description="What a reader should know; empty when there is nothing to say.")

    class Config:
        strict = True
        unique = ("comparison", "column", "method")
