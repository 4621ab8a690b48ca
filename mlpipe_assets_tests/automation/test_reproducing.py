"""A model is built again from what it was made of; it is equal, or what differs is named."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from mlpipe_assets.automation.reproducing import Reproduced, reproduce, reproduce_predictions
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.engines.duckdb_engine import DuckDBEngine
from mlpipe_assets.errors import MissingPartitionError
from mlpipe_assets.stages.features.asset import build_features
from mlpipe_assets.stages.models.asset import build_model
from mlpipe_assets.stages.predictions.asset import build_predictions
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.tagging.making import make_tag, remove_tag
from mlpipe_assets.training.model_files import ModelError
from mlpipe_assets.training.versions import load_as_declared
from mlpipe_assets_tests.champions import LEARNER, learning_lake, promote_by_hand
from mlpipe_assets_tests.frames import build_training_set, file_digests
from mlpipe_assets_tests.planted import bring_in, day, drop_orders
from mlpipe_assets_tests.tagging.lakes import NOON

pytestmark = pytest.mark.long
LAST = 20


def again(lake: Lake, catalog: Catalog, version: str, folder: Path) -> Reproduced:
    return reproduce(lake, DuckDBEngine(), catalog, catalog.models[0], version, folder, now=NOON)


def correct(lake: Lake, catalog: Catalog) -> None:
    """A late order of cyd on the fifth day, with the features that look at it."""
    drop_orders(lake, "orders_late.csv", [("late", "cyd", day(5), "7.00", "web")])
    bring_in(lake, catalog)
    build_features(lake, DuckDBEngine(), catalog, catalog.feature_views[0], [day(5), day(6), day(7)])


def test_a_version_is_equal_by_its_tag_and_what_differs_without_one_is_named(tmp_path: Path) -> None:
    catalog, lake = learning_lake(tmp_path, LAST)
    model = catalog.models[0]
    outcome, _ = build_training_set(lake, DuckDBEngine(), catalog, model, day(LAST))
    assert outcome.written, outcome
    with lake.writing("models", model.name):
        version = build_model(lake, DuckDBEngine(), catalog, model, day(LAST)).version
    assert version is not None
    make_tag(lake, catalog, "v1", tables=[], message="", now=NOON, root=lake.root)
    before = file_digests(lake.root, "interim", "features", "processed", "models", "meta/champions")

    equal = again(lake, catalog, version.version, tmp_path / "equal")
    assert (equal.inputs, equal.differences) == ("tag v1", ())

    correct(lake, catalog)
    by_tag = again(lake, catalog, version.version, tmp_path / "by_tag")
    assert (by_tag.inputs, by_tag.differences) == ("tag v1", ())
    remove_tag(lake, "v1")
    other = again(lake, catalog, version.version, tmp_path / "now")
    assert other.inputs == "now"
    assert other.differences[0].startswith(
        "data: what the training set is made of is not what it was: feature days 2026-01-0"
    )
    assert "model: its file is" in other.differences[1]

    relearnt = replace(catalog, models=(replace(model, learner=replace(LEARNER, seed=LEARNER.seed + 1)),))
    code = again(lake, relearnt, version.version, tmp_path / "code")
    assert code.differences[0].startswith("code: the learner is of version")
    now = file_digests(lake.root, "processed", "models", "meta/champions")
    assert now == {path: digest for path, digest in before.items() if path in now}

    with pytest.raises(ModelError, match="has no version 2026-01-01-x; there are"):
        again(lake, catalog, "2026-01-01-x", tmp_path / "none")


def test_predictions_are_made_again_by_the_version_that_made_them_and_what_differs_is_named(tmp_path: Path) -> None:
    catalog, lake = learning_lake(tmp_path, LAST)
    model = catalog.models[0]
    build_training_set(lake, DuckDBEngine(), catalog, model, day(LAST))
    with lake.writing("models", model.name):
        built = build_model(lake, DuckDBEngine(), catalog, model, day(LAST)).version
        assert built is not None
        crowned = promote_by_hand(lake, catalog, built, load_as_declared(lake, model, built.version))
    (outcome,) = build_predictions(lake, catalog, model, [day(LAST)])
    assert outcome.written, outcome
    made_again = partial(reproduce_predictions, lake, DuckDBEngine(), catalog, model, now=NOON)

    equal = made_again(day(LAST), tmp_path / "equal")
    assert (equal.version.version, equal.differences) == (crowned.version, ())
    assert equal.rows == lake.read("predictions", model.name, day(LAST)).height > 0

    wrong = lake.read("predictions", model.name, day(LAST)).with_columns(probability=pl.lit(0.125))
    facts = lake.facts("predictions", model.name, day(LAST)) or {}
    change = lake.change("predictions", model.name)
    change.put(change.table.stage(day(LAST), wrong, facts))
    change.publish()
    (line,) = made_again(day(LAST), tmp_path / "wrong").differences
    assert line.startswith(f"predictions: probability: {wrong.height} of {wrong.height} differ")

    drop_orders(lake, "orders_late.csv", [("late", "cyd", day(LAST), "7.00", "web")])
    bring_in(lake, catalog)
    build_features(lake, DuckDBEngine(), catalog, catalog.feature_views[0], [day(LAST)])
    other = made_again(day(LAST), tmp_path / "other").differences
    assert f"data: the features of {day(LAST)} are not those that were predicted on" in other

    with pytest.raises(MissingPartitionError, match=r"has none of 2026-01-02; there are 2026-01-20"):
        made_again(day(2), tmp_path / "none")
