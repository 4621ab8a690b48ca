"""Predictions online: the same as in batch, to the last bit, and barred for the same reasons."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from mlpipe_assets.serving.http.access import KeyBook
from mlpipe_assets.stages.predictions.asset import build_predictions
from mlpipe_assets.training.champions import roll_back
from mlpipe_assets_tests.champions import crown, crowned_lake, learning_lake
from mlpipe_assets_tests.frames import refuse
from mlpipe_assets_tests.monitoring.test_serving_of_tasks import catalog_of
from mlpipe_assets_tests.planted import day, publish_online
from mlpipe_assets_tests.serving.asking import serving

ENTITIES = {"entities": {"customer_id": ["bob", "nobody", "ann", "cyd"]}}


def test_the_champion_says_online_what_it_says_in_batch(tmp_path: Path) -> None:
    catalog, lake, used = crowned_lake(tmp_path)
    publish_online(lake, catalog)
    build_predictions(lake, catalog, catalog.models[0], [day(6)])
    batch = lake.read("predictions", "returning", day(6)).to_dicts()

    answer = serving(lake, catalog).post("/predict/returning", ENTITIES, {"x-request-id": "mine"}).json()

    assert answer["metadata"] == {
        "model": "returning",
        "model_version": used.version,
        "feature_version": used.feature_version,
        "decide_above": 0.5,
        "request_id": "mine",
    }
    found = {one["entity"]["customer_id"]: one for one in answer["results"]}
    assert list(found) == ENTITIES["entities"]["customer_id"]
    assert {name: (one["probability"], one["decision"]) for name, one in found.items() if name in ("ann", "bob")} == {
        row["customer_id"]: (row["probability"], row["decision"]) for row in batch
    }
    assert found["nobody"] == {
        "entity": {"customer_id": "nobody"},
        "status": "NOT_FOUND",
        "as_of": None,
        "probability": None,
        "decision": None,
    }
    assert (found["ann"]["as_of"], found["cyd"]["as_of"]) == ("2026-01-07T00:00:00Z", "2026-01-06T00:00:00Z")


@pytest.mark.parametrize(
    ("task", "label", "answered"),
    [
        ("regression", pl.col("orders_3d") * 2.5, ["prediction"]),
        ("multiclass", pl.col("orders_3d").cast(pl.String), ["prediction", "probability"]),
    ],
)
def test_numbers_and_classes_are_the_same_online_as_in_batch(
    tmp_path: Path, task: str, label: pl.Expr, answered: list[str]
) -> None:
    catalog, lake = learning_lake(tmp_path, 6)
    model = replace(catalog_of(lake, task, tmp_path / task).models[0], view=catalog.feature_views[0])
    catalog = replace(catalog, models=(model,), sql_dir=tmp_path / task)
    crown(lake, catalog, day(5), label=label)
    publish_online(lake, catalog)
    (made,) = build_predictions(lake, catalog, catalog.models[0], [day(6)])
    assert made.refused is None
    batch = lake.read("predictions", "returning", day(6)).to_dicts()

    answer = serving(lake, catalog).post("/predict/returning", ENTITIES).json()

    assert set(answer["metadata"]) == {"model", "model_version", "feature_version", "request_id"}
    found = {one["entity"]["customer_id"]: one for one in answer["results"]}
    assert [[found[row["customer_id"]][name] for name in answered] for row in batch] == [
        [row[name] for name in answered] for row in batch
    ]
    assert {name: found["nobody"][name] for name in answered} == dict.fromkeys(answered)


def test_features_of_a_model_are_asked_by_its_name(tmp_path: Path) -> None:
    catalog, lake, _ = crowned_lake(tmp_path)
    publish_online(lake, catalog)

    answer = serving(lake, catalog).post("/get-online-features", {"feature_service": "returning", **ENTITIES}).json()

    assert answer["metadata"]["feature_names"] == ["customer_id", "orders_3d", "age"]


def test_a_new_champion_answers_after_the_next_look_and_so_does_the_one_before_after_a_rollback(tmp_path: Path) -> None:
    catalog, lake, first = crowned_lake(tmp_path)
    publish_online(lake, catalog)
    asked = serving(lake, catalog)

    def version() -> str:
        return str(asked.post("/predict/returning", ENTITIES).json()["metadata"]["model_version"])

    second = crown(lake, catalog, day(6))
    assert version() == first.version
    assert asked.server.state.look()
    assert version() == second.version
    roll_back(lake, "returning", "complaints")
    assert asked.server.state.look()
    assert version() == first.version


def test_what_must_not_answer_says_why(tmp_path: Path) -> None:
    catalog, lake = learning_lake(tmp_path, 6)
    publish_online(lake, catalog)
    asked = serving(lake, catalog)

    def said() -> tuple[int, str]:
        asked.server.state.look()
        answer = asked.post("/predict/returning", ENTITIES)
        return answer.status_code, answer.json()["detail"]

    assert said() == (503, "returning has no champion yet. Next: train one with training_job.")
    used = crown(lake, catalog, day(4), feature_version="of before")
    assert said()[1].endswith(
        "was trained on of before. Train a model on the new features, or go back to the old ones."
    )
    used = crown(lake, catalog, day(5))
    asked.server.state.look()
    assert asked.post("/predict/returning", ENTITIES).status_code == 200
    refuse(lake, "validation", "returning_golden", day(6), problem="3 answers moved", inputs="x", champion=used.version)
    assert said()[1].endswith("so it must not answer: 3 answers moved")


def test_a_key_opens_a_model_only_with_the_view_it_reads(tmp_path: Path) -> None:
    catalog, lake, _ = crowned_lake(tmp_path)
    publish_online(lake, catalog)
    tokens = {
        name: KeyBook(lake=lake).add(name, views, models)
        for name, views, models in (
            ("both", ["spend"], ["returning"]),
            ("model", [], ["returning"]),
            ("view", ["spend"], []),
        )
    }
    asked = serving(lake, catalog)

    status = {
        name: asked.post("/predict/returning", ENTITIES, {"authorization": f"Bearer {token}"}).status_code
        for name, token in tokens.items()
    }

    assert status == {"both": 200, "model": 403, "view": 403}
