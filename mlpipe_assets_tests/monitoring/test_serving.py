"""Predictions beside what their model learnt from, and beside what came of them."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import numpy as np
import pandera.polars as pa
import polars as pl
import pytest

from mlpipe_assets.catalog.declarations import Catalog, Monitor
from mlpipe_assets.catalog.learners import Learner
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.monitoring.building import build_monitoring, monitoring_inputs_digest
from mlpipe_assets.partitions import ONE_DAY
from mlpipe_assets.rules import digest
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.versions import ModelVersion, register_version
from mlpipe_assets_tests.frames import file_digests
from mlpipe_assets_tests.planted import Spend, day, planted_catalog, returning, spend

CUSTOMERS = 200
SLICES_SQL = """
select f.customer_id, f.as_of, case when f.age < 40 then 'young' else 'old' end as life
from features as f
order by f.as_of, f.customer_id
"""


class WatchedSpend(Spend):
    """Spend whose orders and age are watched. Grain: customer_id."""

    orders_3d: pl.Int64 = pa.Field(ge=1, metadata={"drift": 0.1})
    age: pl.Int64 = pa.Field(nullable=True, metadata={"drift": 0.1})


class Answers(pa.DataFrameModel):
    """What the model said. Grain: customer_id."""

    customer_id: str = pa.Field(unique=True)
    as_of: Annotated[pl.Datetime, "us", "UTC"]
    model_version: str
    feature_version: str
    probability: float = pa.Field(metadata={"drift": 0.1})
    decision: bool = pa.Field(metadata={"drift": 0.1})


def serving_catalog(folder: Path) -> Catalog:
    """Predictions of who comes back within two days, watched in windows of two days with a baseline of three."""
    view = replace(spend, contract=WatchedSpend)
    model = replace(returning, learner=Learner(numeric=("orders_3d", "age")), predictions=Answers, slices="slices.sql")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "slices.sql").write_text(SLICES_SQL)
    catalog = planted_catalog(folder, view=view, model=model)
    monitor = Monitor(table="predictions/returning", window=timedelta(days=2), baseline=timedelta(days=3))
    return replace(catalog, monitors=(monitor,))


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return serving_catalog(tmp_path / "sql")


def customers() -> list[str]:
    return [f"c{i:03}" for i in range(CUSTOMERS)]


def as_of(on: date) -> datetime:
    following = on + ONE_DAY
    return datetime(following.year, following.month, following.day, tzinfo=UTC)


def feature_rows(on: date, years_older: int = 0) -> pl.DataFrame:
    """Spend of every customer; half of them are below 40."""
    return pl.DataFrame(
        {
            "customer_id": customers(),
            "as_of": pl.Series([as_of(on)] * CUSTOMERS, dtype=pl.Datetime("us", "UTC")),
            "orders_3d": pl.Series([1] * CUSTOMERS, dtype=pl.Int64),
            "age": pl.Series([20 + years_older + i % 40 for i in range(CUSTOMERS)], dtype=pl.Int64),
        }
    )


def answers(on: date, version: str, *, right: bool) -> pl.DataFrame:
    """Who is even comes back. A model that is right knows it, one that is not says anything."""
    chance = np.random.default_rng(on.toordinal()).random(CUSTOMERS)
    knows = [0.6 if i % 2 == 0 else 0.3 for i in range(CUSTOMERS)]
    probability = [k + 0.3 * c if right else c for k, c in zip(knows, chance, strict=True)]
    rows = feature_rows(on).select("customer_id", "as_of")
    return rows.with_columns(
        model_version=pl.lit(version), feature_version=pl.lit("f1"), probability=pl.Series(probability)
    ).with_columns(decision=pl.col("probability") >= 0.5)


def write(lake: Lake, table: str, on: date, frame: pl.DataFrame, file: str = "part.parquet", **facts: str) -> None:
    stage, _, name = table.partition("/")
    known = {"fingerprint": digest(frame.to_dicts()), **facts}
    lake.commit(lake.stage(lake.path(stage, name, on, file), frame, known))


def serve(
    lake: Lake, numbers: range, *, version: str = "v1", right: bool = True, years_older: int = 0, orders: bool = True
) -> None:
    """Days of orders of every even customer, features and predictions."""
    for on in map(day, numbers):
        if orders:
            rows = pl.DataFrame({"customer_id": customers()[::2], "order_id": customers()[::2]})
            write(lake, "interim/orders", on, rows, accepted="100")
        write(lake, "features/spend", on, feature_rows(on, years_older))
        write(lake, "predictions/returning", on, answers(on, version, right=right), champion=version)


def train(lake: Lake, version: str = "v1", as_of_day: int = 1, auc: float = 0.98) -> None:
    """A version in the registry, and its training set."""
    rows = feature_rows(day(as_of_day)).with_columns(label=pl.lit(value=True))
    write(lake, "processed/returning", day(as_of_day), rows, "train.parquet")
    fingerprint = (lake.facts("processed", "returning", day(as_of_day), "train.parquet") or {})["fingerprint"]
    tested = {"roc_auc": auc, "rows": 200, "positives": 100}
    metrics = {"model": {"test": tested}, "slices": {"test": {"life": {"young": tested}}}}
    folder = lake.root / keys.version("returning", version)
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps(metrics))
    known = ModelVersion(
        model="returning",
        version=version,
        as_of=day(as_of_day),
        training_digest=fingerprint,
        feature_version="f1",
        learner_version="l1",
        code_version="c1",
        contract_digest="d1",
        file_digest="e1",
        first_day=day(1),
        last_day=day(1),
        last_seen_day=day(1),
        rows=CUSTOMERS,
        metrics={"test_roc_auc": auc},
        status="champion",
        reason="first",
        libraries="",
    )
    register_version(lake, known)


def monitor(lake: Lake, catalog: Catalog, *numbers: int) -> pl.DataFrame:
    """Build days, and give what the last of them says beyond the predictions' own distribution."""
    build_monitoring(lake, DuckDBEngine(), catalog, catalog.monitors[0], [day(n) for n in numbers])
    return lake.read("monitoring/drift", "predictions.returning", day(numbers[-1])).filter(
        pl.col("comparison").is_in(["skew", "performance"])
    )


