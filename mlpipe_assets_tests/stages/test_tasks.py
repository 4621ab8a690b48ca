"""Numbers and classes through every stage of a model: fitted, promoted, held to golden answers, predicted, explained."""

import json
import shutil
from dataclasses import dataclass, replace
from typing import Any

import pandera.polars as pa
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.catalog.declarations import Catalog, Model
from mlpipe_assets.catalog.learners import Promotion, Search
from mlpipe_assets.catalog.models import repeat_purchase
from mlpipe_assets.contracts.customer_features import CustomerFeatures
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.learning.fitting import predict
from mlpipe_assets.learning.tasks.registry import task_of
from mlpipe_assets.partitions import ONE_DAY
from mlpipe_assets.stages.models.asset import Built, build_model, declared_learner
from mlpipe_assets.stages.predictions import asset as predictions
from mlpipe_assets.stages.predictions.asset import build_predictions
from mlpipe_assets.stages.validation.asset import ask_again
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.champions import champion, promote, read_golden
from mlpipe_assets.training.versions import load
from mlpipe_assets_tests.planted import UtcTime
from mlpipe_assets_tests.planted_models import APRIL_16, APRIL_23, APRIL_30, plant_features, plant_training_set

LEARNER = replace(declared_learner(repeat_purchase), rounds=15, search=Search(grid={"leaves": (4, 8)}))
DAY = APRIL_30 + ONE_DAY


class OrdersAhead(CustomerFeatures):
    """How much. Grain: customer_id, as_of."""

    customer_id: str
    label: float = pa.Field(metadata={"environments": ["training"]})


class LevelAhead(CustomerFeatures):
    """Which of three. Grain: customer_id, as_of."""

    customer_id: str
    label: str = pa.Field(isin=["few", "many", "some"], metadata={"environments": ["training"]})


class NumberAnswers(pa.DataFrameModel):
    """How much. Grain: customer_id."""

    customer_id: str = pa.Field(unique=True)
    as_of: UtcTime
    model_version: str
    feature_version: str
    prediction: float = pa.Field(metadata={"drift": 0.1})


