"""Small training sets for tests to share: a number that tells the label, one that does not, and a category."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from mlpipe_assets.catalog.learners import Learner

BOOSTED = Learner(numeric=("spend", "noise"), categorical=("region",), rounds=20, patience=3, recency="spend")
LOGISTIC = Learner(
    numeric=("spend", "noise"),
    categorical=("region",),
    algorithm="logistic_regression",
    missing="median",
    scaling="standard",
)
SCHEMA: dict[str, type[pl.DataType] | pl.DataType] = {
    "customer_id": pl.String,
    "as_of": pl.Datetime("us", "UTC"),
    "spend": pl.Float64,
    "noise": pl.Int64,
    "region": pl.String,
    "label": pl.Boolean,
}


def training_rows(count: int = 200, seed: int = 1, days: int = 2) -> pl.DataFrame:
    """Rows whose label follows spend, with nulls in every feature column."""
    chance = np.random.default_rng(seed)
    spend = chance.normal(10, 3, count).round(2)
    label = chance.random(count) < 1 / (1 + np.exp(10 - spend))
    noise = chance.integers(0, 5, count)
    regions = chance.choice(["north", "south", "west"], count)
    return pl.DataFrame(
        {
            "customer_id": [f"c{i % (count // 2 or 1):03}" for i in range(count)],
            "as_of": [datetime(2026, 1, 2, tzinfo=UTC) + timedelta(days=int(i * days // count)) for i in range(count)],
            "spend": [None if i % 17 == 3 else float(v) for i, v in enumerate(spend)],
            "noise": [None if i % 13 == 5 else int(v) for i, v in enumerate(noise)],
            "region": [None if i % 11 == 7 else str(v) for i, v in enumerate(regions)],
            "label": [bool(v) for v in label],
        },
        schema=SCHEMA,
    )


NUMBERS = Learner(numeric=("spend", "noise"), categorical=("region",), rounds=20, patience=3, recency="spend")
RIDGE = Learner(
    numeric=("spend", "noise"),
    categorical=("region",),
    algorithm="linear_regression",
    missing="median",
    scaling="standard",
)


def with_numbers(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with a label that is a number: it follows spend, and a little the noise."""
    return rows.with_columns(label=(pl.col("spend").fill_null(5) * 2 + pl.col("noise").fill_null(0)).round(2))


def with_classes(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with a label of three classes, by spend."""
    spend = pl.col("spend").fill_null(0)
    return rows.with_columns(
        label=pl.when(spend > 12).then(pl.lit("much")).when(spend > 8).then(pl.lit("some")).otherwise(pl.lit("little"))
    )