def ranking(rows: pl.DataFrame) -> list[tuple[object, ...]]:
    found = rows.filter(comparison="performance", method="roc_auc")
    return found.select("column", pl.col("value").round(3), "verdict", "n_current").rows()


def facts_of(lake: Lake, number: int) -> dict[str, object]:
    return lake.facts("monitoring/drift", "predictions.returning", day(number)) or {}


def test_until_labels_are_complete_it_is_said_from_when_on_performance_is_known(catalog: Catalog, lake: Lake) -> None:
    train(lake)
    serve(lake, range(3, 5))
    rows = monitor(lake, catalog, 4)
    assert rows.filter(comparison="performance").select("column", "method", "value", "verdict", "note").rows() == [
        ("overall", "roc_auc", None, "none", "known from 2026-01-05 on, when the labels of 2026-01-03 are complete")
    ]


def test_predictions_that_come_true_hold_and_are_reported_by_slice(catalog: Catalog, lake: Lake) -> None:
    train(lake)
    serve(lake, range(3, 8))
    rows = monitor(lake, catalog, 7)
    assert ranking(rows) == [
        ("overall", 1.0, "none", 400),
        ("life=old", 1.0, "none", 200),
        ("life=young", 1.0, "none", 200),
    ]
    note = rows.filter(comparison="performance", column="overall", method="roc_auc")["note"][0]
    assert note == "0.980 on the test set; predictions of 2026-01-04 to 2026-01-05 by v1"
    assert facts_of(lake, 7)["performance_bad"] is False
    share = rows.filter(comparison="performance", method="share_that_came_true")["value"].to_list()
    assert share == [0.5]


def test_predictions_that_do_not_come_true_are_worse_than_tested(catalog: Catalog, lake: Lake) -> None:
    train(lake)
    serve(lake, range(3, 8), right=False)
    found = {column: (verdict, n) for column, _, verdict, n in ranking(monitor(lake, catalog, 7))}
    assert found["overall"] == ("drift", 400)
    assert found["life=young"] == ("drift", 200)
    assert found["life=old"] == ("none", 200)  # the test set did not tell
    assert (facts_of(lake, 7)["performance_bad"], facts_of(lake, 7)["bad"]) == (True, True)


@pytest.mark.parametrize(("wrong", "bad"), [((6,), False), ((6, 8), False), ((6, 7, 8), True)])
def test_two_days_of_predictions_that_went_wrong_are_shown_and_ask_for_nothing(
    catalog: Catalog, lake: Lake, wrong: tuple[int, ...], *, bad: bool
) -> None:
    weekly = replace(catalog, monitors=(replace(catalog.monitors[0], window=timedelta(days=7)),))
    train(lake)
    serve(lake, range(3, 12))
    for number in wrong:
        upside_down = answers(day(number), "v1", right=True).with_columns(probability=1 - pl.col("probability"))
        write(lake, "predictions/returning", day(number), upside_down, champion="v1")

    rows = monitor(lake, weekly, 11)  # predictions of the 3rd to the 9th

    assert ranking(rows)[0][2] == "drift"
    assert (facts_of(lake, 11)["performance_bad"], facts_of(lake, 11)["bad"]) == (bad, bad)


