"""Which measure speaks for a column, and the table of them that people open."""

from datetime import timedelta

import polars as pl

from mlpipe_assets.contracts.drift_measurements import DriftMeasurements
from mlpipe_assets.rules import columns
from mlpipe_assets.transforms.spreadsheets import write_csv

GRAIN = ("table", "date", "comparison", "column")
SCHEMA = {column.name: column.dtype for column in columns(DriftMeasurements)}
_RANK = {"none": 0, "possible": 1, "drift": 2}
_SUMMARY_DAYS = 30


def deciding(rows: pl.DataFrame) -> pl.DataFrame:
    """One measurement for each table, day, comparison and column: the worst verdict, then the largest share of its threshold.

    Where nothing has a threshold, a row stands for the column all the same, to say why. Order: as given.
    """
    ratio = (pl.col("value") / pl.col("threshold")).fill_nan(None)
    return (
        rows.with_row_index("_at")
        .with_columns(
            _rank=pl.col("verdict").replace_strict(_RANK, return_dtype=pl.Int8),
            _decides=pl.col("threshold").is_not_null(),
            _ratio=ratio.fill_null(-1.0),
        )
        .sort("_rank", "_decides", "_ratio", "method", "_at", descending=[True, True, True, False, False])
        .unique(GRAIN, keep="first", maintain_order=True)
        .sort("_at")
        .select(rows.columns)
    )


def write_summary(rows: pl.DataFrame) -> bytes:
    """The deciding measures of each table's newest 30 days as CSV: newest day first, drift before the rest.

    Six digits are enough to read and compare; the partitions hold the rest.
    """
    newest = pl.col("date").max().over("table")
    recent = deciding(rows.filter(pl.col("date") > newest - timedelta(days=_SUMMARY_DAYS)))
    ordered = (
        recent.with_row_index("_at")
        .with_columns(_rank=pl.col("verdict").replace_strict(_RANK, return_dtype=pl.Int8))
        .sort("table", "date", "_rank", "_at", descending=[False, True, True, False])
        .select(rows.columns)
        .with_columns(pl.col(pl.Float64).round_sig_figs(6), note=pl.col("note").replace({"": None}))
    )
    return write_csv(ordered)