class LevelAnswers(pa.DataFrameModel):
    """Which of three. Grain: customer_id."""

    customer_id: str = pa.Field(unique=True)
    as_of: UtcTime
    model_version: str
    feature_version: str
    prediction: str = pa.Field(metadata={"drift": 0.1})
    probability: float = pa.Field(in_range={"min_value": 0, "max_value": 1}, metadata={"drift": 0.1})
    probability_many: float = pa.Field(in_range={"min_value": 0, "max_value": 1})


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A model of a task, with the label of its planted rows."""

    model: Model
    label: pl.Expr
    loss: str
    sql_type: str

    def catalog(self, lake: Lake) -> Catalog:
        """The built-in catalog with this model alone; its SQL gives a label of the right type."""
        folder = lake.root.parent / self.model.task
        if not folder.exists():
            shutil.copytree(CATALOG.sql_dir, folder)
            sql = CATALOG.read_sql(self.model.sql)
            cast = (
                f"select * replace (cast(label as {self.sql_type}) as label) from ({sql}) order by as_of, customer_id"
            )
            (folder / self.model.sql).write_text(cast)
        return replace(CATALOG, models=(self.model,), monitors=(), sql_dir=folder)


LEVEL = pl.when(pl.col("orders_30d") > 7).then(pl.lit("many")).when(pl.col("orders_30d") > 3).then(pl.lit("some"))
NUMBERS = Kind(
    model=replace(
        repeat_purchase,
        task="regression",
        contract=OrdersAhead,
        learner=LEARNER,
        predictions=NumberAnswers,
        promotion=Promotion(),
    ),
    label=pl.col("orders_30d") * 3.5 + pl.col("age") / 10,
    loss="rmse",
    sql_type="double",
)
CLASSES = Kind(
    model=replace(
        repeat_purchase,
        task="multiclass",
        contract=LevelAhead,
        learner=LEARNER,
        predictions=LevelAnswers,
        promotion=Promotion(),
    ),
    label=LEVEL.otherwise(pl.lit("few")),
    loss="log_loss",
    sql_type="varchar",
)
KINDS = [pytest.param(NUMBERS, id="regression"), pytest.param(CLASSES, id="multiclass")]


def build(lake: Lake, kind: Kind, day: Any = APRIL_30, **changes: Any) -> Built:
    model = replace(kind.model, **changes)
    with lake.writing("models", model.name):
        return build_model(lake, DuckDBEngine(), replace(kind.catalog(lake), models=(model,)), model, day)


def plant(lake: Lake, kind: Kind, day: Any = APRIL_30, label: pl.Expr | None = None) -> dict[str, pl.DataFrame]:
    relabel = kind.label if label is None else label
    return plant_training_set(lake, day, catalog=kind.catalog(lake), model=kind.model, relabel=relabel)


def checks_of(built: Built) -> dict[str, str]:
    return {one.check_name: one.description or "" for one in built.checks if not one.passed}


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_goes_from_its_training_set_to_predictions(
    lake: Lake, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(lake, kind)

    built = build(lake, kind)

    assert (built.outcome.refused, checks_of(built)) == (None, {})
    assert built.version is not None
    assert built.version.status == "champion"
    assert (built.version.metrics[f"test_{kind.loss}"] or 0) > 0
    folder = lake.folder("models", kind.model.name) / built.version.version
    facts = json.loads((folder / "card.json").read_text())
    assert [one["parameters"] for one in facts["search"]["tried"]] == [{"leaves": 4}, {"leaves": 8}]
    assert facts["learner"]["leaves"] == (4, 8)[facts["search"]["chosen"]]
    card = (folder / "card.md").read_text()
    assert "- Chosen of 2 combinations by" in card
    assert "### By region, on test" in card
    golden = read_golden(lake, kind.model.name)
    assert golden is not None
    task, fitted = task_of(kind.model), load(lake, kind.model.name, built.version.version)
    kept = task.from_columns(golden.rows.select(name for name in golden.rows.columns if task.is_answer(name)))
    assert kept.equals(predict(fitted, golden.rows.select(fitted.features)))

    plant_features(lake, DAY, catalog=kind.catalog(lake), model=kind.model)
    monkeypatch.setattr(predictions, "list_objections", lambda *_: {DAY: []})  # the planted features have no inputs
    (asked,) = ask_again(lake, kind.catalog(lake), kind.model, [APRIL_30])
    (predicted,) = build_predictions(lake, kind.catalog(lake), kind.model, [DAY])

    assert (asked.refused, asked.counts["moved"], predicted.refused) == (None, 0, None)
    rows = lake.read("predictions", kind.model.name, DAY)
    features = lake.read("features", kind.model.view.name, DAY).sort("customer_id")
    answers = predict(fitted, features.select(fitted.features))
    assert_frame_equal(
        rows.select(*task.shape.answers), task.predictions(answers, LEARNER, {}).select(*task.shape.answers)
    )
    assert rows.columns == list(kind.model.predictions.to_schema().columns)  # type: ignore[union-attr]
    assert task.spell_prediction(rows.to_dicts()[0])


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_training_set_gives_the_same_version_and_a_better_one_takes_over(lake: Lake, kind: Kind) -> None:
    plant(lake, kind, APRIL_23)
    first, again = build(lake, kind, APRIL_23), build(lake, kind, APRIL_23)
    plant(lake, kind, APRIL_30)
    second = build(lake, kind, APRIL_30)

    assert first.version is not None
    assert first.version == again.version
    assert second.reason.startswith(
        f"does not lose to {first.version.version}: {task_of(kind.model).called[kind.loss]} "
    )
    golden = read_golden(lake, kind.model.name)
    assert golden is not None
    assert golden.champion == (second.version.version if second.version else "")


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_learnt_what_is_wrong_is_kept(lake: Lake, kind: Kind) -> None:
    plant(lake, kind, APRIL_23)
    first = build(lake, kind, APRIL_23)
    turned = (
        pl.when(pl.col("as_of").dt.date() < APRIL_16 - 30 * ONE_DAY).then(kind.label.reverse()).otherwise(kind.label)
    )
    plant(lake, kind, APRIL_30, turned)

    second = build(lake, kind, APRIL_30, promotion=Promotion(max_loss_ratio=1.5))

    assert second.reason.startswith("kept, not promoted: ")
    assert "against the champion's on the same 60 rows" in second.reason
    leading = champion(lake, kind.model.name)
    assert leading == first.version


@pytest.mark.parametrize("kind", KINDS)
def test_a_golden_answer_that_moved_stops_the_champion(lake: Lake, kind: Kind) -> None:
    plant(lake, kind)
    built = build(lake, kind)
    golden = read_golden(lake, kind.model.name)
    assert golden is not None
    assert built.version is not None
    moved = {name: pl.col(name) * 0.9 for name in golden.rows.columns if task_of(kind.model).is_answer(name)}
    promote(lake, built.version, replace(golden, rows=golden.rows.with_columns(**moved)), "moved by hand")

    (asked,) = ask_again(lake, kind.catalog(lake), kind.model, [APRIL_30])

    assert asked.refused == "golden answers moved"
    assert asked.counts["moved"] == golden.rows.height
    assert "customer_id" in asked.breaches[0]


def test_another_task_under_the_same_name_makes_way_for_the_new_one(lake: Lake) -> None:
    plant(lake, NUMBERS, APRIL_23)
    build(lake, NUMBERS, APRIL_23)
    plant(lake, CLASSES, APRIL_30)

    second = build(lake, CLASSES, APRIL_30)

    assert second.version is not None
    assert second.version.status == "champion"
    assert second.reason.endswith("it is a regression model")