def test_a_late_label_changes_what_the_day_was_made_of_and_is_told_when_it_is_built_again(
    catalog: Catalog, lake: Lake
) -> None:
    train(lake)
    serve(lake, range(3, 8))
    monitor(lake, catalog, 7)
    watch = catalog.monitors[0]
    assert facts_of(lake, 7)["inputs"] == monitoring_inputs_digest(lake, catalog, watch, day(7))
    late = pl.DataFrame({"customer_id": [*customers()[::2], "c001"], "order_id": [*customers()[::2], "late"]})
    write(lake, "interim/orders", day(7), late, accepted="101")
    assert facts_of(lake, 7)["inputs"] != monitoring_inputs_digest(lake, catalog, watch, day(7))
    rows = monitor(lake, catalog, 7)
    share = rows.filter(comparison="performance", method="share_that_came_true")["value"].to_list()
    assert share == [201 / 400]


def test_a_slice_that_no_contract_names_stands_in_no_measurement(catalog: Catalog, lake: Lake) -> None:
    by_name = SLICES_SQL.replace("case when f.age < 40 then 'young' else 'old' end as life", "f.customer_id as who")
    catalog.sql_dir.joinpath("slices.sql").write_text(by_name)
    train(lake)
    serve(lake, range(3, 8))

    found = [column for column, *_ in ranking(monitor(lake, catalog, 7))]

    assert len(found) == 1 + CUSTOMERS
    assert all(str(column).startswith("who=sha256 ") for column in found[1:])


def test_a_label_day_that_is_missing_leaves_its_predictions_out(catalog: Catalog, lake: Lake) -> None:
    train(lake)
    serve(lake, range(3, 7))
    serve(lake, range(7, 8), orders=False)
    assert [n for *_, n in ranking(monitor(lake, catalog, 7))] == [200, 100, 100]


def test_predictions_without_a_label_are_not_counted(catalog: Catalog, lake: Lake) -> None:
    train(lake)
    serve(lake, range(3, 8))
    known = feature_rows(day(5)).filter(pl.col("customer_id") != "c000")
    write(lake, "features/spend", day(5), known)
    assert [n for *_, n in ranking(monitor(lake, catalog, 7))] == [399, 200, 199]


def test_predictions_of_an_older_version_are_left_out_of_the_newer_ones_performance(
    catalog: Catalog, lake: Lake
) -> None:
    train(lake)
    train(lake, "v2", 2)
    serve(lake, range(3, 5), right=False)
    serve(lake, range(5, 8), version="v2")
    rows = monitor(lake, catalog, 7)
    assert ranking(rows)[0] == ("overall", 1.0, "none", 200)
    note = rows.filter(comparison="performance", column="overall", method="roc_auc")["note"][0]
    assert note.endswith("by v2, 200 by other versions left out")


def test_features_like_the_training_set_are_no_skew_and_others_are(catalog: Catalog, lake: Lake) -> None:
    train(lake)
    serve(lake, range(3, 5))
    serve(lake, range(5, 7), years_older=25)
    like = monitor(lake, catalog, 4).filter(comparison="skew", method="js_distance_above_noise")
    other = monitor(lake, catalog, 6).filter(comparison="skew", method="js_distance_above_noise")
    assert like.select("column", "n_reference", "n_current", "verdict").rows() == [
        ("orders_3d", 200, 400, "none"),
        ("age", 200, 400, "none"),
    ]
    assert other.select("column", "n_reference", "n_current", "verdict").rows() == [
        ("orders_3d", 200, 400, "none"),
        ("age", 200, 400, "drift"),
    ]


def test_a_training_set_that_was_built_again_since_is_not_taken_for_the_one_learnt_from(
    catalog: Catalog, lake: Lake
) -> None:
    train(lake)
    serve(lake, range(3, 5))
    rows = feature_rows(day(1), 5).with_columns(label=pl.lit(value=True))
    write(lake, "processed/returning", day(1), rows, "train.parquet")
    skew = monitor(lake, catalog, 4).filter(comparison="skew")
    assert skew.select("column", "value", "note").rows() == [
        (name, None, "the training set of v1, as of 2026-01-01, is not there any more") for name in ("orders_3d", "age")
    ]


def test_a_version_the_registry_does_not_know_is_said(catalog: Catalog, lake: Lake) -> None:
    serve(lake, range(3, 8))
    rows = monitor(lake, catalog, 7)
    assert rows.filter(comparison="skew")["note"].unique().to_list() == [
        "the registry does not know the version that answered"
    ]
    assert rows.filter(comparison="performance", method="roc_auc", column="overall")["threshold"].to_list() == [None]


def test_a_range_of_predictions_in_one_pass_is_the_same_as_day_by_day(catalog: Catalog, tmp_path: Path) -> None:
    lakes = [Lake(data_dir=str(tmp_path / name)) for name in ("a", "b")]
    for lake in lakes:
        train(lake)
        serve(lake, range(3, 10))
    monitor(lakes[0], catalog, *range(3, 10))
    for number in range(3, 10):
        monitor(lakes[1], catalog, number)
    assert file_digests(lakes[0].root, "monitoring") == file_digests(lakes[1].root, "monitoring")
