"""What is known of one monitored table: the newest days of its measurements, as the report tells them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import polars as pl

from mlpipe_assets.monitoring.deciding import deciding
from mlpipe_assets.monitoring.histograms import Histogram
from mlpipe_assets.monitoring.report_parts import spell_method


@dataclass(frozen=True, kw_only=True)
class DayState:
    """What a day came to.

    Attributes:
        score: Weighted share of columns in drift against the baseline; None while there is no verdict.
        drifting: Whether the score reaches what is declared.
        bad: Whether it does, or predictions came true less often than promised, without the oddest days too.
        performance_bad: Whether it is the predictions.
        state: Why there is no verdict; empty when there is one.
    """

    day: date
    score: float | None
    drifting: bool = False
    bad: bool = False
    performance_bad: bool = False
    state: str = ""


@dataclass(frozen=True, kw_only=True)
class TableHistory:
    """The newest days of a monitored table, and what else is told of it.

    Attributes:
        retrain_above: Drift score from which a day is bad.
        days: The newest days that were monitored, in order.
        rows: Their measurements.
        histograms: Newest window against the baseline, or against the training set, by column.
        units: What a column counts, where the contract says so.
        reference: The windows in words, and the baseline once it is frozen.
        frozen: Whether it is, as of the newest day.
        present: The newest day the table itself has, measured or not; None when it has none.
        refused: Days of the table whose newest attempt was refused.
        retrains: Models that are trained again when it has drifted.
    """

    table: str
    retrain_above: float
    days: tuple[DayState, ...]
    rows: pl.DataFrame
    histograms: Mapping[str, Histogram] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    reference: str = ""
    frozen: bool = False
    present: date | None = None
    refused: tuple[date, ...] = ()
    retrains: tuple[str, ...] = ()

    @cached_property
    def decided(self) -> pl.DataFrame:
        """The deciding measure of each day, comparison and column."""
        return deciding(self.rows)

    @cached_property
    def newest(self) -> pl.DataFrame:
        """All measurements of the newest day."""
        return self.rows.filter(pl.col("date") == self.days[-1].day) if self.days else self.rows.clear()

    @cached_property
    def newest_decided(self) -> pl.DataFrame:
        """The deciding measures of the newest day."""
        return self.decided.filter(pl.col("date") == self.days[-1].day) if self.days else self.decided.clear()

    def columns(self) -> list[str]:
        """Columns that are compared, in the order of the contract."""
        compared = self.newest.filter(pl.col("comparison") != "performance")
        return compared["column"].unique(maintain_order=True).to_list()

    def newest_verdicts(self, comparison: str) -> dict[str, str | None]:
        """Verdict by column on the newest day; None where nothing could be measured."""
        found = self.newest_decided.filter(pl.col("comparison") == comparison)
        return {
            row["column"]: None if row["value"] is None else row["verdict"]
            for row in found.select("column", "value", "verdict").to_dicts()
        }

    def performance_in_words(self) -> str:
        """The realised metric over all rows, or from when on it will be known; empty where nothing is predicted."""
        found = self.newest_decided.filter((pl.col("comparison") == "performance") & (pl.col("column") == "overall"))
        if not found.height:
            return ""
        row = found.row(0, named=True)
        if row["value"] is None:
            return str(row["note"])
        words = {"drift": "worse than tested", "possible": "perhaps worse than tested", "none": "as tested"}
        return f"{spell_method(row['method'])} {row['value']:.3f}, {words[row['verdict']]}"
