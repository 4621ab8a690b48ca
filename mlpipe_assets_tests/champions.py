"""A small champion over the planted lake, fitted and promoted by hand, for what asks it."""

import hashlib
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import pandera.polars as pa
import polars as pl

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.learners import Learner
from mlpipe_assets.catalog.versions import learner_version, model_version, view_version
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.learning.fitting import FittedModel, fit, predict
from mlpipe_assets.learning.golden import golden_version
from mlpipe_assets.learning.store import dump_model
from mlpipe_assets.learning.tasks.registry import task_of
from mlpipe_assets.rules import contract_digest
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.champions import promote
from mlpipe_assets.training.model_files import Golden
from mlpipe_assets.training.versions import ModelVersion, store_version
from mlpipe_assets.transforms.splits import feature_days
from mlpipe_assets_tests.lake_copies import copy_lake, temporary_folder
from mlpipe_assets_tests.planted import (
    SPEND_SQL,
    Returning,
    UtcTime,
    day,
    planted_catalog,
    planted_lake,
    returning,
    spend,
)

LEARNER = Learner(numeric=("orders_3d", "age"), algorithm="logistic_regression", missing="median")


class ReturningInTraining(Returning):
    """Spend with whether the customer came back. Grain: customer_id, as_of."""

    label: bool = pa.Field(metadata={"environments": ["training"]})


class ReturningPredictions(pa.DataFrameModel):
    """Whether each customer will come back. Grain: customer_id."""

    customer_id: str = pa.Field(unique=True)
    as_of: UtcTime
    model_version: str
    feature_version: str
    probability: float = pa.Field(in_range={"min_value": 0, "max_value": 1}, metadata={"drift": 0.1})
    decision: bool

    class Config:
        strict = True


def learning_catalog(folder: Path, spend_sql: str = SPEND_SQL) -> Catalog:
    """Orders, customers, spend, and `returning` with a learner."""
    model = replace(returning, learner=LEARNER, contract=ReturningInTraining, predictions=ReturningPredictions)
    return planted_catalog(folder, spend_sql=spend_sql, model=model)


def learning_lake(root: Path, last: int) -> tuple[Catalog, Lake]:
    """Features of every day up to the `last`: ann orders daily, bob every other day, cyd on the first three days."""
    return learning_catalog(root / "sql"), copy_lake(_learning_lake(last), root / "data")


def crowned_lake(root: Path) -> tuple[Catalog, Lake, ModelVersion]:
    """Features of six days, and the champion that was crowned on the fifth."""
    lake, version = _crowned_lake()
    return learning_catalog(root / "sql"), copy_lake(lake, root / "data"), version


@cache
def _learning_lake(last: int) -> Lake:
    """The same, built once a process."""
    root = temporary_folder()
    catalog = learning_catalog(root / "sql")
    rows = [(f"a{n}", "ann", day(n), "10.00", "web") for n in range(1, last + 1)]
    rows += [(f"b{n}", "bob", day(n), "10.00", "web") for n in range(1, last + 1, 2)]
    rows += [(f"c{n}", "cyd", day(n), "10.00", "web") for n in range(1, 4)]
    lake = planted_lake(root / "data", catalog, rows)
    build_features(lake, DuckDBEngine(), catalog, spend, [day(n) for n in range(1, last + 1)])
    return lake


@cache
def _crowned_lake() -> tuple[Lake, ModelVersion]:
    """The same, crowned once a process."""
    catalog, lake = learning_lake(temporary_folder(), 6)
    return lake, crown(lake, catalog, day(5))


def crown(
    lake: Lake,
    catalog: Catalog,
    as_of: date,
    feature_version: str | None = None,
    label: pl.Expr = pl.col("orders_3d") > 1,
) -> ModelVersion:
    """Fit on the features up to a day, with who ordered more than once as the label, and make it champion."""
    model, task = catalog.models[0], task_of(catalog.models[0])
    days = [d for d in lake.days("features", "spend") if d <= as_of]
    rows = pl.concat([lake.read("features", "spend", d) for d in days]).with_columns(label=label)
    fitted = fit(model.learner or LEARNER, rows, rows[:0], "label", task)
    content = dump_model(fitted)
    version = ModelVersion(
        model=model.name,
        version=f"{as_of}-1",
        as_of=as_of,
        training_digest="training",
        feature_version=feature_version or view_version(catalog, model.view),
        learner_version=learner_version(model),
        code_version=model_version(catalog, model),
        contract_digest=contract_digest(model.contract),
        file_digest=hashlib.sha256(content).hexdigest(),
        first_day=days[0],
        last_day=days[-1],
        last_seen_day=days[-1],
        rows=rows.height,
        metrics={"test_roc_auc": 1.0},
        status="built",
        reason="",
        libraries="",
    )
    store_version(lake, version, {"model.skops": content})
    return promote_by_hand(lake, catalog, version, fitted)


def promote_by_hand(lake: Lake, catalog: Catalog, version: ModelVersion, fitted: FittedModel) -> ModelVersion:
    """Make a version champion, whatever it is worth, with what it says of the newest day as golden answers."""
    task, day = task_of(catalog.models[0]), version.as_of
    rows = lake.read("features", "spend", day).select("customer_id", "as_of", *fitted.features)
    kept = pl.concat([rows, task.to_columns(predict(fitted, rows.select(fitted.features)))], how="horizontal")
    made = {f"{d}": (lake.facts("features", "spend", d) or {})["fingerprint"] for d in feature_days(kept)}
    golden = Golden(
        rows=kept,
        version=golden_version(kept, task),
        champion=version.version,
        feature_version=version.feature_version,
        days=made,
    )
    return promote(lake, version, golden, "the first")
