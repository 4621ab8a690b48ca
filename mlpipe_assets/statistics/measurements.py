"""What comparing a column of two windows gives: every measurement is kept, whether or not anything fires."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["none", "possible", "drift"]


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One measure of one column, reference against current.

    Attributes:
        column: Name of the column.
        method: Name of the measure, such as `jensen_shannon_distance`, `null_share` or `ks`.
        value: What was measured; NaN where a side has no rows to measure.
        threshold: From which value it counts as drift; None for a measure kept as evidence only.
        n_reference: Rows of the reference the measure looked at.
        n_current: Rows of the current window the measure looked at.
        p_value: Of the two-sample test, where the measure is one.
        q_value: The p-value corrected over the columns of the table (Benjamini-Hochberg).
        floor: Value two samples of these sizes from one distribution rarely exceed; None for evidence.
        verdict: `drift` from the threshold on, `possible` from half of it on, and only beyond the floor; else `none`.
        note: What a reader should know, such as new categories; empty when there is nothing to say.
    """

    column: str
    method: str
    value: float
    threshold: float | None = None
    n_reference: int
    n_current: int
    p_value: float | None = None
    q_value: float | None = None
    floor: float | None = None
    verdict: Verdict = "none"
    note: str = ""
