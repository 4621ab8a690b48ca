"""Training sets of the built-in example, planted on disk as processed/ writes them, for models to learn from."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import polars as pl

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.catalog.declarations import Catalog, Model
from mlpipe_assets.catalog.models import repeat_purchase
from mlpipe_assets.catalog.versions import model_version, view_version
from mlpipe_assets.partitions import START_DATE
from mlpipe_assets.rules import columns
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.plan import plan_training_set

APRIL_16, APRIL_23, APRIL_30 = (date(2026, 4, n) for n in (16, 23, 30))
CUSTOMERS = 60


def day_rows(day: date, model: Model = repeat_purchase, relabel: pl.Expr | None = None) -> pl.DataFrame:
    """Features and label of all customers as of the end of a day: the label follows orders_30d, or is made by `relabel`."""
    chance = np.random.default_rng(day.toordinal())
    count = CUSTOMERS
    orders = chance.integers(0, 12, count)
    label = chance.random(count) < 1 / (1 + np.exp(5 - orders))
    regions = chance.choice(["north", "south", "east"], count)
    values: dict[str, object] = {
        "customer_id": [f"C{i:04}" for i in range(count)],
        "as_of": [datetime.combine(day + timedelta(days=1), time(), tzinfo=UTC)] * count,
        "orders_7d": orders // 3,
        "orders_30d": orders,
        "orders_90d": orders + 1,
        "revenue_7d": orders * 7.5,
        "revenue_30d": orders * 20.0,
        "revenue_90d": orders * 21.0,
        "avg_order_value_30d": [20.0 if n else None for n in orders],
        "days_since_last_order": chance.integers(0, 90, count),
        "distinct_channels_30d": chance.integers(0, 5, count),
        "tenure_days": [None if i % 10 == 9 else i * 4 for i in range(count)],
        "age": chance.integers(18, 80, count),
        "region": [None if i % 20 == 5 else str(r) for i, r in enumerate(regions)],
        "label": label,
    }
    schema = {column.name: column.dtype for column in columns(model.contract)}
    rows = pl.DataFrame(values, schema={**schema, "label": pl.Boolean()}, strict=False)
    return rows if relabel is None else rows.with_columns(relabel.alias("label").cast(schema["label"]))


def plant_training_set(
    lake: Lake,
    as_of: date,
    *,
    catalog: Catalog = CATALOG,
    model: Model = repeat_purchase,
    mislabelled: bool = False,
    without: Iterable[str] = (),
    relabel: pl.Expr | None = None,
) -> dict[str, pl.DataFrame]:
    """Write the training set of a day, and the feature partitions its validation and test rows come from.

    Args:
        lake: Where to.
        as_of: Day of the training set.
        catalog: Gives the code versions.
        model: Whose training set.
        mislabelled: Turn the labels of train and validation upside down, so that what is learnt is wrong on test.
        without: Splits to leave empty.
        relabel: Makes the label of a model that is not binary.
    """
    plan = plan_training_set(model, as_of, START_DATE)
    fingerprint = hashlib.sha256(f"{as_of} {mislabelled}".encode()).hexdigest()
    splits: dict[str, pl.DataFrame] = {}
    staged = []
    for name, days in plan.splits.items():
        frame = pl.concat([day_rows(day, model, relabel) for day in days])
        if mislabelled and name != "test":
            frame = frame.with_columns(~pl.col("label"))
        splits[name] = frame[:0] if name in without else frame
        facts = {
            "code_version": model_version(catalog, model),
            "fingerprint": fingerprint,
            "rows": splits[name].height,
            "days": [f"{day}" for day in days],
        }
        staged.append(lake.stage(lake.path("processed", model.name, as_of, f"{name}.parquet"), splits[name], facts))
    lake.commit(*staged)
    for day in (*plan.splits["validation"], *plan.splits["test"]):
        plant_features(lake, day, catalog=catalog, model=model)
    return splits


def replace_split(lake: Lake, as_of: date, name: str, content: bytes, facts: Mapping[str, Any], model: Model) -> None:
    """Write other rows of one split, beside the others as they are: the files of a day are replaced together."""
    splits: dict[str, tuple[bytes, Mapping[str, Any]]] = {name: (content, facts)}
    for other in ("train", "validation", "test"):
        target = lake.path("processed", model.name, as_of, f"{other}.parquet")
        splits.setdefault(other, (target.read_bytes(), lake.facts("processed", model.name, as_of, target.name) or {}))
    lake.commit(
        *(
            lake.stage_bytes(lake.path("processed", model.name, as_of, f"{one}.parquet"), held, known)
            for one, (held, known) in splits.items()
        )
    )


def plant_features(lake: Lake, day: date, *, catalog: Catalog = CATALOG, model: Model = repeat_purchase) -> None:
    """Write the feature partition of a day, and orders of that day through two channels."""
    facts = {"code_version": view_version(catalog, model.view), "fingerprint": f"features of {day}", "rows": CUSTOMERS}
    features = day_rows(day, model).drop("label")
    orders = features.select(
        order_id=pl.col("customer_id"),
        customer_id="customer_id",
        order_ts=pl.lit(datetime.combine(day, time(9), tzinfo=UTC)).cast(pl.Datetime("us", "UTC")),
        channel=pl.when(pl.col("customer_id") < "C0020").then(pl.lit("web")).otherwise(pl.lit("app")),
    )
    lake.commit(
        lake.stage(lake.path("features", model.view.name, day), features, facts),
        lake.stage(lake.path("interim", "orders", day), orders[:-10], {"accepted": orders.height - 10}),
    )
