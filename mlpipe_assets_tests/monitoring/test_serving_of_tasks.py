"""Realised performance of numbers and of classes: joined with what came of them, judged, found and reported."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandera.polars as pa
import polars as pl
import pytest

from mlpipe_assets.catalog.declarations import Catalog, Monitor
from mlpipe_assets.catalog.learners import Learner
from mlpipe_assets.errors import LakeError
from mlpipe_assets.learning.tasks.registry import task_named
from mlpipe_assets.monitoring.changes import list_changes
from mlpipe_assets.monitoring.findings import performance_holds
from mlpipe_assets.monitoring.read_back import read_history
from mlpipe_assets.monitoring.report import render_report
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.versions import ModelVersion, register_version
from mlpipe_assets_tests.monitoring.test_serving import (
    WatchedSpend,
    customers,
    feature_rows,
    monitor,
    write,
)
from mlpipe_assets_tests.planted import UtcTime, day, planted_catalog, returning, spend

COUNT_SQL = """
select f.*exclude (date), cast((
    select count(*) from orders as o
    where o.customer_id = f.customer_id and o.date > f.date and o.date <= f.date + $horizon
) as {sql_type}) as label
from features as f
order by f.as_of, f.customer_id
"""


class CountAhead(WatchedSpend):
    """How many orders follow."""

    customer_id: str
    label: float = pa.Field(metadata={"environments": ["training"]})


class LevelAhead(WatchedSpend):
    """The same as a class."""

    customer_id: str
    label: str = pa.Field(metadata={"environments": ["training"]})


class CountAnswers(pa.DataFrameModel):
    """How many orders will follow."""

    customer_id: str = pa.Field(unique=True)
    as_of: UtcTime
    model_version: str
    feature_version: str
    prediction: float = pa.Field(metadata={"drift": 0.1})


class LevelAnswers(pa.DataFrameModel):
    """The same as a class."""

    customer_id: str = pa.Field(unique=True)
    as_of: UtcTime
    model_version: str
    feature_version: str
    prediction: str = pa.Field(metadata={"drift": 0.1})
    probability: float = pa.Field(metadata={"drift": 0.1})


KINDS: dict[str, dict[str, Any]] = {
    "regression": {"contract": CountAhead, "predictions": CountAnswers},
    "multiclass": {"contract": LevelAhead, "predictions": LevelAnswers},
}
SQL_TYPES = {"regression": "double", "multiclass": "varchar"}


def catalog_of(lake: Lake, task: str, folder: Path | None = None) -> Catalog:
    """Predictions of how many orders come within two days, watched in windows of two days with a baseline of three."""
    model = replace(returning, task=task, learner=Learner(numeric=("orders_3d", "age")), **KINDS[task])  # type: ignore[arg-type]
    sql = COUNT_SQL.format(sql_type=SQL_TYPES[task])
    view = replace(spend, contract=WatchedSpend)
    catalog = planted_catalog(folder or lake.root.parent / "sql", returning_sql=sql, view=view, model=model)
    watched = Monitor(table="predictions/returning", window=timedelta(days=2), baseline=timedelta(days=3))
    return replace(catalog, monitors=(watched,))


def answers(task: str, number: int, *, right: bool) -> pl.DataFrame:
    """Every even customer orders each day, so twice in two. A model that is right nearly knows it."""
    even = [i % 2 == 0 for i in range(len(customers()))]
    away = [(i % 7 - 3) / 10 * (1 if right else 10) for i in range(len(even))]
    rows = feature_rows(day(number)).select(
        "customer_id", "as_of", model_version=pl.lit("v1"), feature_version=pl.lit("f1")
    )
    if task == "regression":
        return rows.with_columns(prediction=pl.Series([2.0 * e + a for e, a in zip(even, away, strict=True)]))
    said = ["2" if e == (right or i % 3 == 0) else "0" for i, e in enumerate(even)]
    return rows.with_columns(prediction=pl.Series(said), probability=pl.lit(0.9))


def serve(lake: Lake, task: str, numbers: range, *, right: bool) -> None:
    for number in numbers:
        rows = pl.DataFrame({"customer_id": customers()[::2], "order_id": customers()[::2]})
        write(lake, "interim/orders", day(number), rows, accepted="100")
        write(lake, "features/spend", day(number), feature_rows(day(number)))
        write(lake, "predictions/returning", day(number), answers(task, number, right=right), champion="v1")


def train(lake: Lake, task: str) -> None:
    """A version in the registry that was as good on its test set as one that is right."""
    even = [2.0 if i % 2 == 0 else 0.0 for i in range(len(customers()))]
    label = pl.Series(even if task == "regression" else [f"{value:.0f}" for value in even])
    tested = task_named(task).measure_realised(answers(task, 1, right=True).with_columns(label=label)).to_dict()
    write(lake, "processed/returning", day(1), feature_rows(day(1)), "train.parquet")
    folder = lake.root / keys.version("returning", "v1")
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps({"model": {"test": tested}}))
    facts = lake.facts("processed", "returning", day(1), "train.parquet") or {}
    texts = ("feature_version", "learner_version", "code_version", "contract_digest", "file_digest", "libraries")
    days = dict.fromkeys(("as_of", "first_day", "last_day", "last_seen_day"), day(1))
    known: dict[str, Any] = {**dict.fromkeys(texts, "x"), **days}
    register_version(
        lake,
        ModelVersion(
            model="returning",
            version="v1",
            training_digest=facts["fingerprint"],
            rows=200,
            metrics={},
            status="champion",
            reason="first",
            **known,
        ),
    )


@pytest.mark.parametrize(
    ("task", "method", "bound"), [("regression", "mae", "holds up to"), ("multiclass", "accuracy", "holds down to")]
)
def test_predictions_that_come_true_worse_than_tested_are_found_and_reported(
    lake: Lake, task: str, method: str, bound: str
) -> None:
    catalog = catalog_of(lake, task)
    train(lake, task)
    serve(lake, task, range(1, 8), right=True)
    serve(lake, task, range(8, 12), right=False)

    as_tested = monitor(lake, catalog, *range(1, 8)).filter(comparison="performance", method=method)
    held = performance_holds(read_history(lake, catalog, catalog.monitors[0]))
    worse = monitor(lake, catalog, *range(8, 12)).filter(comparison="performance", method=method)
    history = read_history(lake, catalog, catalog.monitors[0])

    assert as_tested["verdict"].to_list() == ["none"]
    assert (held.holds, bound in held.text) == (True, True)
    assert worse["verdict"].to_list() == ["drift"]
    found = performance_holds(history)
    assert not found.holds
    assert f"overall: {method}" in found.text
    (change,) = [one for one in list_changes([history]) if one.kind == "performance"]
    assert bound in change.how_bad
    page = render_report([history]).decode()
    assert bound.capitalize() in page
    stored = lake.read("monitoring/realised", "returning", day(6))
    assert stored.columns == ["customer_id", "as_of", "model_version", *task_named(task).realised_columns, "label"]


@pytest.mark.parametrize(
    ("before", "now", "lacking"),
    [("regression", "multiclass", "prediction, probability"), ("multiclass", "regression", "prediction")],
)
def test_predictions_of_another_task_under_the_same_name_are_refused_with_what_to_do(
    lake: Lake, before: str, now: str, lacking: str
) -> None:
    serve(lake, before, range(1, 4), right=True)

    with pytest.raises(LakeError) as raised:
        monitor(lake, catalog_of(lake, now), 3)

    assert f"{raised.value}".startswith(
        f"predictions/returning [2026-01-01] has no {lacking} as a {now} model answers it"
    )
    assert "give it a name of its own" in f"{raised.value}"
