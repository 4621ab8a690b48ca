"""The built-in view as it was written by hand before its aggregates were declared: the yardstick of the written SQL."""

from dataclasses import replace
from pathlib import Path

from mlpipe_assets.catalog.feature_views import customer_features

BY_HAND = replace(
    customer_features,
    source="",
    aggregates=(),
    attributes=(),
    sql=str(Path(__file__).with_name("customer_features.sql")),
)
